"""The heartbeat: a row that is renewed, the clock of the database, and whether others may know."""

import asyncio
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from lockstep.model.errors import Unavailable
from lockstep.replicas import Heartbeat
from unit.fakes import Away
from unit.moved import Background, moved
from unit.values import NOW

LONG = 3600.0  # no test takes so long
NO_TIME = 0.0  # every test takes longer


class Row:
    """The row of a worker, and the clock that is kept with that of its table."""

    def __init__(self) -> None:
        self.away = Away()
        self.beats: list[float] = []
        self.synchronised: list[datetime] = []

    async def beat(self) -> datetime:
        """Renew the row."""
        self.beats.append(asyncio.get_running_loop().time())
        self.away.check()
        return NOW

    def synchronise(self, now: datetime, at: float) -> None:
        """Take the time of the database."""
        self.synchronised.append(now)

    def heart(self, stale_seconds: float) -> Heartbeat:
        """Beat every two seconds."""
        return Heartbeat(self.beat, self.synchronise, 2.0, stale_seconds)


@moved
async def test_it_beats_every_so_often_and_keeps_the_clock() -> None:
    row = Row()
    async with Background(row.heart(LONG).run()):
        await asyncio.sleep(5)
    assert row.beats == [0, 2, 4]
    assert row.synchronised == [NOW] * 3


@moved
async def test_a_beat_that_is_missed_is_logged_and_the_next_one_comes() -> None:
    row = Row()
    row.away.times = 1
    with capture_logs() as logs:
        async with Background(row.heart(LONG).run()):
            await asyncio.sleep(3)
    assert (row.beats, row.synchronised) == ([0, 2], [NOW])
    assert [line["event"] for line in logs] == ["heartbeat.missed"]


@moved
async def test_a_worker_is_steady_until_it_misses_a_beat_and_then_not_for_as_long_as_is_stale() -> (
    None
):
    row = Row()
    heart = row.heart(LONG)
    assert heart.is_steady
    row.away.times = 1
    async with Background(heart.run()):
        await asyncio.sleep(5)  # the next beats are well
    assert heart.is_fresh
    assert not heart.is_steady


@moved
async def test_a_worker_whose_last_beat_is_stale_is_neither_fresh_nor_steady() -> None:
    row = Row()
    heart = row.heart(NO_TIME)
    await heart.once()
    assert (heart.is_fresh, heart.is_steady) == (False, False)


@moved
async def test_the_first_beat_says_that_the_store_is_away() -> None:
    row = Row()
    row.away.times = 1
    with pytest.raises(Unavailable):
        await row.heart(LONG).once()
    assert row.synchronised == []
