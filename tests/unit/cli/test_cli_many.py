"""Acts on many runs that cannot be brought to their end: what is known of them is told."""

from typing import cast

import pytest

from lockstep.client import dead_letters, runs
from lockstep.client.remote import ActInterrupted, Remote
from lockstep.model.errors import BusUnavailable
from lockstep_schemas import api, dead

IDS = [f"run-{number}" for number in range(120)]


class Away:
    """An engine that answers so many requests, by so many runs each, and is gone then."""

    def __init__(self, answers: int, at_once: int) -> None:
        self.answers, self.at_once = answers, at_once

    async def call(self, _: str, request: api.RunsCancel, __: type[api.RunsDone]) -> api.RunsDone:
        if not self.answers:
            raise BusUnavailable("no answer in 15 s")
        self.answers -= 1
        begin, ids = int(request.cursor or 0), request.ids or []
        ids, end = ids[begin : begin + self.at_once], begin + self.at_once
        failed = [api.RunFault(one, "refused", "no") for one in ids if one.endswith("0")]
        cursor = str(end) if end < len(request.ids or []) else None
        return api.RunsDone(len(ids) - len(failed), failed, [], cursor)


async def act(engine: Away) -> api.RunsDone:
    remote = cast("Remote", engine)
    return await runs.each_of(remote, "runs.cancel_many", IDS, api.RunsCancel(), lambda _: None)


@pytest.mark.parametrize(("answers", "at_once", "through"), [(1, 50, 50), (2, 20, 40), (5, 20, 90)])
async def test_what_was_done_before_the_engine_went_away_is_told(
    answers: int, at_once: int, through: int
) -> None:
    refused = len([one for one in IDS[:through] if one.endswith("0")])
    with pytest.raises(ActInterrupted) as caught:
        await act(Away(answers, at_once))
    assert "no answer in 15 s" in str(caught.value)
    done = through - refused
    assert f"of 120 runs it was done to {done} and refused for {refused}" in str(caught.value)
    assert f"run {IDS[through]}," in str(caught.value)


async def test_where_nothing_was_done_the_error_is_that_of_the_engine() -> None:
    with pytest.raises(BusUnavailable):
        await act(Away(0, 50))


class AwayWithLetters:
    """An engine that retries the letters of so many requests, and is gone then."""

    def __init__(self, answers: int) -> None:
        self.answers = answers

    async def call(
        self, _: str, request: dead.DeadSelect, __: type[dead.DeadDone]
    ) -> dead.DeadDone:
        if not self.answers:
            raise BusUnavailable("no answer in 15 s")
        self.answers -= 1
        if request.ids is None:
            return dead.DeadDone(50, [], "50-120")
        return dead.DeadDone(
            len(request.ids) - 1, [dead.DeadFault(request.ids[0], "refused", "no")]
        )


@pytest.mark.parametrize(
    ("event", "answers", "told"),
    [
        (None, 1, "done to 49 dead letters and refused for 1"),
        (None, 2, "done to 98 dead letters and refused for 2"),
        ("orders.*", 2, "done to 100 dead letters and refused for 0"),
    ],
)
async def test_letters_that_were_dealt_with_before_it_went_away_are_told(
    event: str | None, answers: int, told: str
) -> None:
    remote, ids = cast("Remote", AwayWithLetters(answers)), [*range(1, 121)]
    with pytest.raises(ActInterrupted, match=told):
        await dead_letters.each_of(remote, "dead.retry", ids, event, lambda _: None)
    away = cast("Remote", AwayWithLetters(0))
    with pytest.raises(BusUnavailable):
        await dead_letters.each_of(away, "dead.retry", ids, event, lambda _: None)
