"""Types of triggers in files: read, judged with their place, compared with what the engine has."""

from pathlib import Path

import pytest

from lockstep.cli.commands.validate import validate
from lockstep.cli.files.documents import Documents, load
from lockstep.cli.files.trigger_types import plan
from lockstep_schemas.base import JsonObject
from lockstep_schemas.catalog import TriggerInfo

DOORS = "trigger_types:\n  - id: doors.opened\n    display_name: Opened\n    context_key: /room\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str) -> Documents:
    """Read a text as a file."""
    Path("a.yaml").write_text(text)
    return load([Path("a.yaml")])


def known(**fields: object) -> TriggerInfo:
    """The type as the engine tells it."""
    given: JsonObject = {
        "qualified_id": "doors.opened",
        "display_name": "Opened",
        "description": None,
        "category": "Uncategorized",
        "owner_plugin_id": "apply",
        "payload_schema": {},
        "config_schema": None,
        "context_key": "/room",
        "source": "bus",
    }
    return TriggerInfo(**{**given, **fields})


def test_types_and_automations_stand_in_documents_of_one_file() -> None:
    found = read(f"{DOORS}---\nname: n\ntriggers: [{{event: doors.opened}}]\nactions: []\n")
    assert found.faults == []
    assert [one.register.id for one in found.types] == ["doors.opened"]
    assert [one.name for one in found.documents] == ["n"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("trigger_types: 7\n", "a.yaml:1:1: trigger_types: a list of types is expected"),
        ("trigger_types: []\nmore: 1\n", "a.yaml:2:1: more: unknown key `more`"),
        ("trigger_types:\n  - id: a.b\n    colour: red\n", "a.yaml:2:5: trigger_types[0]: "),
        (
            "trigger_types:\n  - id: a.b\n    category: 7\n",
            "a.yaml:3:5: trigger_types[0].category: ",
        ),
        ("trigger_types:\n  - id: a.b\n    owner: me\n", "a.yaml:3:5: trigger_types[0].owner: an"),
        ("trigger_types:\n  - id: lockstep.x\n", "a.yaml:2:5: trigger_types[0]: trigger"),
        (f"{DOORS}  - id: doors.opened\n", "a.yaml:5:5: trigger_types[1]: the id 'doors.opened'"),
    ],
)
def test_what_is_wrong_with_a_type_is_told_with_its_place(text: str, fault: str) -> None:
    (found,) = read(text).faults
    assert str(found).startswith(fault)


def test_a_type_that_is_not_there_is_created_and_the_same_again_is_kept() -> None:
    documents = read(DOORS).types
    assert [one.what for one in plan([], documents, "apply")[0]] == ["create"]
    assert [one.what for one in plan([known()], documents, "apply")[0]] == ["keep"]


def test_what_differs_is_told_by_its_place() -> None:
    ((change,), faults) = plan([known(category="Doors")], read(DOORS).types, "apply")
    assert (change.what, faults) == ("update", [])
    assert [one.path for one in change.differences] == [("category",)]


def test_a_type_of_another_owner_is_not_taken_away() -> None:
    (changes, (fault,)) = plan([known(owner_plugin_id="doors")], read(DOORS).types, "apply")
    assert changes == []
    assert "already registered by 'doors'" in str(fault)


def test_validate_judges_types_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(DOORS)
    assert validate([Path("a.yaml")], strict=False, as_json=False)
    assert "1 type of triggers" in capsys.readouterr().err


def test_what_an_automation_does_is_explained_where_it_has_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong = tmp_path / "right.yaml", tmp_path / "wrong.yaml"
    right.write_text("name: n\ntriggers: [{event: doors.opened}]\nactions: [{stop: {}}]\n")
    wrong.write_text("name: w\ntriggers: [{event: doors.opened}]\nactions: [{}]\n")
    assert not validate([right, wrong], strict=False, as_json=False, explain=True)
    told = capsys.readouterr().out
    assert "n\nStarts:\n   at each event doors.opened\nRuns: one at a time" in told
    assert "the action has no kind" in told
    assert "w\nStarts:" not in told
