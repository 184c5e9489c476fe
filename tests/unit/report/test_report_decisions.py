"""The trail: why events started nothing, written behind the events and never in their way."""

from collections.abc import Sequence
from datetime import datetime

from structlog.testing import capture_logs

from lockstep.model.decisions import Decision
from lockstep.model.errors import DataRefused
from lockstep.report import DecisionLog
from lockstep.report.decisions import BATCH, MOST
from unit.fakes import Away
from unit.moved import Background, Clock, moved, turns
from unit.values import event, later

EVENT = event()


class Kept:
    """Keeps judgements; may be away, or refuse one."""

    def __init__(self) -> None:
        self.away = Away()
        self.refused = ""
        self.batches: list[list[str]] = []
        self.at: list[datetime] = []

    async def add_decisions(self, judged: Sequence[Decision], at: datetime) -> None:
        """See `report.decisions.DecisionRows`."""
        self.away.check()
        details = [one.detail for one in judged]
        if self.refused in details:
            raise DataRefused("a zero byte")
        self.batches.append(details)
        self.at.append(at)

    @property
    def details(self) -> list[str]:
        """What is kept, in order."""
        return [detail for batch in self.batches for detail in batch]


def judged(*numbers: int) -> list[Decision]:
    """Judgements that tell their number."""
    return [Decision(EVENT, "a", "t", "filter", str(number)) for number in numbers]


def texts(*numbers: int) -> list[str]:
    """Their numbers as they are told."""
    return [str(number) for number in numbers]


@moved
async def test_judgements_are_written_in_order_in_batches_of_a_bounded_size() -> None:
    kept = Kept()
    trail = DecisionLog(kept, Clock(), is_kept=True)
    trail.judged(judged(*range(BATCH + 1)))
    trail.judged(judged(BATCH + 1))
    async with Background(trail.run()):
        await trail.settled()
    assert [len(batch) for batch in kept.batches] == [BATCH, 2]
    assert kept.details == texts(*range(BATCH + 2))
    assert kept.at[0] == later(0)


@moved
async def test_noting_never_waits_and_of_too_many_the_newest_are_left_out_and_counted() -> None:
    kept = Kept()
    trail = DecisionLog(kept, Clock(), is_kept=True)
    trail.judged(judged(*range(MOST - 1)))
    trail.judged(judged(-1, -2, -3))
    trail.judged(judged(-4))
    assert trail.dropped == 3
    async with Background(trail.run()):
        await trail.settled()
        trail.judged(judged(1))  # there is room again
        await trail.settled()
    assert kept.details == texts(*range(MOST - 1), -1, 1)
    assert trail.dropped == 3


@moved
async def test_where_it_is_not_kept_nothing_is_written() -> None:
    kept = Kept()
    trail = DecisionLog(kept, Clock(), is_kept=False)
    trail.judged(judged(1))
    async with Background(trail.run()):
        await trail.settled()
        await turns()
    assert (kept.batches, trail.dropped) == ([], 0)


@moved
async def test_a_batch_that_cannot_be_stored_does_not_end_the_writing() -> None:
    kept = Kept()
    kept.refused = "1"
    trail = DecisionLog(kept, Clock(), is_kept=True)
    async with Background(trail.run()):
        trail.judged(judged(1))
        await trail.settled()
        trail.judged(judged(2))
        await trail.settled()
    assert (kept.details, trail.dropped) == (["2"], 1)


@moved
async def test_the_writing_goes_on_when_the_store_is_back() -> None:
    kept = Kept()
    kept.away.times = 1
    trail = DecisionLog(kept, Clock(), is_kept=True)
    with capture_logs() as logs:
        async with Background(trail.run()):
            trail.judged(judged(*range(BATCH)))
            await turns()
            trail.judged(judged(BATCH))
            await trail.settled()
    assert kept.details == texts(*range(BATCH + 1))  # those that it was asked to write too
    assert [line["event"] for line in logs] == ["service.delayed"]


@moved
async def test_settled_returns_at_once_where_nothing_was_noted() -> None:
    trail = DecisionLog(Kept(), Clock(), is_kept=True)
    trail.judged([])
    await trail.settled()


@moved
async def test_of_a_batch_that_cannot_be_stored_one_alone_is_left_out_and_counted() -> None:
    kept = Kept()
    kept.refused = "7"
    trail = DecisionLog(kept, Clock(), is_kept=True)
    async with Background(trail.run()):
        trail.judged(judged(*range(20)))
        await trail.settled()
    assert kept.details == [text for text in texts(*range(20)) if text != "7"]
    assert trail.dropped == 1


@moved
async def test_what_waits_while_the_store_is_away_for_long_is_bounded_and_counted() -> None:
    kept = Kept()
    kept.away.times = 3600
    trail = DecisionLog(kept, Clock(), is_kept=True)
    async with Background(trail.run()):
        for number in range(MOST + 500):
            trail.judged(judged(number))
        await trail.settled()
    assert len(kept.details) == MOST
    assert trail.dropped == 500


@moved
async def test_it_says_whether_a_decision_would_be_kept() -> None:
    assert not DecisionLog(Kept(), Clock(), is_kept=False).has_room()
    log = DecisionLog(Kept(), Clock(), is_kept=True)
    log.judged(judged(*range(MOST - 1)))
    assert log.has_room()
    log.judged(judged(1))
    assert not log.has_room()
