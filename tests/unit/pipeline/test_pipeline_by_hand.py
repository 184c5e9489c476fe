"""By hand: a run without an event of the stream, or for the event of another run."""

import pytest

from lockstep.model.automations import Automation
from lockstep.model.errors import EngineError
from lockstep.model.matches import TriggerMatch
from lockstep.model.new_runs import RunToRetry
from lockstep.pipeline import ByHand
from unit.moved import moved
from unit.pipeline.pipeline_fixture import Ways
from unit.values import automation, event, match, triggered, uid

STEPS = {"run_to_retry", "begin", "revision", "lock_keys", "create_runs", "commit", "rollback"}


def steps(ways: Ways) -> list[str]:
    """What was done, of what a way to a run does by itself."""
    return [one for one in ways.order if one in STEPS]


@moved
async def test_a_run_is_started_whatever_its_filter_says_behind_its_gate() -> None:
    ways = Ways(triggered(filter="false"))
    given: list[Automation | None] = []

    def make(found: Automation | None) -> TriggerMatch:
        given.append(found)
        assert found is not None
        return match(found)

    (new_run,) = await ByHand(ways.parts).start("a", make)
    assert new_run.status == "running"
    assert given == [ways.index.automation("a")]
    assert steps(ways) == ["begin", "revision", "lock_keys", "create_runs", "commit"]
    assert ways.tx.locked == ["a"]
    assert ways.told == ["offer", "launched"]


@moved
async def test_the_mode_may_refuse_it_and_the_row_says_why() -> None:
    ways = Ways(automation(mode="single"))

    def make(found: Automation | None) -> TriggerMatch:
        assert found is not None
        return match(found)

    by_hand = ByHand(ways.parts)
    await by_hand.start("a", make)
    ways.tx.count_as_active()
    (refused,) = await by_hand.start("a", make)
    assert (refused.status, refused.reason) == ("skipped", "mode single: a run is active")


@moved
async def test_whoever_asks_for_what_is_not_in_force_decides_what_to_say() -> None:
    ways = Ways(automation())
    ways.save(automation("off"), enabled=False)

    def make(found: Automation | None) -> TriggerMatch:
        assert found is None
        raise EngineError("it is disabled")

    for name in ("off", "nobody"):
        with pytest.raises(EngineError, match="it is disabled"):
            await ByHand(ways.parts).start(name, make)
    assert (ways.statuses, ways.order) == ([], [])  # nothing was locked for it


@moved
async def test_a_retry_is_made_of_the_run_and_of_its_automation_as_it_is_now() -> None:
    ways = Ways(automation())
    past = RunToRetry(
        id=uid(9), event=event(7), automation_id="a", automation_status="enabled", version=1,
        trigger_id="test_event", status="failed", document=None,
    )  # fmt: skip
    ways.tx.past = past

    def make(run: RunToRetry | None, found: Automation | None) -> TriggerMatch:
        assert (run, found) == (past, ways.index.automation("a"))
        assert run is not None
        assert found is not None
        return match(found, run.event)

    (new_run,) = await ByHand(ways.parts).retry(uid(9), make)
    assert new_run.match.event.sequence == 7
    assert steps(ways) == [
        "run_to_retry", "begin", "revision", "lock_keys", "create_runs", "commit",
    ]  # fmt: skip
    assert ways.tx.locked == ["a"]


@moved
async def test_a_retry_of_no_run_has_no_automation_either() -> None:
    ways = Ways(automation())

    def make(run: RunToRetry | None, found: Automation | None) -> TriggerMatch:
        assert (run, found) == (None, None)
        raise EngineError("no such run")

    with pytest.raises(EngineError, match="no such run"):
        await ByHand(ways.parts).retry(uid(9), make)
    assert ways.statuses == []
