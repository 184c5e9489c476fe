"""The heartbeat: a row that is renewed, the clock of the database, and whether others may know."""

import asyncio
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from lockstep.model.errors import Unavailable
from lockstep.ports.workers import Look
from lockstep.replicas import Heartbeat, Roster
from lockstep.replicas.heartbeat import AGAIN_SECONDS
from unit.fakes import Away
from unit.moved import Background, moved
from unit.values import NOW, uid

LONG = 3600.0  # no test takes so long
NO_TIME = 0.0  # every test takes longer
OTHERS = {uid(2): NOW}


class Row:
    """The row of a worker, and the clock that is kept with that of its table."""

    def __init__(self) -> None:
        self.away = Away()
        self.beats: list[float] = []
        self.synchronised: list[datetime] = []
        self.roster = Roster(NO_TIME)

    async def beat(self) -> Look:
        """Renew the row."""
        self.beats.append(asyncio.get_running_loop().time())
        self.away.check()
        return Look(NOW, OTHERS)

    def synchronise(self, now: datetime, at: float, error_seconds: float) -> None:
        """Take the time of the database."""
        self.synchronised.append(now)

    def heart(self, stale_seconds: float) -> Heartbeat:
        """Beat every two seconds."""
        return Heartbeat(self.beat, self.synchronise, self.roster, 2.0, stale_seconds)


@moved
async def test_it_beats_every_so_often_and_keeps_the_clock() -> None:
    row = Row()
    async with Background(row.heart(LONG).run()):
        await asyncio.sleep(5)
    assert row.beats == [0, 2, 4]
    assert row.synchronised == [NOW] * 3


@moved
async def test_it_begins_with_two_beats_as_the_first_one_opens_the_connection() -> None:
    row = Row()
    await row.heart(LONG).begin()
    assert (row.beats, row.synchronised) == ([0, 0], [NOW] * 2)


@moved
async def test_a_beat_that_is_missed_is_logged_and_the_next_one_comes() -> None:
    row = Row()
    row.away.times = 1
    with capture_logs() as logs:
        async with Background(row.heart(LONG).run()):
            await asyncio.sleep(2)
    assert (row.beats, row.synchronised) == ([0, AGAIN_SECONDS], [NOW])
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


@moved
async def test_it_sees_the_others_and_loses_sight_of_them_with_each_beat_that_it_misses() -> None:
    row = Row()
    heart = row.heart(LONG)
    await heart.once()
    assert row.roster.stale() == ()
    await heart.once()
    assert row.roster.stale() == (*OTHERS.items(),)
    row.away.times = 1
    with pytest.raises(Unavailable):
        await heart.once()
    assert row.roster.stale() == ()
    await heart.once()
    assert row.roster.stale() == ()  # as if for the first time


@moved
async def test_who_was_frozen_itself_sees_the_others_as_if_for_the_first_time() -> None:
    row = Row()
    heart = row.heart(NO_TIME)  # whatever passes between two beats is too long
    for _ in range(3):
        await heart.once()
        assert row.roster.stale() == ()
