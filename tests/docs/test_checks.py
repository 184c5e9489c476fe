"""What the checks of pages are worth: they see what is wrong."""

from pathlib import Path

import pytest

from judged import told, unmet
from pages import Block, anchors, blocks
from typed import calls, wrong_with, wrong_with_name


def block(text: str) -> Block:
    return Block(page=Path("x.md"), line=1, language="yaml", text=text, marks=())


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("- delay: {second: 1}", "actions[0].delay: unknown key `second`"),
        ("- event: a.b\n  fitler: now", "triggers[0]: unknown key `fitler`"),
        ("- {and: []}", "conditions[0].and: "),
        ("mode: serial", "mode: "),
        ("- action: http.reqest", "actions[0].action: unknown action 'http.reqest'"),
        ("delay: {seconds: -1}", "actions[0].delay.seconds: "),
        ("whatever: 1", "no automation"),
        ("- 5", "no automation"),
        ("name: x\ntriggers: []", "triggers: "),
    ],
)
def test_what_is_wrong_in_a_part_of_an_automation_is_told(
    part: str, fault: str, tmp_path: Path
) -> None:
    faults, _ = told(block(part), tmp_path)
    assert any(one.startswith(fault) for one in faults), faults


@pytest.mark.parametrize(
    "part",
    [
        "- event: a.b\n  filter: trigger.payload.x > 1",
        "- action: mailer.send\n- stop: {}",
        "- now\n- {not: now}",
        "mode: parallel\nmax_runs: 3",
        "event: a.b",
        "trigger_types: [{id: a.b}]\n---\nname: x\ntriggers: [{event: a.b}]",
    ],
)
def test_a_part_that_is_right_has_no_fault(part: str, tmp_path: Path) -> None:
    assert told(block(part), tmp_path) == ([], [])


def test_a_fault_that_is_expected_is_told_and_no_other() -> None:
    assert [*unmet(["a: b"], ["a: b (c)"])] == []
    assert len([*unmet(["a: b"], [])]) == 1
    assert len([*unmet([], ["a: b"])]) == 1
    assert len([*unmet(["a: b", "a: b"], ["a: b"])]) == 1


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("lockstep runs list | head", [["runs", "list"]]),
        (".venv/bin/lockstep why x && lockstep status", [["why", "x"], ["status"]]),
        ("RUN=$(lockstep start X | cut -d' ' -f1)", [["start", "X"]]),
        ("until lockstep status; do sleep 1; done", [["status"]]),
        ("LOCKSTEP_X=1 lockstep serve &", [["serve"]]),
        ("lockstep publish a.b \\\n  --payload '{}'", [["publish", "a.b", "--payload", "{}"]]),
        ("kubectl exec deployment/lockstep -- lockstep doctor", [["doctor"]]),
        ("cd lockstep # lockstep serve", []),
    ],
)
def test_the_commands_of_a_script_are_found(script: str, found: list[list[str]]) -> None:
    assert [*calls(script)] == found


@pytest.mark.parametrize(
    ("words", "is_right"),
    [
        ("runs list --status failed", True),
        ("runs lsit", False),
        ("runs list --stauts failed", False),
        ("--nats-url nats://x runs show --last", True),
        ("start", False),
        ("dead list --limit x", False),
        ("--version", True),
    ],
)
def test_a_command_that_cannot_be_typed_is_seen(words: str, is_right: bool) -> None:
    assert (wrong_with(words.split()) == "") == is_right


def test_a_command_is_named_with_or_without_its_arguments() -> None:
    for code in ("lockstep", "lockstep runs", "lockstep why EVENT_ID", "lockstep publish"):
        assert wrong_with_name(code) == ""
    for code in ("lockstep rnus", "lockstep runs lsit", "lockstep why --evnt", "lockstep --last"):
        assert wrong_with_name(code) != ""


def test_a_page_is_taken_apart(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`\n\n<!-- file: a.yaml -->\n<!-- run -->\n```yaml\n# x: 1\n```\n\n# One two\n"
    )
    (one,) = blocks(page)
    assert (one.line, one.text, one.marked("file"), one.marked("run")) == (
        6, "# x: 1\n", ["a.yaml"], [""],
    )  # fmt: skip
    assert anchors(page) == ["one-two", "one-two-1"]
