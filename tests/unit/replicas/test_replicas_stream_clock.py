"""The clock of the stream: measured again and again, one row for all; a jump is noticed."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from structlog.testing import capture_logs

from lockstep.model.errors import BusUnavailable, StoreUnavailable
from lockstep.model.messages import EPOCH, Offset, Told
from lockstep.ports.clock import KnownOffset, Past
from lockstep.replicas import StreamClock
from lockstep.replicas.stream_clock import FRESH_SECONDS, KEPT_SECONDS, LOOK_SECONDS, MOST_PAST
from lockstep_schemas.status import BegunBecause
from unit.moved import Background, Clock, moved
from unit.values import NOW

STREAM = "EVENTS"


def ms(number: float) -> timedelta:
    return timedelta(milliseconds=number)


@dataclass
class Row:
    """The row of the stream. See `replicas.stream_clock.ClockRows`."""

    known: KnownOffset | None = None
    writes: int = 0
    is_away: bool = False
    first: KnownOffset | None = None  # of another replica, which comes first

    async def read(self, stream: str) -> KnownOffset | None:
        assert stream == STREAM
        if self.is_away:
            raise StoreUnavailable("PostgreSQL is away")
        if self.known is None:
            return None
        age = (Clock().now() - self.known.measured_at).total_seconds()
        return msgspec.structs.replace(self.known, age_seconds=age)

    async def renew(
        self,
        stream: str,
        leader: str,
        offset: Offset,
        because: BegunBecause | None,
        past: Past,
        seen: datetime | None,
    ) -> bool:
        if self.first is not None:
            self.known, self.first = self.first, None
        if (self.known.measured_at if self.known else None) != seen:
            return False
        self.writes += 1
        now = Clock().now()
        self.known = KnownOffset(
            stream=stream,
            leader=leader,
            offset=offset,
            measured_at=now,
            age_seconds=0,
            begun_at=self.known.begun_at if self.known and because is None else now,
            begun_because=because or (self.known.begun_because if self.known else "first"),
            was_ahead=self.known.offset.ahead if self.known and because else None,
            past=past,
        )
        return True


@dataclass
class Stream:
    """A stream whose clock is ahead, and which takes its time."""

    ahead: timedelta = timedelta()
    there: timedelta = timedelta(milliseconds=1)  # on the way there, and
    back: timedelta = timedelta(milliseconds=1)  # on the way back
    leader: str = "n1"
    is_silent: bool = False
    ours: timedelta = timedelta()  # by how much the one clock is off
    asked: int = 0

    def takes(self, both: timedelta) -> None:
        """Let the way take so long, there and back."""
        self.there, self.back = both / 2, both / 2

    async def told(self) -> Told:
        self.asked += 1
        if self.is_silent:
            raise BusUnavailable("no answer within 5 s")
        await asyncio.sleep(self.there.total_seconds())
        at = Clock().now() + self.ahead
        await asyncio.sleep(self.back.total_seconds())
        return Told(self.leader, at)


def replica(stream: Stream, row: Row) -> StreamClock:
    monotonic = asyncio.get_running_loop().time
    return StreamClock(STREAM, stream.told, row, Clock(), lambda: stream.ours, monotonic)


def ahead(clock: StreamClock) -> timedelta:
    assert clock.offset is not None
    return clock.offset.ahead


def stored(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1000


@moved
async def test_the_time_of_an_event_is_its_store_time_by_the_engines_clock() -> None:
    for shift in (timedelta(hours=3), timedelta(), timedelta(minutes=-2)):
        clock = replica(Stream(ahead=shift), Row())
        await clock.begin()
        assert ahead(clock) == shift
        assert clock.time(stored(NOW + shift)) == NOW


@moved
async def test_an_event_of_the_future_is_used_as_it_is() -> None:
    clock = replica(Stream(ahead=ms(10)), Row())
    await clock.begin()
    assert clock.time(stored(NOW + timedelta(days=1))) == NOW + timedelta(days=1) - ms(10)


@moved
async def test_the_answer_is_meant_for_the_middle_and_the_error_is_half_the_way() -> None:
    clock = replica(Stream(ahead=ms(50), there=ms(1), back=ms(9)), Row())
    await clock.begin()
    assert clock.offset is not None
    assert (clock.offset.error, clock.offset.ahead) == (ms(5), ms(46))


@moved
async def test_what_the_one_clock_is_off_is_part_of_the_error() -> None:
    stream, row = Stream(there=ms(1), back=ms(1), ours=ms(40)), Row()
    clock = replica(stream, row)
    await clock.begin()
    assert clock.offset == Offset(ms(0), ms(41))
    stream.ours, stream.ahead = ms(2), ms(-35)  # it has been told better
    await clock.look()
    assert row.known is not None
    assert row.known.offset == Offset(ms(-35), ms(3))
    assert clock.doubt is None


@moved
async def test_before_it_is_measured_times_are_those_of_the_stream_and_nothing_may_expire() -> None:
    clock = replica(Stream(ahead=ms(500)), Row())
    assert clock.time(stored(NOW)) == NOW
    assert (clock.offset, clock.doubt) == (None, "it was not measured yet")
    await clock.begin()
    assert clock.doubt is None


@moved
async def test_the_smallest_error_of_the_last_minute_is_kept() -> None:
    stream, row = Stream(there=ms(2), back=ms(2)), Row()
    clock = replica(stream, row)
    async with Background(clock.run()):
        await clock.begin()
        stream.takes(ms(2))
        await asyncio.sleep(LOOK_SECONDS + 1)
        assert clock.offset == Offset(ms(0), ms(1))
        writes = row.writes
        stream.takes(ms(40))
        await asyncio.sleep(KEPT_SECONDS - 2 * LOOK_SECONDS)
        assert clock.offset == Offset(ms(0), ms(1))
        assert row.writes == writes, "what is no better is not written"
        await asyncio.sleep(3 * LOOK_SECONDS + KEPT_SECONDS)
        assert clock.offset == Offset(ms(0), ms(20))
        assert row.known is not None
        assert row.known.begun_because == "first"


@moved
async def test_what_is_stored_later_is_never_dated_earlier_when_the_offset_is_another() -> None:
    """The first look was wrong by 18 ms, one way or the other; events come every two ms."""
    for there, back in ((ms(36), ms(0)), (ms(0), ms(36))):
        stream, row = Stream(there=there, back=back), Row()
        one, other = replica(stream, row), replica(stream, row)
        await one.begin()
        await other.begin()
        stream.takes(ms(2))
        at, dated = Clock().now(), list[datetime]()
        for n in range(round(30_000 / 2)):
            if n in (100, 1000, 1700):  # whoever looks later dates alike
                await (one if n == 100 else other).look()
            dated += [clock.time(stored(at + n * ms(2))) for clock in (one, other)]
        assert dated == sorted(dated)
        assert dated[::2] == dated[1::2]
        assert abs(abs(dated[0] - at) - ms(18)) < ms(0.1)
        assert abs(dated[-1] - at - n * ms(2)) < ms(0.1), "and then by the better one"
        assert one.time(stored(at)) == dated[0], "delivered again it is dated as before"
        assert one.offset == Offset(ms(0), ms(18)), "nothing expires too early"


@moved
async def test_what_waits_in_the_stream_meanwhile_is_dated_by_what_was_known_when_it_came() -> None:
    """An event is handled at once, its neighbour when the offset has changed several times."""
    stream, row = Stream(there=ms(36), back=ms(0)), Row()
    clock = replica(stream, row)
    async with Background(clock.run()):
        await clock.begin()
        stored_at = [Clock().now()]
        for step in (0, 40, -25, 60, 0):
            stream.takes(ms(2))
            stream.ahead = ms(step)
            await asyncio.sleep(KEPT_SECONDS + 4 * LOOK_SECONDS)
            stored_at.append(Clock().now() + stream.ahead)
    assert row.known is not None
    assert len(row.known.past) >= 4
    began = clock.time(stored(stored_at[0]))
    assert abs(began - stored_at[0]) == ms(18)
    assert clock.time(stored(stored_at[0] + ms(1))) - began == ms(1)
    dated = [clock.time(stored(one)) for one in sorted(stored_at)]
    assert dated == sorted(dated)
    other = replica(stream, row)
    await other.look()
    assert [other.time(stored(one)) for one in sorted(stored_at)] == dated


@moved
async def test_an_offset_that_is_off_by_little_stays_and_its_error_is_told() -> None:
    stream, row = Stream(there=ms(9), back=ms(9)), Row()
    clock = replica(stream, row)
    await clock.begin()
    stream.takes(ms(2))
    stream.ahead = ms(3)
    await clock.look()
    assert clock.offset == Offset(ms(0), ms(4))
    stream.ahead = ms(5)
    await asyncio.sleep(KEPT_SECONDS + 1)
    await clock.look()
    assert row.known is not None
    assert row.known.offset == Offset(ms(5), ms(1))
    ((until, before),) = row.known.past
    assert until > Clock().now()
    assert clock.offset == Offset(ms(5), ms(4)), "until it counts"
    assert before == Offset(ms(0), ms(4))


@moved
async def test_so_many_changes_of_the_offset_are_known() -> None:
    stream, row = Stream(), Row()
    clock = replica(stream, row)
    async with Background(clock.run()):
        await clock.begin()
        for _ in range(MOST_PAST + 5):
            stream.ahead += ms(20)
            await asyncio.sleep(KEPT_SECONDS + 2 * LOOK_SECONDS)
    assert row.known is not None
    assert len(row.known.past) == MOST_PAST
    assert clock.doubt is None


@moved
async def test_two_replicas_go_by_the_same_row() -> None:
    row = Row()
    one = replica(Stream(there=ms(1), back=ms(3)), row)
    other = replica(Stream(there=ms(5), back=ms(3)), row)
    await one.begin()
    await other.begin()
    assert one.offset == other.offset == Offset(ms(-1), ms(2))
    assert row.writes == 1


@moved
async def test_of_two_that_measure_at_once_the_later_one_takes_what_the_first_has_kept() -> None:
    row = Row()
    before = Row()
    await replica(Stream(there=ms(1), back=ms(1)), before).begin()
    row.first = before.known
    clock = replica(Stream(there=ms(5), back=ms(3)), row)
    await clock.begin()
    assert clock.offset == Offset(ms(0), ms(1))
    assert row.writes == 0


@moved
async def test_another_leader_begins_it_anew() -> None:
    stream, row = Stream(), Row()
    clock = replica(stream, row)
    await clock.begin()
    stream.leader, stream.ahead, stream.there = "n2", ms(30), ms(11)
    with capture_logs() as logs:
        await clock.look()
    assert clock.offset == Offset(ms(35), ms(6)), "its error may be larger"
    assert row.known is not None
    assert (row.known.begun_because, row.known.was_ahead) == ("leader", ms(0))
    assert clock.doubt is None
    (line,) = logs
    assert (line["event"], line["because"], line["leader"]) == ("clock.begun", "leader", "n2")


@moved
async def test_what_was_stored_before_another_leader_goes_by_the_clock_of_the_one_before() -> None:
    stream, row = Stream(), Row()
    clock = replica(stream, row)
    await clock.begin()
    before = Clock().now()
    await asyncio.sleep(1)
    stream.leader, stream.ahead = "n2", ms(-40)
    await clock.look()
    assert clock.time(stored(before)) == before
    later_on = Clock().now() + timedelta(seconds=1)
    assert clock.time(stored(later_on - ms(40))) == later_on


@moved
async def test_another_leader_with_another_clock_is_looked_at_once_more() -> None:
    stream, row = Stream(), Row()
    clock = replica(stream, row)
    await clock.begin()
    stream.leader, stream.ahead = "n2", timedelta(seconds=-9)
    await clock.look()
    assert ahead(clock) == timedelta(seconds=-9)
    assert clock.doubt is not None
    await clock.look()
    assert clock.doubt is None


@moved
async def test_a_jump_is_in_doubt_until_it_is_seen_once_more() -> None:
    for jump in (timedelta(seconds=3), timedelta(hours=-1)):
        stream, row = Stream(), Row()
        clock = replica(stream, row)
        await clock.begin()
        stream.ahead = jump
        await clock.look()
        assert ahead(clock) == timedelta(), "one look may be wrong"
        assert clock.doubt is not None
        assert f"{jump / ms(1):+.0f} ms" in clock.doubt
        assert clock.faults() == [f"offset of the clock of the stream {STREAM}: {clock.doubt}"]
        with capture_logs() as logs:
            await clock.look()
        assert ahead(clock) == jump
        assert (clock.doubt, clock.faults()) == (None, [])
        assert [(one["event"], one["log_level"]) for one in logs] == [("clock.begun", "warning")]
        assert row.known is not None
        assert (row.known.begun_because, row.known.was_ahead) == ("jump", timedelta())


@moved
async def test_one_look_that_was_wrong_changes_nothing() -> None:
    stream, row = Stream(), Row()
    clock = replica(stream, row)
    await clock.begin()
    known = row.known
    stream.ahead = timedelta(seconds=2)
    await clock.look()
    stream.ahead = timedelta()
    await clock.look()
    assert (ahead(clock), clock.doubt, row.known) == (timedelta(), None, known)


@moved
async def test_the_other_replica_takes_a_jump_over_without_doubt() -> None:
    stream, row = Stream(), Row()
    one, other = replica(stream, row), replica(stream, row)
    await one.begin()
    await other.begin()
    stream.ahead = timedelta(seconds=5)
    await one.look()
    await one.look()
    await other.look()
    assert (ahead(other), other.doubt, row.writes) == (timedelta(seconds=5), None, 2)


@moved
async def test_after_a_long_pause_what_was_measured_says_nothing() -> None:
    stream, row = Stream(), Row()
    await replica(stream, row).begin()
    await asyncio.sleep(3600)
    stream.ahead = timedelta(seconds=7)
    clock = replica(stream, row)
    await clock.look()
    assert (ahead(clock), clock.doubt) == (timedelta(seconds=7), None)


@moved
async def test_a_slow_drift_is_followed_without_doubt() -> None:
    stream, row = Stream(), Row()
    clock = replica(stream, row)
    async with Background(clock.run()):
        await clock.begin()
        for _ in range(40):
            stream.ahead += ms(3)
            await asyncio.sleep(10)
            assert clock.doubt is None
        assert stream.ahead - ahead(clock) < ms(60)
    assert row.known is not None
    assert row.known.begun_because == "first"


@moved
async def test_where_it_cannot_be_asked_it_is_in_doubt_and_says_why() -> None:
    stream, row = Stream(ahead=ms(40)), Row()
    clock = replica(stream, row)
    async with Background(clock.run()):
        await clock.begin()
        stream.is_silent = True
        with capture_logs() as logs:
            await asyncio.sleep(FRESH_SECONDS + LOOK_SECONDS)
        assert clock.doubt is not None
        assert f"publish to $JS.API.STREAM.INFO.{STREAM}" in clock.doubt
        assert ahead(clock) == ms(40), "what was measured last is the best there is"
        assert [one["event"] for one in logs] == ["clock.unknown"], "it is said once"
        stream.is_silent = False
        await asyncio.sleep(LOOK_SECONDS)
        assert clock.doubt is None


@moved
async def test_where_the_store_is_away_it_is_in_doubt_and_says_why() -> None:
    row = Row(is_away=True)
    clock = replica(Stream(), row)
    await clock.begin()
    assert clock.doubt == "PostgreSQL is away"
    row.is_away = False
    await clock.look()
    assert clock.doubt is None


@moved
async def test_it_is_asked_for_now_and_then_and_not_for_each_event() -> None:
    stream = Stream()
    clock = replica(stream, Row())
    async with Background(clock.run()):
        await clock.begin()
        for _ in range(1000):
            clock.time(stored(NOW))
        await asyncio.sleep(60)
        assert stream.asked <= 1 + 60 / LOOK_SECONDS


@moved
async def test_a_stream_that_goes_by_the_one_clock_is_exactly_known() -> None:
    async def told() -> Told:
        await asyncio.sleep(3)  # whatever the way takes
        return Told("", None)

    monotonic = asyncio.get_running_loop().time
    clock = StreamClock(STREAM, told, Row(), Clock(), timedelta, monotonic)
    await clock.look()
    assert clock.offset == Offset(timedelta(), timedelta())
    assert clock.doubt is None
    assert clock.time(stored(NOW)) == NOW
