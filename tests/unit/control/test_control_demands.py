"""What an automation asks of the store: which holds stay armed when it is changed."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from lockstep.control.demands import disarmings, has_timers, holding
from lockstep.model.timers import DisarmedHold
from lockstep_schemas.api import Automation
from unit.values import NOW, event, uid

TRIGGER: Mapping[str, Any] = {
    "event": "a", "id": "t", "for": {"minutes": 1}, "filter": "x", "cancel_filter": "y",
    "window": {"count": 2, "minutes": 5}, "max_age": {"hours": 1},
}  # fmt: skip
UNREADABLE = {"unreadable": "{"}


def stored(*triggers: Mapping[str, Any], **fields: Any) -> Automation:
    """An automation as it is stored."""
    given: dict[str, Any] = {
        "id": "a", "name": "n", "description": None, "status": "enabled", "group": None,
        "definition": {"name": "n", "triggers": triggers and [*triggers]}, "version": 1,
        "managed_by": None, "updated_by": None, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return Automation(**{**given, **fields})


@pytest.mark.parametrize(
    "changed",
    [
        {"event": "b"},
        {"filter": "x "},
        {"filter": None},
        {"cancel_filter": "z"},
        {"for": {"minutes": 2}},
        {"for": {"seconds": 60}},
        {"for": None, "cancel_filter": None},
        {"window": {"count": 3, "minutes": 5}},
        {"window": None},
        {"max_age": {"hours": 2}},
        {"config": {"a": 1}},
        {"id": "u"},
    ],
)
def test_a_trigger_of_which_anything_is_changed_holds_no_more(changed: dict[str, Any]) -> None:
    assert holding(stored(TRIGGER), stored({**TRIGGER, **changed})) == []
    assert holding(stored({**TRIGGER, **changed}), stored(TRIGGER)) == []


def test_a_trigger_that_is_as_it_was_holds_on_whatever_else_is_changed() -> None:
    other = {"event": "b", "for": {"seconds": 1}}
    written = {**TRIGGER, "config": None, "window": {**TRIGGER["window"], "refire": "once"}}
    after = stored(other, written, name="m", version=2)
    after.definition.update(name="m", mode="queued", conditions=["false"], actions=[])
    assert holding(stored(TRIGGER), after) == ["t"]
    assert holding(after, stored(TRIGGER)) == ["t"]


def test_an_id_that_is_given_is_the_one_that_was_derived() -> None:
    derived = {"event": "a.b", "for": {"seconds": 1}}
    assert holding(stored(derived), stored({**derived, "id": "a_b"})) == ["a_b"]
    assert holding(stored(derived), stored({**derived, "id": "ab"})) == []


def test_derived_ids_that_shift_go_on_only_where_they_mean_the_same() -> None:
    one, two = {"event": "a", "for": {"seconds": 1}}, {"event": "a", "for": {"seconds": 2}}
    assert holding(stored(one, two), stored(two, one)) == []
    assert holding(stored(one, two), stored(one)) == ["a"]
    assert holding(stored(one, two), stored(two)) == []
    assert holding(stored(one, one), stored(one)) == ["a"]


def test_one_that_is_disabled_holds_nothing() -> None:
    assert holding(stored(TRIGGER), stored(TRIGGER, status="disabled")) == []
    assert holding(stored(TRIGGER, status="disabled"), stored(TRIGGER)) == ["t"]


def test_one_that_cannot_be_read_may_have_timers_and_none_of_its_holds_is_known() -> None:
    damaged = stored(definition=UNREADABLE)
    assert has_timers(damaged)
    assert holding(damaged, stored(TRIGGER)) == []
    assert holding(damaged, stored(definition=UNREADABLE, status="disabled")) == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("disabled", "the automation was disabled"),
        ("enabled", "version 3 has another trigger in the place of this one, or none"),
    ],
)
def test_each_event_that_is_known_is_told_why_it_starts_nothing(status: str, reason: str) -> None:
    after = msgspec.structs.replace(stored(TRIGGER), status=status, version=3)
    hold = DisarmedHold(uid(1), "t", event(1))
    behind, unread = DisarmedHold(None, "t", event(2)), DisarmedHold(uid(2), "t", None)
    first, second = disarmings([hold, behind, unread], after)
    assert (first.event, first.stage, first.detail) == (event(1), "for", f"disarmed: {reason}")
    assert (second.event, second.automation_id, second.trigger_id) == (event(2), "a", "t")
    assert second.detail == f"dropped with the hold before it: {reason}"
