"""Results: `lockstep.action.done` ends the wait of the step that its idempotency key names."""

from collections.abc import Sequence, Set
from typing import Any

import pytest

from lockstep.model.errors import Unavailable
from lockstep.model.events import Event
from lockstep.model.waits import Awaited, StepKey
from lockstep.wake import late_results, unknown_steps
from lockstep_schemas.events import ACTION_DONE
from unit.fakes import Rows
from unit.moved import moved
from unit.values import event, later, uid

PATH = "actions[0].sequence[1]"


def done(number: int = 1, sequence: int = 1, **fields: Any) -> Event:
    """The result of a step of the n-th run."""
    payload = {"idempotency_key": f"{uid(number)}:{PATH}", "success": True, **fields}
    return event(sequence, id=ACTION_DONE, payload=payload)


class Steps:
    """The steps that were ever called."""

    def __init__(self, *known: StepKey) -> None:
        self.known = set(known)
        self.asked: list[Sequence[StepKey]] = []

    async def __call__(self, keys: Sequence[StepKey]) -> Set[StepKey]:
        self.asked.append([*keys])
        return self.known & {*keys}


def wait(number: int, place: int) -> Awaited:
    """The n-th wait, for the result at a place."""
    return Awaited(place, uid(number), uid(number), None, None, PATH, None, "a")


@moved
async def test_a_result_of_a_known_step_is_no_stranger_though_it_may_be_late() -> None:
    steps = Steps((uid(1), PATH))
    assert await unknown_steps([event(), done(1)], steps) == []
    assert steps.asked == [[(uid(1), PATH)]]


@moved
async def test_a_result_of_a_step_that_was_never_called_is_refused_with_its_key() -> None:
    asked = [done(1), done(2)]
    (refused,) = await unknown_steps(asked, Steps((uid(1), PATH)))
    assert refused == (
        asked[1],
        f"idempotency_key: no step '{PATH}' of run {uid(2)} was ever called",
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"idempotency_key": "no colon"}, "`<run id>:<step path>` is expected"),
        ({"idempotency_key": "7:actions[0]"}, "'7' is no id of a run"),
        ({"idempotency_key": f"{uid(1)}:a\0b"}, "`<run id>:<step path>` is expected"),
        ({"idempotency_key": "x" * 99 + ":y"}, f"'{'x' * 40}' is no id of a run"),
        ({"idempotency_key": 7}, "no result of a remote action: Expected `str`, got `int`"),
        ({"success": "yes"}, "no result of a remote action"),
    ],
)
@moved
async def test_a_payload_that_is_no_result_is_refused_with_what_is_wrong(
    fields: dict[str, Any], reason: str
) -> None:
    steps = Steps()
    ((_, told),) = await unknown_steps([done(**fields)], steps)
    assert reason in told
    assert steps.asked == []  # nothing was named that could be known


@moved
async def test_only_results_are_looked_at() -> None:
    steps = Steps()
    assert await unknown_steps([event(payload={"idempotency_key": 7})], steps) == []
    assert steps.asked == []


@moved
async def test_while_the_store_is_away_nobody_is_called_a_stranger() -> None:
    async def away(_: Sequence[StepKey]) -> Set[StepKey]:
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        await unknown_steps([done()], away)


@moved
async def test_a_result_ends_the_wait_of_its_step() -> None:
    tx = Rows()
    tx.waits = [wait(2, 1)]
    asked = [event(1), done(1, 2), done(2, 3)]
    (ended,) = await late_results(asked, tx.port)
    assert tx.asked_results == [(uid(1), PATH, later(2)), (uid(2), PATH, later(3))]
    assert (ended.wait.id, ended.event) == (uid(2), asked[2])


@moved
async def test_of_two_results_the_first_ends_the_wait() -> None:
    tx = Rows()
    tx.waits = [wait(1, 0), wait(1, 1)]
    asked = [done(1, 1), done(1, 2)]
    (ended,) = await late_results(asked, tx.port)
    assert ended.event == asked[0]


@moved
async def test_a_late_result_ends_nothing_and_without_results_nothing_is_asked() -> None:
    tx = Rows()
    assert await late_results([done()], tx.port) == []
    assert tx.calls == ["open_results"]
    tx.calls.clear()
    assert await late_results([event()], tx.port) == []
    assert tx.calls == []
