"""`lockstep test`: the cases of the language pass, and a case that is wrong turns red."""

import asyncio
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET

import pytest
import yaml

from lockstep.cases.expect import Seen
from lockstep.cases.format import PublishEntry, StoredAutomation
from lockstep.cases.load import CasesRefused, load
from lockstep.cases.runner import run
from lockstep.catalog import build_catalog
from lockstep.embedded import Servers
from lockstep.render import Renderer
from lockstep.testbed.worlds import world
from patience import patience
from processes import environment

CONFORMANCE = Path(__file__).parents[1] / "conformance"
SAMPLE = Path(__file__).parents[2] / "deploy/samples/cases/orders.yaml"
# Groups of which this version passes every case.
WHOLE = {
    "actions", "choose", "parallel", "repeat", "variables", "guard-stop", "templates",
    "structured-conditions", "validation", "waits", "nested-waits", "durability", "artifacts",
    "concurrency", "triggers", "later-features", "registries", "migration", "faults",
    "ended-outside", "event-time", "expiry", "time", "holds",
}  # fmt: skip
Json = dict[str, Any]


@dataclass
class CommandResult:
    """What a run of the program said."""

    code: int
    out: str
    err: str


async def lockstep_test(*arguments: str) -> CommandResult:
    """Run `lockstep test`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", "test", *arguments, env=environment(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with patience():
        out, err = await process.communicate()
    return CommandResult(process.returncode or 0, out.decode(), err.decode())


def case(**changes: object) -> Json:
    """A case that passes."""
    automation = {
        "name": "n",
        "triggers": [{"event": "test.event"}],
        "actions": [
            {"action": "test.record", "id": "r", "config": {"value": "{{ trigger.payload.n }}"}},
            {"action": "test.fail", "config": {"reason": "why"}},
        ],
    }
    made: Json = {
        "id": "c1",
        "automation": automation,
        "events": [{"event": "test.event", "payload": {"n": 1}}],
        "expect": {"status": "failed", "recorded": ["1"], "error_contains": "why"},
    }
    return {**made, **changes}


def write(folder: Path, *cases: Json) -> str:
    """Write a file of cases."""
    path = folder / "cases.yaml"
    path.write_text(yaml.safe_dump({"group": "own", "cases": list(cases)}))
    return str(path)


async def test_the_cases_of_the_language_pass(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    files = [str(path) for path in [*sorted(CONFORMANCE.glob("*.yaml")), SAMPLE]]
    told = await lockstep_test(*files, "--json", "-n", "2", "--junit", str(report))
    summary = json.loads(told.out)
    failed = [one for one in summary["cases"] if not one["passed"] and not one.get("skipped")]
    assert failed == []
    assert told.code == 0
    skipped = [one for one in summary["cases"] if one.get("skipped")]
    assert not [one for one in skipped if one["group"] in WHOLE]
    assert all(one["reason"] for one in skipped)
    assert (summary["passed"], summary["failed"], summary["skipped"]) == (
        len(summary["cases"]) - len(skipped), 0, len(skipped),
    )  # fmt: skip
    suites = ET.parse(report).getroot()  # noqa: S314 - our own file
    assert sum(int(suite.attrib["tests"]) for suite in suites) == len(summary["cases"])


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"status": "success"}, "status: expected 'success', got 'failed'"),
        ({"recorded": ["2"]}, "recorded: expected ['2'], got ['1']"),
        ({"steps": {"actions[7]": "success"}}, "step actions[7]: expected success, got no step"),
        ({"steps_absent": ["actions[0]"]}, "step actions[0]: expected none, got success"),
        ({"run_count": 2}, "run_count: expected 2, got 1"),
        ({"error_contains": "nothing"}, "error: expected one with 'nothing', got 'why'"),
        ({"any_of": [{"status": "success"}, {"run_count": 0}]}, "none of any_of holds"),
        ({"artifacts": [{"type": "x"}]}, "artifacts: none is like"),
        ({"checkpoints": [{"after": 0, "recorded": []}]}, "after 0: recorded: expected []"),
    ],
)
async def test_a_wrong_expectation_is_red_and_shows_the_difference_and_the_run(
    tmp_path: Path, expect: Json, told: str
) -> None:
    seen = await lockstep_test(write(tmp_path, case(expect=expect), case(id="c2")))
    assert seen.code == 1
    assert "FAILED   own c1" in seen.out
    assert told in seen.out
    assert "actions[1] test.fail" in seen.out.replace("(", " ")
    assert "1 passed, 1 failed, 0 skipped" in seen.out


async def test_only_runs_the_case_of_that_id(tmp_path: Path) -> None:
    path = write(tmp_path, case(), case(id="c2", expect={"status": "success"}))
    told = await lockstep_test(path, "--only", "c1")
    assert (told.code, told.out.strip()) == (0, "1 passed, 0 failed, 0 skipped")
    unknown = await lockstep_test(path, "--only", "c3")
    assert unknown.code == 1
    assert "no case c3" in unknown.err


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"evnts": []}, "evnts"),
        ({"expect": {"stauts": "success"}}, "stauts"),
        ({"events": [{"event": "x", "paylod": {}}]}, "paylod"),
        ({"events": [{"wait": 1}]}, "events[0]"),
        ({"automation": None, "automations": [{"id": "a", "defintion": {}}]}, "defintion"),
    ],
)
def test_an_unknown_key_in_a_case_is_refused_with_its_place(
    tmp_path: Path, changes: Json, place: str
) -> None:
    with pytest.raises(CasesRefused) as refused:
        load([Path(write(tmp_path, case(**changes)))])
    assert place in str(refused.value)
    assert "cases.yaml:" in str(refused.value)


def test_two_cases_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CasesRefused, match="'c1' stands at"):
        load([Path(write(tmp_path, case(), case()))])


async def test_stubs_answer_call_by_call_and_their_calls_can_be_looked_at(tmp_path: Path) -> None:
    create = {"action": "jira.create_issue", "config": {"title": "{{ trigger.payload.n }}"}}
    actions = [
        {**create, "id": "first", "continue_on_error": True},
        {**create, "id": "second"},
        {
            "action": "test.record",
            "id": "r",
            "config": {"value": "{{ artifacts.second.create_issue.key }}"},
        },
    ]
    automation = {"name": "n", "triggers": [{"event": "test.event"}], "actions": actions}
    call = {"action": "jira.create_issue", "config": {"title": 1}}
    told = await lockstep_test(
        write(
            tmp_path,
            case(
                automation=automation,
                stubs={"jira.create_issue": [{"error": "busy"}, {"artifact": {"key": "P-1"}}]},
                expect={"status": "success", "recorded": ["P-1"], "calls": [call, call]},
            ),
            case(id="c2", automation=automation, or_rejected_at_save=True, expect={"run_count": 9}),
        )
    )
    assert told.code == 0, told.out


async def test_calls_of_a_built_in_action_leave_out_what_stands_at_its_default(
    tmp_path: Path,
) -> None:
    configs = [
        {"subject": "a.b", "payload": {"n": 1}},
        {"subject": "a.b", "payload": {"n": 1}, "headers": {}, "stream": True},
        {"subject": "a.b", "payload": {}, "headers": {"x": "y"}, "stream": False},
    ]
    seen = [configs[0], configs[0], configs[2]]
    calls = [{"action": "nats.publish", "config": one} for one in seen]
    told = await lockstep_test(
        write(
            tmp_path,
            case(
                automation={
                    "name": "n",
                    "triggers": [{"event": "test.event"}],
                    "actions": [{"action": "nats.publish", "config": one} for one in configs],
                },
                stubs={"nats.publish": {}},
                expect={"status": "success", "calls": calls},
            ),
        )
    )
    assert told.code == 0, told.out


FLOW = """\
id: ticket
definition:
  name: Tickets
  triggers: [{event: test.event}]
  actions:
    - action: jira.create_issue        # a stub: whether it produces anything is not asked
      config: {title: "{{ trigger.payload.n }}"}
"""


async def test_a_case_names_the_file_of_its_automation_and_its_stubs_need_no_id(
    tmp_path: Path,
) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/ticket.yaml").write_text(FLOW)
    (tmp_path / "cases").mkdir()
    named = {
        "stubs": {"jira.create_issue": {"artifact": {"key": "P-1"}}},
        "expect": {
            "status": "success",
            "calls": [{"action": "jira.create_issue", "config": {"title": 1}}],
        },
    }
    path = write(
        tmp_path / "cases",
        case(automation={"file": "../flows/ticket.yaml"}, **named),
        case(id="c2", automation={"folder": "../flows", "id": "ticket"}, **named),
    )
    told = await lockstep_test(path)
    assert told.code == 0, told.out


async def test_an_automation_that_is_refused_is_told_as_validate_tells_it(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW.replace("config:", "confg:"))
    wrong = recording("", actions=[{"action": "automation.log", "config": {"mesage": "x"}}])
    update = {"op": "update_automation", "definition": {"file": "flow.yaml"}}
    path = write(
        tmp_path,
        case(automation={"file": "flow.yaml"}),
        case(id="c2", automation=wrong),
        case(id="c3", events=[update]),
        {
            "id": "c4",
            "definition": recording("", actions=[{"delay": {"seconds": -1}}]),
            "expect": {"valid": False, "issues": [{"path": "actions[0].dely"}]},
        },
    )
    told = await lockstep_test(path)
    assert told.code == 1
    fault = rf"cases\.yaml:\d+:\d+: {tmp_path}/flow\.yaml:\d+:\d+: actions\[0\].* `confg`"
    assert len(re.findall(fault, told.out)) == 2
    assert "actions[0].config: unknown key `mesage` (did you mean `message`?)" in told.out
    assert (
        "expected an issue at actions[0].dely (exact), got actions[0].delay.seconds: " in told.out
    )


async def test_the_path_of_an_issue_may_be_written_as_validate_writes_it(tmp_path: Path) -> None:
    definition = recording("", actions=[{"delay": {"seconds": -1}}])
    paths = ["actions[0].delay.seconds", "actions.0.delay.seconds"]
    issues = [{"path": one} for one in paths] + [{"path": "actions[0]", "match": "prefix"}]
    expect = {"valid": False, "issues": issues, "only": True}
    told = await lockstep_test(
        write(tmp_path, {"id": "c1", "definition": definition, "expect": expect})
    )
    assert told.code == 0, told.out


COVERED = """\
name: Rooms
triggers: [{event: test.event}]
actions:
  - choose:
      - when: trigger.payload.n == 1
        sequence:
          - wait_for_trigger: {event: never, timeout_seconds: 5, continue_on_timeout: true}
      - when: trigger.payload.n == 2
        sequence: [{stop: {}}]
  - action: jira.create_issue
    continue_on_error: true
"""


async def test_coverage_says_where_no_case_came(tmp_path: Path) -> None:
    (tmp_path / "rooms.yaml").write_text(COVERED)
    event = {"event": "test.event", "payload": {"n": 1}}
    one = case(
        automation={"file": "rooms.yaml"},
        stubs={"jira.create_issue": {"artifact": {}}},
        events=[event, {"wait_s": 9}],
        expect={"status": "success"},
    )
    path = write(tmp_path, one)
    told = await lockstep_test(path, "--coverage")
    assert (told.code, told.out.splitlines()) == (
        0,
        [
            "1 passed, 0 failed, 0 skipped",
            f"{tmp_path}/rooms.yaml:8:9: actions[0].choose[1]: the branch was never taken",
            f"{tmp_path}/rooms.yaml:4:5: actions[0].else: it never happened that no branch held",
            (
                f"{tmp_path}/rooms.yaml:9:20: actions[0].choose[1].sequence[0]: "
                "the action was never reached"
            ),
            f"{tmp_path}/rooms.yaml:10:5: actions[1]: it never failed, which would be passed over",
            f"Rooms ({tmp_path}/rooms.yaml): 5 of 9 actions and branches reached",
        ],
    )
    failing = {**one, "stubs": {"jira.create_issue": {"error": "why"}}}
    others = [
        {**failing, "id": "c2", "events": [{**event, "payload": {"n": 2}}]},
        # Its runs are gone in the end, and count all the same.
        {
            **failing,
            "id": "c3",
            "events": [{**event, "payload": {"n": 3}}, {"op": "delete_automation"}],
            "expect": {"run_count": 1},
        },
    ]
    told = await lockstep_test(write(tmp_path, one, *others), "--coverage", "--json")
    (covered,) = json.loads(told.out)["coverage"]
    assert told.code == 1  # as without: a case is wrong
    assert (covered["automation"], covered["ways"], covered["reached"]) == ("Rooms", 9, 9)
    assert covered["missing"] == []


async def test_several_workers_and_operations_and_repetitions_go_together(tmp_path: Path) -> None:
    automation = {
        "name": "n",
        "triggers": [{"event": "test.event"}],
        "mode": "parallel",
        "max_runs": 1000,
        "actions": [
            {"action": "test.record", "id": "r", "config": {"value": "{{ trigger.payload.n }}"}}
        ],
    }
    event = {"event": "test.event", "payload": {"n": 1}}
    together = case(
        automation=automation,
        instances=2,
        repeat=3,
        events=[
            {"concurrent": [{**event, "payload": {"n": n}} for n in range(10)]},
            {"op": "disable_automation"},
            event,
            {"op": "enable_automation"},
            {"op": "redeliver", "of": 2},
            {"op": "restart_engine"},
            {"op": "update_automation", "definition": {**automation, "actions": []}},
            event,
            {"op": "create_automation", "automation": "other", "definition": automation},
            {"op": "delete_automation"},
            {**event, "payload": {"n": "last"}},
        ],
        expect={
            "recorded_set": [*(str(n) for n in range(10)), "last"],
            "run_count": 1,
            "checkpoints": [
                {"after": 0, "run_count": 10},
                {"after": 4, "run_count": 10},
                {"after": 7, "run_count": 11},
            ],
        },
    )
    told = await lockstep_test(write(tmp_path, together))
    assert told.code == 0, told.out


def recording(value: str, **more: object) -> Json:
    """An automation that records something of each event."""
    record = {"action": "test.record", "id": "r", "config": {"value": value}}
    return {"name": "n", "triggers": [{"event": "test.event"}], "actions": [record], **more}


SECOND = "{{ trigger.time[:19] }}"  # when the event was published
STOPPED: list[Json] = [
    {"event": "test.event"},
    {"op": "stop_engine"},
    {"event": "test.event", "after_s": 4},
    {"event": "test.event", "after_s": 5},
    {"wait_s": 20},
    {"op": "start_engine", "after_s": 1},
]


async def test_what_comes_while_no_engine_runs_is_handled_later_and_has_the_time_at_which_it_came(
    tmp_path: Path,
) -> None:
    times = [f"2030-06-01T12:00:{second}" for second in ("00", "04", "09")]
    stopped = case(
        automation=recording(SECOND, mode="queued"),
        starts_at="2030-06-01T12:00:00Z",
        events=[*STOPPED, {"event": "test.event"}],
        expect={
            "recorded": [*times, "2030-06-01T12:00:30"],
            "checkpoints": [
                {"after": 4, "recorded": times[:1], "run_count": 1},
                {"after": 5, "recorded": times},
            ],
        },
    )
    several = case(**{**stopped, "id": "c2", "instances": 2, "repeat": 2})
    told = await lockstep_test(write(tmp_path, stopped, several))
    assert told.code == 0, told.out


async def test_time_passes_for_runs_that_sleep_while_no_engine_runs(tmp_path: Path) -> None:
    delay = {"delay": {"seconds": 10}}
    record = {"action": "test.record", "id": "r", "config": {"value": "awake"}}
    asleep = case(
        automation=recording("", actions=[delay, record]),
        events=[
            {"event": "test.event"},
            {"op": "stop_engine"},
            {"wait_s": 20},
            {"op": "start_engine"},
        ],
        expect={
            "status": "success",
            "recorded": ["awake"],
            "checkpoints": [{"after": 2, "status": "waiting", "waiting_at": ["actions[0]"]}],
        },
    )
    told = await lockstep_test(write(tmp_path, asleep))
    assert told.code == 0, told.out


async def test_what_workers_that_were_killed_have_left_keeps_its_time(tmp_path: Path) -> None:
    publish = {
        "action": "nats.publish",
        "config": {"subject": "lockstep.trigger.test.event", "payload": {}},
    }
    publishing = {"name": "p", "triggers": [{"event": "go"}], "actions": [publish]}
    told = recording(SECOND, mode="queued")
    # It sleeps when its worker is killed: what it tells then would be told twice.
    told["actions"] = [{"delay": {"seconds": 1}}, *told["actions"]]
    definitions = [("auto-1", publishing), ("auto-2", told)]
    automations = [{"id": name, "definition": definition} for name, definition in definitions]
    killed = case(
        automations=automations,
        events=[
            {"event": "go", "after_s": 7, "crash_after": "actions[0]"},
            {"op": "stop_engine", "after_s": 10},
            {"event": "test.event", "after_s": 2},
            {"wait_s": 30},
            {"op": "start_engine"},
            {"wait_s": 5},
        ],
        # What a worker held when it was killed comes again late, perhaps behind what came since.
        expect={"recorded_set": ["2026-01-01T00:00:07", "2026-01-01T00:00:19"]},
    )
    del killed["automation"]
    result = await lockstep_test(write(tmp_path, killed))
    assert result.code == 0, result.out


async def test_a_case_publishes_plainly_and_is_told_of_a_stream_that_is_missing(
    tmp_path: Path,
) -> None:
    plain: Json = {"subject": "demo.x", "payload": {}, "stream": False}
    stored = {"subject": "demo.x", "payload": {}}
    actions = [{"action": "nats.publish", "config": config} for config in (plain, stored)]
    told = await lockstep_test(
        write(
            tmp_path,
            case(
                automation={
                    "name": "n",
                    "triggers": [{"event": "test.event"}],
                    "actions": actions,
                },
                expect={
                    "steps": {"actions[0]": "success", "actions[1]": "failed"},
                    "error_contains": "say `stream: false`",
                },
            ),
        )
    )
    assert told.code == 0, told.out


async def test_a_case_that_ends_while_no_engine_runs_leaves_nothing_to_the_next(
    tmp_path: Path,
) -> None:
    stopped = case(
        automation=recording("first"), events=STOPPED[:-1], expect={"recorded": ["first"]}
    )
    other = case(id="c2", automation=recording("second"), expect={"recorded": ["second"]})
    told = await lockstep_test(write(tmp_path, stopped, other))
    assert told.code == 0, told.out


@pytest.mark.parametrize(
    "away", [[{"op": "restart_engine"}], [{"op": "stop_engine"}, {"op": "start_engine"}]]
)
async def test_stubs_go_on_answering_where_the_engine_is_another_one(
    tmp_path: Path, away: list[Json]
) -> None:
    create = {"action": "jira.create_issue", "id": "c", "config": {}}
    stubbed = case(
        automation=recording("", actions=[create]),
        stubs={"jira.create_issue": [{"error": "busy"}, {"artifact": {"key": "P-1"}}]},
        events=[{"event": "test.event"}, *away, {"event": "test.event"}],
        expect={"runs": [{"status": "failed", "error_contains": "busy"}, {"status": "success"}]},
    )
    told = await lockstep_test(write(tmp_path, stubbed))
    assert told.code == 0, told.out


STOP, START = {"op": "stop_engine"}, {"op": "start_engine"}


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([STOP, STOP], "`stop_engine`: no engine runs, `start_engine` comes first"),
        ([START], "`start_engine`: an engine runs already"),
        ([STOP, START, START], "`start_engine`: an engine runs already"),
        ([STOP, {"wait_s": 1}, {"op": "disable_automation"}], "`disable_automation`: no engine"),
        ([STOP, {"op": "cancel_run", "run": 0}], "`cancel_run`: no engine runs"),
        ([STOP, {"op": "restart_engine"}], "`restart_engine`: no engine runs"),
        ([STOP, {"event": "a"}, {"op": "redeliver", "of": 1}], "`redeliver`: no engine runs"),
        ([STOP, {"concurrent": [{"event": "a"}, {"op": "recover"}]}], "`recover`: no engine runs"),
        ([{"concurrent": [STOP, {"op": "cancel_run"}]}], "may stand events, no other operation"),
        ([{"concurrent": [STOP, {"event": "a"}]}, STOP], "`stop_engine`: no engine runs"),
        ([STOP, {"event": "a", "crash_after": "before_ack"}], "`crash_after`: no engine runs"),
    ],
)
def test_what_needs_an_engine_is_refused_with_its_place_where_the_case_has_none(
    tmp_path: Path, events: list[Json], told: str
) -> None:
    with pytest.raises(CasesRefused) as refused:
        load([Path(write(tmp_path, case(events=events)))])
    assert told in str(refused.value)
    assert f"cases[0].events[{len(events) - 1}]: " in str(refused.value)


@pytest.mark.parametrize("point", ["run_created", "before_ack", "actions[0]", "actions[1]"])
async def test_a_worker_is_killed_for_real_where_the_case_says(tmp_path: Path, point: str) -> None:
    record = {"action": "test.record", "config": {"value": "{{ trigger.payload.n }}"}}
    actions = [{**record, "id": "a"}, {**record, "id": "b"}]
    automation = {"name": "n", "triggers": [{"event": "test.event"}], "actions": actions}
    before = {"actions[0]": ["1"], "actions[1]": ["1", "1"]}.get(point, [])
    killed = case(
        automation=automation,
        events=[
            {"event": "test.event", "payload": {"n": 1}, "crash_after": point},
            {"op": "recover"},
            {"wait_s": 2},
        ],
        expect={
            "status": "success",
            "recorded": ["1", "1"],
            "run_count": 1,
            "checkpoints": [{"after": 0, "recorded": before}],
        },
    )
    told = await lockstep_test(write(tmp_path, killed))
    assert told.code == 0, told.out


async def test_a_case_that_was_given_up_does_not_spoil_the_next(
    tmp_path: Path, servers: Servers
) -> None:
    asleep = case(automation={"name": "n", "triggers": [{"event": "test.event"}], "actions": [
        {"action": "test.slow", "id": "s", "config": {"seconds": 5}},
    ]}, expect={"status": "running"})  # fmt: skip
    good = case(id="c2")
    first, second = load([Path(write(tmp_path, asleep, good))])
    catalog = build_catalog(open=True, with_stubs=True)
    async with world(servers.postgres, f"w{uuid4().hex}", kills=False) as opened:
        for found in (first, second):
            result = await run(found, opened, catalog, Renderer())
            assert result.passed, result.reason
            await opened.abandon()  # as after a case that has failed in the midst of it


class BrokenWorld:
    """An engine that has died."""

    endpoints = frozenset({"automations.list"})

    async def ask(self, endpoint: str, request: Json) -> tuple[Any, bool]:
        """Answer nothing."""
        return {}, False

    def lend(self, kind: object) -> None:
        """Take it."""

    async def told(self, what: str) -> Sequence[Any]:
        """Say nothing."""
        return []

    async def begin(self, stubs: Mapping[str, object], instances: int, starts_at: datetime) -> None:
        """Be there at first."""

    async def abandon(self) -> None:
        """Be given up."""

    async def store(self, automation: StoredAutomation) -> None:
        """Still be there."""

    async def call(self, endpoint: str, **request: object) -> Json:
        """Answer nothing."""
        return {}

    async def publish(self, entry: PublishEntry, name: str) -> None:
        """Die."""
        raise ConnectionError("the engine is gone")

    async def redeliver(self, name: str) -> None:
        """Be gone."""

    async def stop(self) -> None:
        """Be gone."""

    async def start(self) -> None:
        """Be gone."""

    async def lose_state(self) -> None:
        """Be gone."""

    async def advance(self, seconds: float) -> None:
        """Be gone."""

    async def seen(self) -> Seen:
        """Have seen nothing."""
        none: Sequence[Any] = []
        return Seen(runs=none, recorded=none, consumed=none, calls=none, action_calls=0)


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"total": 9}, "call 1 listAutomations: total: expected 9, got 1"),
        ({"item_count": 2}, "expected 2 items, got 1"),
        ({"items_contain": {"name": "B"}}, "no item is like {'name': 'B'}"),
        ({"items_have": ["ownerPluginId"]}, "an item lacks owner_plugin_id"),
        ({"has": ["runId"]}, "run_id is missing"),
        ({"error": {"code": "not_found"}}, "expected an error {'code': 'not_found'}"),
        ({"notified": {"action": "deleted"}}, "expected the bus to carry `deleted`"),
    ],
)
async def test_a_wrong_reply_of_the_api_is_red(tmp_path: Path, expect: Json, told: str) -> None:
    definition = {"name": "A", "triggers": [{"event": "test.event"}]}
    made = {
        "id": "c1",
        "setup": [{"name": "A", "definition": definition}],
        "calls": [{"op": "listAutomations", "input": {}, "expect": expect}],
    }
    seen = await lockstep_test(write(tmp_path, made))
    assert seen.code == 1
    assert told in seen.out


WRONG_IMPORTS: list[tuple[Json, str]] = [
    ({"ok": False}, "expected a failure, and the subscription was migrated"),
    ({"automation_status": "disabled"}, "automation_status: expected disabled, got enabled"),
    ({"definition": {"mode": "queued"}}, "definition: expected {'mode': 'queued'}"),
    ({"trigger0_event": "b"}, "trigger0_event: expected b, got a.b"),
    ({"action0": {"action": "x.y"}}, "action0: expected x.y, got integration-webhook.send"),
    ({"action0": {"config": {"url": "v"}}}, "action0.config: expected {'url': 'v'}"),
    ({"action0": {"config_absent": ["url"]}}, "action0.config.url is there"),
    ({"action0": {"config_non_empty": ["body"]}}, "action0.config.body is empty"),
    ({"action0_rendered_contains": {"field": "url", "text": "v"}}, "expected 'v' in 'u'"),
    ({"condition_count": 1}, "condition_count: expected 1, got []"),
    ({"condition0_is_text": True}, "condition0_is_text: expected True"),
    ({"condition0_or_count": 2}, "condition0_or_count: expected 2"),
    ({"condition0_mentions": ["s"]}, "condition0_mentions: 's' is not in"),
    ({"condition0_false_for": [{"systemId": "s"}]}, "condition0: expected False for"),
    ({"after_two_runs": {"second_run": "migrated"}}, "second import: expected migrated"),
    ({"after_two_runs": {"automations": 2}}, "expected 2 automations, got 1"),
]


async def test_a_wrong_expectation_of_an_import_is_red(tmp_path: Path) -> None:
    right = {
        "id": "s",
        "name": "n",
        "providerId": "integration-webhook.webhook",
        "providerConfig": {"url": "u"},
        "eventId": "a.b",
        "enabled": True,
    }
    wrong = {**right, "providerId": "nope"}
    cases = [
        {"id": f"c{number}", "subscription": right, "expect": {"ok": True, **expect}}
        for number, (expect, _) in enumerate(WRONG_IMPORTS)
    ]
    cases.append({"id": "c-ok", "subscription": wrong, "expect": {"ok": True}})
    cases.append(
        {"id": "c-why", "subscription": wrong, "expect": {"ok": False, "reason_contains": "other"}}
    )
    seen = await lockstep_test(write(tmp_path, *cases), "--json")
    assert seen.code == 1
    found = {one["id"]: one["reason"] for one in json.loads(seen.out)["cases"]}
    for number, (_, told) in enumerate(WRONG_IMPORTS):
        assert told in found[f"c{number}"]
    assert "expected the subscription to be migrated, got failed" in found["c-ok"]
    assert "expected one failure with 'other'" in found["c-why"]


async def test_a_crash_of_the_engine_turns_the_case_red(tmp_path: Path) -> None:
    (found,) = load([Path(write(tmp_path, case()))])
    result = await run(found, BrokenWorld(), build_catalog(True), Renderer())
    assert not result.passed
    assert "ConnectionError: the engine is gone" in (result.reason or "")
