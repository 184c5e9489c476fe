"""`max_age`: an event that is older when it is handled starts nothing."""

from typing import Any

import pytest

from lockstep.matching import judge
from lockstep.matching.judge import asks
from lockstep.model.automations import Automation
from lockstep.model.decisions import Candidate, Decision
from unit.values import FAILS, NOW, event, later, match, triggered

OPEN = {"open": True}
SHUT = {"open": False}


def judged(of: Automation, seconds: float, payload: Any = OPEN) -> Candidate | Decision:
    """Judge an event that was stored so many seconds ago."""
    return judge(match(of, event(time=later(-seconds), payload=payload)), NOW)


def told(found: Candidate | Decision) -> tuple[str, str, bool]:
    """The stage, the detail, and whether ops hear of it."""
    assert isinstance(found, Decision), found
    return found.stage, found.detail, found.match is not None


def test_it_is_judged_although_the_trigger_asks_for_nothing_else() -> None:
    assert asks(match(triggered(max_age={"seconds": 30})))


def test_only_an_older_event_is_refused_and_its_age_is_told() -> None:
    one = triggered(max_age={"seconds": 30})
    for fresh in (-5.0, 0.0, 30.0):  # the clocks of the bus may be ahead
        assert isinstance(judged(one, fresh), Candidate)
    assert told(judged(one, 30.001)) == ("max_age", "too old: 30.001 s, at most 30 s", False)


def test_what_is_too_old_is_not_asked_for_anything_else() -> None:
    one = triggered(max_age={"minutes": 1}, filter=FAILS, window={"count": 2, "minutes": 10})
    assert told(judged(one, 61))[0] == "max_age"
    assert told(judged(one, 59))[0] == "filter"


def test_a_template_is_evaluated_for_the_event() -> None:
    one = triggered(max_age={"template": "trigger.payload.fresh"})
    assert isinstance(judged(one, 40, {"fresh": 40}), Candidate)
    assert isinstance(judged(one, 40, {"fresh": "40.5"}), Candidate)
    assert told(judged(one, 40, {"fresh": 39.5})) == (
        "max_age",
        "too old: 40.000 s, at most 39.5 s",
        False,
    )


@pytest.mark.parametrize("value", ["0", "-1", "2592001", "'soon'", "true", "none", "[3]", "'nan'"])
def test_a_template_of_no_right_time_refuses_with_a_warning(value: str) -> None:
    stage, detail, is_error = told(judged(triggered(max_age={"template": value}), 0))
    assert (stage, is_error) == ("max_age", True)
    assert detail.startswith("max_age.template: expected up to 2592000 seconds, above 0, got ")
    stage, detail, is_error = told(judged(triggered(max_age={"template": FAILS}), 0))
    assert (detail, is_error) == ("max_age.template: division by zero", True)


def test_what_is_too_old_arms_no_hold_but_cancels_one() -> None:
    one = triggered(
        **{"for": {"minutes": 5}},
        max_age={"seconds": 30},
        filter="trigger.payload.open",
        cancel_filter="not trigger.payload.open",
    )
    assert isinstance(judged(one, 29), Candidate)
    assert told(judged(one, 31))[0] == "max_age"
    cancelling = judged(one, 31, SHUT)
    assert isinstance(cancelling, Candidate)
    assert cancelling.cancels
