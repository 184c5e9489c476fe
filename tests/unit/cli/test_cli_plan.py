"""What `apply` will change: by meaning, by id or name, and never what is not its own."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lockstep.cli.files.diff import MISSING, differences
from lockstep.cli.files.plan import Plan, PlannedChange, plan
from lockstep.cli.terminal.changes import change_parts
from lockstep.definition.documents import Document
from lockstep.definition.source import Source
from lockstep_schemas.api import Automation

Json = dict[str, Any]
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def told(change: PlannedChange) -> str:
    """How a change is described."""
    return "".join(part.plain for part in change_parts(change))


def definition(name: str, **fields: Any) -> Json:
    """A small definition."""
    return {
        "name": name,
        "triggers": [{"event": "a.b"}],
        "actions": [{"stop": {}}],
        **fields,
    }


def document(name: str, **fields: Any) -> Document:
    """A document as it is read from a file."""
    given = {"definition": definition(name), "name": name, **fields}
    source = Source(given, {})
    return Document(file="a.yaml", source=source, under=("definition",), **given)


def stored(name: str, **fields: Any) -> Automation:
    """An automation as the engine gives it."""
    given: Json = {
        "id": f"id-{name}",
        "name": name,
        "description": None,
        "status": "enabled",
        "group": None,
        "definition": definition(name),
        "version": 4,
        "managed_by": "apply",
        "updated_by": None,
        "created_at": NOW,
        "updated_at": NOW,
        **fields,
    }
    return Automation(**given)


def brief(made: Plan) -> list[tuple[str, str | None]]:
    """What is done, and to which id."""
    return [(change.what, change.id) for change in made.changes]


def only(made: Plan) -> PlannedChange:
    """The one change of a plan."""
    assert made.faults == []
    (change,) = made.changes
    return change


def paths(change: PlannedChange) -> list[str]:
    """The places that differ."""
    return [".".join(map(str, one.path)) for one in change.differences]


# Differences


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [(("a", "b"), 1, 2)]),
        ({"a": 1}, {"a": 1, "b": None}, [(("b",), MISSING, None)]),
        ({"a": 1, "b": None}, {"a": 1}, [(("b",), None, MISSING)]),
        ([1, 2], [1, 3], [((1,), 2, 3)]),
        ([1], [1, 2], [((1,), MISSING, 2)]),
        ([1, 2], [1], [((1,), 2, MISSING)]),
        ([2, 3], [1, 2, 3], [((0,), MISSING, 1)]),
        (1, 1.0, []),
        (1, True, [((), 1, True)]),
        (0, False, [((), 0, False)]),
        ([True], [1], [((0,), True, 1)]),
        ({"a": 1}, [1], [((), {"a": 1}, [1])]),
        (None, None, []),
    ],
)
def test_differences_are_by_meaning(old: Any, new: Any, found: list[Any]) -> None:
    assert [(one.path, one.old, one.new) for one in differences(old, new)] == found


# Which automation a document is


def test_a_document_that_is_like_nothing_stored_is_created() -> None:
    change = only(plan([stored("other", managed_by=None)], [document("new")]))
    assert (change.what, change.id) == ("create", None)
    request = change.document.creation("apply") if change.document else None
    assert request is not None
    assert (request.name, request.status, request.managed_by) == ("new", "enabled", "apply")


def test_an_id_that_is_given_is_that_of_the_new_automation() -> None:
    assert brief(plan([], [document("new", id="mine")])) == [("create", "mine")]


def test_a_document_that_says_what_is_stored_changes_nothing() -> None:
    assert brief(plan([stored("a")], [document("a")])) == [("keep", "id-a")]


def test_defaults_that_are_spelled_out_are_no_change() -> None:
    spelled = definition("a", mode="single", enabled=True)
    del spelled["enabled"]
    assert only(plan([stored("a")], [document("a", definition=spelled)])).what == "keep"


def test_the_same_id_is_the_same_automation_under_a_new_name() -> None:
    change = only(plan([stored("old", id="x")], [document("new", id="x")]))
    assert (change.what, change.id) == ("update", "x")
    assert paths(change) == ["name", "definition.name"]


def test_the_same_id_counts_more_than_the_same_name() -> None:
    current = [stored("a", id="x"), stored("b", id="y")]
    change = only(plan(current, [document("a", id="y")]))
    assert change.id == "y"


def test_without_an_id_the_same_name_is_the_same_automation() -> None:
    change = only(plan([stored("a", id="x")], [document("a", group="g")]))
    assert (change.what, change.id) == ("update", "x")


def test_an_id_that_nobody_has_leaves_the_name_to_say_which_and_the_change_tells_so() -> None:
    change = only(plan([stored("a", id="x")], [document("a", id="y")]))
    assert change.id == "x"
    assert "keeps its id, x" in told(change)


def test_a_name_that_two_automations_have_says_nothing() -> None:
    made = plan([stored("a", id="x"), stored("a", id="y")], [document("a")])
    (fault,) = made.faults
    assert "x, y" in str(fault)


def test_two_documents_are_never_one_automation() -> None:
    current = [stored("old", id="x")]
    made = plan(current, [document("new", id="x"), document("old")])
    assert brief(made) == [("update", "x"), ("create", None)]


def test_two_new_ids_with_the_name_of_one_automation_do_not_both_become_it() -> None:
    made = plan([stored("a", id="x")], [document("a", id="y"), document("a", id="z")])
    assert brief(made) == [("keep", "x"), ("create", "z")]


# What is updated


def test_an_update_sends_what_differs_with_the_version_that_it_was_compared_to() -> None:
    changed = definition("a", actions=[{"stop": {"error": "x"}}])
    update = only(plan([stored("a")], [document("a", definition=changed)])).update("apply")
    assert update.definition == changed
    assert update.expected_version == 4
    assert not isinstance(update.status, str)
    assert not isinstance(update.name, str)


def test_a_difference_is_shown_by_its_path() -> None:
    changed = definition("a", triggers=[{"event": "a.c"}])
    change = only(plan([stored("a")], [document("a", definition=changed)]))
    assert 'definition.triggers[0].event: "a.b" → "a.c"' in told(change)


def test_a_status_that_is_not_said_stays_as_it_is() -> None:
    current = [stored("a", status="disabled")]
    assert only(plan(current, [document("a")])).what == "keep"


def test_a_status_that_is_said_is_set() -> None:
    current = [stored("a", status="disabled")]
    change = only(plan(current, [document("a", status="enabled")]))
    assert paths(change) == ["status"]
    assert change.update("apply").status == "enabled"


def test_a_group_that_is_said_to_be_none_is_taken_away() -> None:
    change = only(plan([stored("a", group="g")], [document("a", group=None)]))
    assert change.update("apply").group is None


def test_what_others_made_is_managed_by_apply_once_it_is_applied() -> None:
    change = only(plan([stored("a", managed_by=None)], [document("a")]))
    assert change.what == "update"
    assert change.update("apply").managed_by == "apply"


# Prune


def test_without_prune_nothing_is_deleted() -> None:
    assert plan([stored("a")], []).changes == []


def test_prune_deletes_what_was_applied_and_is_in_no_document() -> None:
    current = [stored("kept"), stored("gone"), stored("by hand", managed_by=None)]
    current.append(stored("by another", managed_by="terraform"))
    made = plan(current, [document("kept")], prune=True)
    assert brief(made) == [("keep", "id-kept"), ("delete", "id-gone")]


def test_prune_does_not_delete_what_is_renamed_by_its_id() -> None:
    made = plan([stored("old", id="x")], [document("new", id="x")], prune=True)
    assert brief(made) == [("update", "x")]


# What people see


def test_brackets_and_colons_in_names_are_shown_as_they_are() -> None:
    change = only(plan([], [document("[red]x[/red] :b: [x]")]))
    assert "[red]x[/red] :b: [x]" in told(change)


def test_a_long_value_is_shown_in_short() -> None:
    change = only(plan([stored("a")], [document("a", description="x" * 1000)]))
    assert max(map(len, told(change).splitlines())) < 150
