"""Automations in files: found, read, and judged with file, line and column."""

from pathlib import Path

import pytest
from msgspec import UNSET

from lockstep.catalog import build_catalog
from lockstep.cli.files.documents import Documents, load
from lockstep.cli.files.verdicts import faults_of, judged
from lockstep.definition.documents import files

GOOD = "name: {0}\ntriggers: [{{event: a.b}}]\nactions: [{{stop: {{}}}}]\n"
FRAMED = "id: {0}\nname: {0}\ndefinition:\n  name: {0}\n  triggers: [{{event: a.b}}]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in: files have short names in messages."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(**texts: str) -> Documents:
    """Read texts as files of these names."""
    for name, text in texts.items():
        Path(f"{name}.yaml").write_text(text)
    return load([Path(f"{name}.yaml") for name in texts])


def faults(**texts: str) -> list[str]:
    """What is wrong with the frames of texts."""
    return [str(fault) for fault in read(**texts).faults]


def judge(text: str, *, strict: bool = False) -> list[str]:
    """What is wrong with the definitions of a text."""
    found = read(a=text)
    assert found.faults == []
    catalog = build_catalog(open=True)
    return [str(fault) for fault in judged(found.documents, catalog, strict=strict)]


# Reading


def test_a_bare_definition_is_a_document_that_says_nothing_beside() -> None:
    (document,) = read(a=GOOD.format("one")).documents
    assert document.name == "one"
    assert document.under == ()
    assert {document.id, document.group, document.status, document.description} == {UNSET}


def test_what_stands_beside_a_definition_is_read() -> None:
    text = "id: x-1\nname: shown\ngroup: g\nstatus: disabled\ndefinition:\n  name: inner\n"
    (document,) = read(a=text).documents
    assert (document.id, document.name, document.group) == ("x-1", "shown", "g")
    assert document.status == "disabled"
    assert document.definition == {"name": "inner"}


def test_without_a_name_beside_it_that_of_the_definition_counts() -> None:
    (document,) = read(a="definition:\n  name: inner\n").documents
    assert document.name == "inner"


def test_a_file_may_hold_several_documents_and_empty_ones_do_not_count() -> None:
    text = f"---\n{GOOD.format('one')}---\n---\n{GOOD.format('two')}"
    assert [document.name for document in read(a=text).documents] == ["one", "two"]


def test_json_is_read_too(folder: Path) -> None:
    (folder / "a.json").write_text('{"name": "j", "triggers": [], "actions": []}')
    assert [document.name for document in load([folder]).documents] == ["j"]


def test_a_folder_stands_for_its_yaml_and_json_files_in_the_order_of_their_names(
    folder: Path,
) -> None:
    for name in ("b.yml", "a.yaml", "inner/c.json", "note.txt", ".hidden/d.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    found = [path.name for path in files([folder])]
    assert found == ["a.yaml", "b.yml", "c.json"]


def test_a_file_that_is_named_is_read_whatever_its_name_is(folder: Path) -> None:
    (folder / "automation.txt").write_text(GOOD.format("one"))
    assert len(load([folder / "automation.txt"]).documents) == 1


def test_a_file_that_is_named_twice_is_read_once() -> None:
    Path("a.yaml").write_text(GOOD.format("one"))
    found = load([Path("a.yaml"), Path("a.yaml")])
    assert (len(found.documents), found.faults) == (1, [])


# What is wrong with files


def test_a_file_that_is_not_there_is_a_fault_that_names_it() -> None:
    (fault,) = load([Path("nowhere.yaml")]).faults
    assert str(fault).startswith("nowhere.yaml:")
    assert "No such file" in str(fault)


def test_a_file_that_is_no_text_is_a_fault_that_names_it(folder: Path) -> None:
    (folder / "a.yaml").write_bytes(b"\xff\xfe\x00")
    (fault,) = load([folder / "a.yaml"]).faults
    assert "UTF-8" in str(fault)


def test_a_syntax_error_has_file_line_and_column() -> None:
    (fault,) = faults(a="name: x\nactions: [\n")
    assert fault.startswith("a.yaml:3:1:")


def test_one_broken_file_hides_no_fault_of_the_others() -> None:
    found = faults(a="x: [", b="x: 1", c="definition: {}\nnmae: y\n")
    assert [fault.partition(":")[0] for fault in found] == ["a.yaml", "b.yaml", "c.yaml"]


@pytest.mark.parametrize("text", ["just a text", "- 1", "42", "x: 1"])
def test_what_is_no_automation_is_a_fault_with_a_place(text: str) -> None:
    (fault,) = faults(a=text)
    assert fault.startswith("a.yaml:1:1:")


def test_an_unknown_key_beside_a_definition_has_its_place_and_a_hint() -> None:
    (fault,) = faults(a="name: x\nstaus: disabled\ndefinition: {}\n")
    assert fault.startswith("a.yaml:2:1: staus: ")
    assert "did you mean `status`?" in fault


def test_an_unknown_key_that_is_near_to_none_is_told_which_there_are() -> None:
    (fault,) = faults(a="zzz: 1\ndefinition: {}\n")
    assert "description" in fault


@pytest.mark.parametrize(
    "line",
    ["id: a b", "id: 7", "name: ''", "name: [x]", "group: {}", "status: on", "description: 1"],
)
def test_a_wrong_value_beside_a_definition_is_found_before_anything_is_applied(line: str) -> None:
    (fault,) = faults(a=f"definition: {{}}\n{line}\n")
    assert fault.startswith(f"a.yaml:2:1: {line.partition(':')[0]}: expected ")


def test_two_documents_of_one_id_are_refused_with_both_places() -> None:
    (fault,) = faults(a=FRAMED.format("same"), b=FRAMED.format("same"))
    assert fault.startswith("b.yaml:1:1: id: ")
    assert "a.yaml:1" in fault


def test_two_documents_of_one_name_are_refused_with_both_places() -> None:
    (fault,) = faults(a=GOOD.format("same"), b=f"# first\n{GOOD.format('same')}")
    assert fault.startswith("b.yaml:2:1: name: ")
    assert "a.yaml:1" in fault


def test_two_documents_of_one_file_with_one_name_are_refused_too() -> None:
    (fault,) = faults(a=f"{GOOD.format('same')}---\n{GOOD.format('same')}")
    assert fault.startswith("a.yaml:5:1: name: ")


# What is wrong with definitions


def test_a_fault_in_a_bare_definition_has_its_place_and_a_hint() -> None:
    text = "name: x\ntriggers: [{event: a.b}]\nactions:\n  - stop: {}\n    enabeld: false\n"
    (fault,) = judge(text)
    assert fault.startswith("a.yaml:5:5: actions[0]: unknown key `enabeld`")
    assert "did you mean `enabled`?" in fault


def test_a_fault_in_a_framed_definition_has_its_place_in_the_file() -> None:
    text = f"{FRAMED.format('x')}  actions:\n    - stop: {{}}\n      enabeld: false\n"
    (fault,) = judge(text)
    assert fault.startswith("a.yaml:8:7: actions[0]: unknown key `enabeld`")


def test_an_action_of_a_service_is_a_warning_here_and_a_fault_when_strict() -> None:
    text = "name: x\ntriggers: [{event: a.b}]\nactions:\n  - action: mail.send\n    config: {}\n"
    (warning,) = judge(text)
    assert warning.startswith("a.yaml:4:5: actions[0].action: warning: unknown action 'mail.send'")
    (fault,) = judge(text, strict=True)
    assert fault.startswith("a.yaml:4:5: actions[0].action: unknown action 'mail.send'")


@pytest.mark.parametrize("action", ["7", "'no dots'", "automation.lgo"])
def test_an_action_that_no_service_can_have_is_a_fault(action: str) -> None:
    text = f"name: x\ntriggers: [{{event: a.b}}]\nactions:\n  - action: {action}\n"
    assert judge(text)
    assert not [line for line in judge(text) if "warning:" in line]


def test_a_file_of_another_language_is_told_key_by_key(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("alias: Door\ntrigger: []\naction: []\n")
    (document,) = load([file]).documents
    told = [str(fault) for fault in faults_of(load([file]), build_catalog(open=True), strict=False)]
    assert document.name == ""
    assert any(":1:1: unknown key `alias` (write `name`)" in one for one in told)
    assert any(":3:1: unknown key `action` (write `actions`, a list)" in one for one in told)
    file.write_text("- name: Door\n  hosts: all\n")
    (fault,) = load([file]).faults
    assert "several in a file stand apart by `---`" in str(fault)


CASES = "group: doors\ncases:\n  - {id: one, automation: {file: a.yaml}, events: [], expect: {}}\n"


def test_cases_beside_automations_in_a_folder_are_passed_over(folder: Path) -> None:
    read(a=GOOD.format("a"), cases=CASES, more="cases: []\n")
    loaded = load([folder])
    assert ([one.name for one in loaded.documents], loaded.faults) == (["a"], [])


def test_cases_that_are_named_are_told_to_be_for_another_command() -> None:
    (fault,) = faults(cases=CASES)
    assert fault.endswith("(it holds cases: `lockstep test` runs them)")


def test_an_automation_with_a_key_called_cases_is_passed_over_by_nobody(folder: Path) -> None:
    read(a=f"{GOOD.format('a')}cases: []\n")
    loaded = load([folder])
    assert faults_of(loaded, build_catalog(open=True), strict=False)


def test_faults_are_told_in_the_order_in_which_they_stand_in_the_file() -> None:
    wrong = (
        "name: a\ntriggers:\n  - {event: a.b, filter: '{{ x }}'}\nmode: some\n"
        "actions:\n  - {delay: 5}\n  - {log: x}\nmax_runs: 0\n"
    )
    loaded = read(b=wrong, a=wrong.replace("name: a", "name: b"))
    found = faults_of(loaded, build_catalog(open=True), strict=False)
    places = [(fault.file, fault.issue.line) for fault in found]
    assert [place for place in places if place[1] != 1] == [
        (file, line) for file in ("a.yaml", "b.yaml") for line in (3, 4, 6, 7, 8)
    ]
