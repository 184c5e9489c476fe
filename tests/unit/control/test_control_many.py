"""Acts on many runs: each is met once, whatever number of requests that takes; no later one is."""

from typing import Any
from uuid import UUID

import pytest

from lockstep.control.errors import InvalidRequest, NotRetriable
from lockstep.control.many import ManyEndpoints
from lockstep.model.errors import BusUnavailable, Unavailable
from lockstep.model.runs import FoundRuns
from lockstep_schemas.api import (
    RunRetried,
    RunRetry,
    RunsCancel,
    RunsDone,
    RunsFilter,
    RunsList,
    RunsRetry,
)
from unit.values import uid


class Shown:
    """A run as far as it matters here."""

    def __init__(self, number: int, status: str) -> None:
        self.id, self.status = str(uid(number)), status


class Views:
    """Failed runs in memory; each page is followed by one more run."""

    def __init__(self, number: int) -> None:
        self.newest = number
        self.asked: list[RunsList] = []

    async def page(self, wanted: RunsList, before: int | None) -> FoundRuns:
        """See `control.runs.RunViews`."""
        self.asked.append(wanted)
        numbers = [n for n in range(self.newest, 0, -1) if before is None or n < before]
        self.newest += 1
        page: Any = [Shown(n, "failed") for n in numbers[: wanted.limit]]
        return FoundRuns(page, numbers[: wanted.limit], len(numbers), is_exact=True)

    async def run(self, run_id: UUID) -> Shown | None:
        """See `control.runs.RunViews`."""
        return Shown(run_id.int, "success") if run_id.int < 100 else None


class Retry:
    """Notes which runs were retried; some cannot be."""

    def __init__(self, *, refuses: int = 0, away_at: int = 0) -> None:
        self.seen: list[str] = []
        self._refuses, self._away_at = str(uid(refuses)), away_at

    async def retry(self, request: RunRetry, _: object) -> RunRetried:
        """See `control.retry`."""
        if self._away_at and len(self.seen) + 1 == self._away_at:
            self._away_at = 0
            raise BusUnavailable("away")
        self.seen.append(request.id)
        if request.id == self._refuses:
            raise NotRetriable("it is disabled")
        return RunRetried(f"new-{request.id}")


def endpoints(views: Any, retry: Any, *, terminator: Any = None, seconds: float = 60) -> Any:
    """What is tested."""
    return ManyEndpoints(views, terminator, retry, portion=3, seconds=seconds)


async def to_the_end(many: ManyEndpoints, request: RunsRetry) -> list[RunsDone]:
    """Call again and again, as a client does."""
    found = [await many.retry(request, None)]
    while found[-1].cursor is not None:
        given = {name: getattr(request, name) for name in RunsRetry.__struct_fields__}
        again = RunsRetry(**{**given, "cursor": found[-1].cursor})
        found.append(await many.retry(again, None))
    return found


@pytest.mark.parametrize("seconds", [60, -1])
async def test_each_run_of_a_filter_is_retried_once_and_those_that_come_later_are_not(
    seconds: float,
) -> None:
    retry = Retry(refuses=4)
    done = await to_the_end(
        endpoints(Views(8), retry, seconds=seconds), RunsRetry(where=RunsFilter())
    )
    assert retry.seen == [str(uid(n)) for n in range(8, 0, -1)]
    assert sum(one.done for one in done) == 7
    assert [one.id for part in done for one in part.failed] == [str(uid(4))]
    assert sum(len(one.new_ids) for one in done) == 7


@pytest.mark.parametrize("seconds", [60, -1])
async def test_each_run_that_is_named_is_retried_once(seconds: float) -> None:
    retry, ids = Retry(), [str(uid(n)) for n in range(1, 6)]
    done = await to_the_end(endpoints(Views(0), retry, seconds=seconds), RunsRetry(ids=ids))
    assert retry.seen == ids
    assert sum(one.done for one in done) == 5


async def test_what_was_done_before_a_server_was_away_is_told_and_not_done_again() -> None:
    retry, ids = Retry(away_at=3), [str(uid(n)) for n in range(1, 6)]
    many = endpoints(Views(0), retry)
    first = await many.retry(RunsRetry(ids=ids), None)
    assert (first.done, first.cursor) == (2, "2")
    rest = await many.retry(RunsRetry(ids=ids, cursor=first.cursor), None)
    assert (rest.done, retry.seen) == (3, ids)
    with pytest.raises(Unavailable):
        await endpoints(Views(0), Retry(away_at=1)).retry(RunsRetry(ids=ids), None)


async def test_without_a_status_those_are_meant_that_it_is_for() -> None:
    views = Views(0)
    many = endpoints(views, Retry())
    await many.retry(RunsRetry(where=RunsFilter(error="x")), None)
    await many.retry(RunsRetry(where=RunsFilter(), from_="start"), None)
    await many.cancel(RunsCancel(where=RunsFilter()), None)
    assert [one.status for one in views.asked] == ["failed", "ended", "active"]
    assert views.asked[0].error == "x"


@pytest.mark.parametrize(
    "request_",
    [
        RunsCancel(),
        RunsCancel(ids=["a"], where=RunsFilter()),
        RunsCancel(where=RunsFilter(status="failed")),
        RunsCancel(where=RunsFilter(status="ended")),
        RunsRetry(where=RunsFilter(status="waiting")),
        RunsRetry(where=RunsFilter(status="active"), from_="start"),
        RunsRetry(where=RunsFilter(status="cancelled")),
        RunsRetry(ids=["a"], cursor="x"),
    ],
)
async def test_what_cannot_be_meant_is_refused(request_: RunsCancel | RunsRetry) -> None:
    many = endpoints(Views(3), Retry())
    act = many.cancel if isinstance(request_, RunsCancel) else many.retry
    with pytest.raises(InvalidRequest):
        await act(request_, None)


class Terminator:
    """Ends runs, but for one for which the transaction fails."""

    def __init__(self, broken: int) -> None:
        self._broken = uid(broken)

    async def cancel(self, run_ids: list[UUID], _: str | None) -> list[Any]:
        """See `ports.cancel.Terminator`."""
        if self._broken in run_ids:
            raise ValueError("odd")

        class Ended:
            def __init__(self, run_id: UUID) -> None:
                self.run = self
                self.id = run_id

        return [Ended(one) for one in run_ids if one.int not in {2, 200}]


async def test_one_run_that_cannot_be_cancelled_keeps_no_other_from_it() -> None:
    ids = [*(str(uid(n)) for n in range(1, 7)), str(uid(200)), "nope"]
    many = endpoints(Views(0), Retry(), terminator=Terminator(broken=5))
    done = await many.cancel(RunsCancel(ids=ids), None)
    assert done.done == 4
    told = {one.id: (one.code, one.message) for one in done.failed}
    assert told[str(uid(2))] == ("refused", f"run {uid(2)} has ended as success already")
    assert "internal error" in told[str(uid(5))][1]
    assert {told[str(uid(200))][0], told["nope"][0]} == {"not_found"}
    assert len(told) == 4
