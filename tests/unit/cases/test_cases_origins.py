"""Cases that name the file of their automation, and what is said of those that are wrong."""

import json
from pathlib import Path

import pytest

from lockstep.cases.format import EventCase
from lockstep.cases.load import CasesRefused, Found, load
from lockstep_schemas.api import Issue

DOOR = """\
# the watch
id: door
name: Door
definition:
  name: Door watch
  triggers: [{event: sensor.door}]
  actions: [{delay: {seconds: 1}}]
"""
BARE = """\
name: Gate
triggers: [{event: sensor.gate}]
"""
TYPES = """\
trigger_types:
  - {id: sensor.door}
"""


def loaded(tmp_path: Path, automation: str, **files: str) -> Found:
    """The one case of a file in `cases/`, which says this of its automation."""
    for name, text in files.items():
        (tmp_path / name.replace("_", ".")).write_text(text)
    (tmp_path / "cases").mkdir()
    path = tmp_path / "cases/c.yaml"
    path.write_text(f"cases:\n  - id: c1\n    automation: {automation}\n    expect: {{}}\n")
    (found,) = load([path])
    return found


def definition_of(found: Found) -> object:
    """The definition that the case runs."""
    assert isinstance(found.case, EventCase)
    return found.case.automation


@pytest.mark.parametrize(
    ("automation", "files", "name"),
    [
        ("{file: ../door.yaml}", {"door_yaml": DOOR}, "Door watch"),
        ("{file: ../door.yaml}", {"door_yaml": BARE}, "Gate"),
        ("{file: ../door.yaml}", {"door_yaml": f"{TYPES}---\n{DOOR}"}, "Door watch"),
        ("{file: ../door.yaml, id: door}", {"door_yaml": f"{BARE}---\n{DOOR}"}, "Door watch"),
        ("{folder: .., id: door}", {"a_yaml": BARE, "b_yml": DOOR}, "Door watch"),
        ("{folder: .., id: door}", {"a_yaml": "[", "b_yml": DOOR}, "Door watch"),
        (
            "{file: ../door.json}",
            {"door_json": json.dumps({"name": "J", "triggers": [{"event": "a"}]})},
            "J",
        ),
        ("{name: own, triggers: [{event: a}]}", {}, "own"),
    ],
)
def test_a_case_runs_the_automation_that_it_names(
    tmp_path: Path, automation: str, files: dict[str, str], name: str
) -> None:
    definition = definition_of(loaded(tmp_path, automation, **files))
    assert isinstance(definition, dict)
    assert definition["name"] == name


def test_it_has_the_name_that_its_file_gives(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{file: ../door.yaml}", door_yaml=DOOR)
    assert found.name_of(definition_of(found)) == "Door"


def test_what_is_wrong_in_it_is_told_with_both_files_and_the_path_within(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{file: ../door.yaml}", door_yaml=DOOR)
    path: list[str | int] = ["actions", 0, "delay", "seconds"]
    issue = Issue(path=path, message="too short")
    assert found.told(definition_of(found), [issue]) == [
        (
            f"{tmp_path}/cases/c.yaml:3:5: {tmp_path}/door.yaml:7:22: "
            "actions[0].delay.seconds: too short"
        )
    ]


def test_what_is_wrong_in_a_definition_of_the_case_is_told_where_it_stands(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{name: own, triggers: [{event: a, filtr: x}]}")
    issue = Issue(path=["triggers", 0, "filtr"], message="unknown")
    assert found.told(definition_of(found), [issue]) == [
        f"{tmp_path}/cases/c.yaml:3:51: triggers[0].filtr: unknown"
    ]


AUTOMATION = "cases[0].automation"


@pytest.mark.parametrize(
    ("automation", "files", "told"),
    [
        ("{file: ../dor.yaml}", {"door_yaml": DOOR}, f"{AUTOMATION}.file: there is no file "),
        ("{folder: ../flows, id: a}", {}, f"{AUTOMATION}.folder: there is no folder "),
        ("{file: ..}", {}, "is a folder (write `folder`, and an `id`)"),
        ("{folder: ../door.yaml, id: a}", {"door_yaml": DOOR}, "there is no folder "),
        ("{folder: ..}", {}, f"{AUTOMATION}: an `id` is missing"),
        ("{folder: .., file: x}", {}, "one of `file`, `folder` is expected"),
        ("{file: ../door.yaml, idd: x}", {"door_yaml": DOOR}, f"{AUTOMATION}.idd: unknown key"),
        ("{fil: ../door.yaml}", {"door_yaml": DOOR}, "`fil` (did you mean `file`?)"),
        ("{floder: .., id: x}", {"door_yaml": DOOR}, "`floder` (did you mean `folder`?)"),
        ("{file: 3}", {}, f"{AUTOMATION}.file: Expected `str | null`, got `int`"),
        ("../door.yaml", {"door_yaml": DOOR}, "write `{file: ../door.yaml}`"),
        ("{folder: .., id: dor}", {"a_yaml": DOOR}, "has the id 'dor' (did you mean `door`?)"),
        ("{folder: .., id: dor}", {"a_yaml": BARE}, "(no document there has an `id`)"),
        ("{file: ../a.yaml, id: x}", {"a_yaml": DOOR}, "has the id 'x' (there are door)"),
        ("{file: ../a.yaml}", {"a_yaml": f"{DOOR}---\n{BARE}"}, "2 automations are in "),
        ("{file: ../a.yaml}", {"a_yaml": TYPES}, "no automation is in "),
        ("{folder: .., id: door}", {"a_yaml": DOOR, "b_yaml": DOOR}, "/b.yaml:2"),
        ("{file: ../a.yaml}", {"a_yaml": "a: [\n"}, "/a.yaml:2:1: no YAML: "),
        ("{file: ../a.yaml}", {"a_yaml": "nme: x\ntriggers: []\ndefinition: {}"}, "/a.yaml:1:1: "),
        ("{folder: .., id: door}", {"a_yaml": "id: door\nx: [\n"}, "/a.yaml:3:1: no YAML: "),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_with_its_place(
    tmp_path: Path, automation: str, files: dict[str, str], told: str
) -> None:
    with pytest.raises(CasesRefused) as refused:
        loaded(tmp_path, automation, **files)
    assert told in str(refused.value)
    assert str(refused.value).startswith(f"{tmp_path}/cases/c.yaml:3:")


@pytest.mark.parametrize(
    "where",
    [
        "automations: [{id: a, definition: {file: ../door.yaml}}]",
        (
            "automation: {name: x, triggers: [{event: a}]}\n    events: "
            "[{op: update_automation, definition: {file: ../door.yaml}}]"
        ),
        (
            "automation: {name: x, triggers: [{event: a}]}\n    events: "
            "[{concurrent: [{op: create_automation, definition: {file: ../door.yaml}}]}]"
        ),
    ],
)
def test_wherever_a_case_has_a_definition_it_may_name_a_file(tmp_path: Path, where: str) -> None:
    (tmp_path / "door.yaml").write_text(DOOR)
    (tmp_path / "cases").mkdir()
    path = tmp_path / "cases/c.yaml"
    path.write_text(f"cases:\n  - id: c1\n    expect: {{}}\n    {where}\n")
    (found,) = load([path])
    assert "Door watch" in str(found.case)
    path.write_text(path.read_text().replace("door.yaml", "dor.yaml"))
    with pytest.raises(CasesRefused, match=r"definition\.file: there is no file"):
        load([path])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("evnts: []", "4:5: cases[0].evnts: unknown key `evnts`"),
        ("events: [{event: a, paylod: {}}]", "4:25: cases[0].events[0].paylod: unknown key"),
        ("events: [{event: a, payload: 1}]", "4:25: cases[0].events[0].payload: Expected"),
        ("events: [{event: a}, {wait: 1}]", "4:26: cases[0].events[1]: expected one of event"),
        (
            "events: [{concurrent: [{event: a}, {wait_s: x}]}]",
            "4:41: cases[0].events[0].concurrent[1].wait_s: Expected `float`",
        ),
        ("stubs: 1", "4:5: cases[0].stubs: Expected `object`, got `int`"),
    ],
)
def test_what_is_wrong_in_a_case_has_its_own_place_and_path(
    tmp_path: Path, wrong: str, told: str
) -> None:
    path = tmp_path / "c.yaml"
    automation = "automation: {name: x, triggers: [{event: a}]}"
    path.write_text(f"cases:\n  - id: c1\n    {automation}\n    {wrong}\n    expect: {{}}\n")
    with pytest.raises(CasesRefused) as refused:
        load([path])
    assert str(refused.value).startswith(f"{path}:{told}")
