"""The clock of the stream of events, compared with the one clock again and again.

What was measured is one row for all replicas, so that all say the same of an event. Each replica
measures for itself whether it still holds.
"""

import asyncio
import math
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

import structlog

from lockstep.model.errors import BusUnavailable, EngineError, StoreUnavailable
from lockstep.model.messages import EPOCH, Offset, Told, moment
from lockstep.ports.clock import Clock, KnownOffset, Past
from lockstep_schemas.status import BegunBecause

LOOK_SECONDS: Final = 5.0  # a question to the stream and one to the store: no load
AGAIN_SECONDS: Final = 1.0  # where the offset is in doubt: something may wait for it
FRESH_SECONDS: Final = 30.0  # some looks may fail: a server starts anew, the machine is busy
KEPT_SECONDS: Final = 60.0
"""How long the smallest error counts: good clocks drift by less than a millisecond meanwhile."""
# Beside the errors: two replicas that have just asked the database for its time differ by less.
JUMP: Final = timedelta(milliseconds=100)
FAR: Final = timedelta(milliseconds=500)  # as in the alert
OLD_SECONDS: Final = 2 * KEPT_SECONDS  # nobody has measured for so long: it says nothing of now
SETTLE: Final = timedelta(seconds=2 * LOOK_SECONDS)
"""After which a better measurement counts: by then all replicas know of it."""
FINE: Final = timedelta(milliseconds=5)  # nothing is gained by another offset
MOST_PAST: Final = 100  # changes of the offset; there is one where clocks have drifted by so much
TRIES: Final = 3  # another replica keeps what it has measured about once a minute

_NO_PAST: Final[Past] = ()

log = structlog.get_logger()


class Sample(NamedTuple):
    """One measurement."""

    leader: str
    offset: Offset
    at: float  # by the monotonic clock


class ClockRows(Protocol):
    """Keeps what was measured, for all replicas."""

    async def read(self, stream: str) -> KnownOffset | None:
        """Give it; None before the first measurement. Raise Unavailable."""
        ...

    async def renew(
        self,
        stream: str,
        leader: str,
        offset: Offset,
        because: BegunBecause | None,
        past: Past,
        seen: datetime | None,
    ) -> bool:
        """Keep a measurement, unless one was kept since `seen`. Raise Unavailable."""
        ...


class _Dates:
    """What the stream has stored later is never dated earlier, also where the offset is another.

    Events that follow each other within some ms would change their order, if it was renewed between
    the handling of the one and that of the other.
    """

    def __init__(self, known: KnownOffset | None = None) -> None:
        self._ends: list[int] = []  # in ns, by the clock of the stream
        self._aheads: list[timedelta] = []
        self._least = [EPOCH]
        for until, offset in [] if known is None else known.past:
            self._ends.append((until - EPOCH) // timedelta(microseconds=1) * 1000)
            self._aheads.append(offset.ahead)
            self._least.append(max(self._least[-1], until - offset.ahead))
        self._aheads.append(timedelta() if known is None else known.offset.ahead)

    def time(self, stored_at_ns: int) -> datetime:
        """Date a message of the stream."""
        place = bisect_right(self._ends, stored_at_ns)
        return max(moment(stored_at_ns, self._aheads[place]), self._least[place])


class StreamClock:
    """See `ports.clock.StreamClock`."""

    def __init__(
        self,
        stream: str,
        ask: Callable[[], Awaitable[Told]],
        rows: ClockRows,
        clock: Clock,
        clock_error: Callable[[], timedelta] = timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` asks the stream what time it is there; `clock_error` is that of the one clock."""
        self._stream, self._ask, self._rows = stream, ask, rows
        self._clock, self._clock_error, self._monotonic = clock, clock_error, monotonic
        self._samples: deque[Sample] = deque()  # of the last minute
        self._known: KnownOffset | None = None
        self._dates = _Dates()
        self._looked_at = -math.inf
        self._jumped, self._trouble = "", "it was not measured yet"

    def time(self, stored_at_ns: int) -> datetime:
        """See `ports.clock.StreamClock`."""
        return self._dates.time(stored_at_ns)

    @property
    def known(self) -> KnownOffset | None:
        """What all replicas go by, as this one has read it last."""
        return self._known

    @property
    def offset(self) -> Offset | None:
        """See `ports.clock.StreamClock`."""
        known = self._known
        if known is None:
            return None
        past = known.past[-1] if known.past else None
        if past is None or self._clock.now() + known.offset.ahead > past[0] + SETTLE:
            return known.offset
        # What is stored now, or was a moment ago, goes by what was known before.
        return Offset(known.offset.ahead, max(known.offset.error, past[1].error))

    @property
    def doubt(self) -> str | None:
        """See `ports.clock.StreamClock`."""
        if self._monotonic() - self._looked_at > FRESH_SECONDS:
            return self._trouble
        return self._jumped or None

    def faults(self) -> list[str]:
        """Say that the offset is in doubt, and why."""
        why = self.doubt
        return [] if why is None else [f"offset of the clock of the stream {self._stream}: {why}"]

    async def begin(self) -> None:
        """Look before any event is handled: its time is fixed then."""
        await self.look()
        if self._jumped:
            await asyncio.sleep(AGAIN_SECONDS)
            await self.look()

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS if self.doubt is None else AGAIN_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Measure, and bring what all replicas know and what this one has seen together.

        While a server is away, what was measured last is gone by.
        """
        try:
            sample = await self._sample()
            known, jumped = await self._agreed(sample)
        except EngineError as error:
            if self._trouble != str(error):
                self._trouble = str(error)
                log.warning("clock.unknown", stream=self._stream, error=error)
            return
        self._known, self._dates = known, _Dates(known)
        self._looked_at, self._trouble = self._monotonic(), "it was not measured for a while"
        self._jumped = jumped

    async def _sample(self) -> Sample:
        """Ask the stream for its time, which is meant for the middle of question and answer."""
        began, before = self._monotonic(), self._clock.now()
        try:
            there = await self._ask()
        except EngineError as error:
            subject = f"$JS.API.STREAM.INFO.{self._stream}"
            hint = f"may the user of the engine publish to {subject}?"
            raise BusUnavailable(f"the stream does not tell its time: {error}; {hint}") from error
        after, ended = self._clock.now(), self._monotonic()
        # The one clock may have been set meanwhile, or stand still: the longer way counts.
        took = max(timedelta(seconds=ended - began), after - before)
        if there.at is None:
            offset = Offset(timedelta(), timedelta())
        else:
            off = took / 2 + self._clock_error()
            offset = Offset(there.at - (before + (after - before) / 2), off)
        sample = Sample(there.leader, offset, ended)
        self._samples.append(sample)
        while self._samples[0].at < ended - KEPT_SECONDS:
            self._samples.popleft()
        return sample

    async def _agreed(self, sample: Sample) -> tuple[KnownOffset, str]:
        """Keep the best measurement where it is needed.

        A jump is believed when two looks in a row have seen it: the one clock is that of a machine
        which may have stood still. Until then, and where a new leader's clock is another, that is
        said with what all go by.

        Raises:
            Unavailable: A server is away, or other replicas measure something else all the time.
        """
        alike = [one for one in self._samples if _are_alike(one, sample)]
        best = min(alike, key=lambda one: one.offset.error)
        jumped = ""
        for _ in range(TRIES):
            known = await self._rows.read(self._stream)
            because = _why_anew(known, sample)
            if known is not None and _differ(known.offset, sample.offset):
                is_sure = len(alike) > 1 or known.age_seconds > OLD_SECONDS
                jumped = "" if is_sure else _jump(known.offset, sample.offset)
                if because == "jump" and not is_sure:
                    return known, jumped
            offset, past = best.offset, _NO_PAST
            if known is not None:
                renewed = _renewed(best.offset, known, because, self._clock.now())
                if renewed is None:
                    return known, jumped
                offset, past = renewed
            seen = None if known is None else known.measured_at
            is_kept = await self._rows.renew(self._stream, best.leader, offset, because, past, seen)
            if is_kept and because is not None:
                _say(self._stream, because, best, known)
        raise StoreUnavailable("other replicas measure something else again and again")


def _why_anew(known: KnownOffset | None, sample: Sample) -> BegunBecause | None:
    """Say why nothing of what is known counts any more, if so."""
    if known is None:
        return "first"
    if known.leader != sample.leader:
        return "leader"
    return "jump" if _differ(known.offset, sample.offset) else None


def _renewed(
    best: Offset, known: KnownOffset, because: BegunBecause | None, now: datetime
) -> tuple[Offset, Past] | None:
    """Say what all go by from now on, and by what older events go; None: it is as good as known.

    What is known stays as it is as long as it is off by little: then only its error is another.
    Another offset counts when all replicas know of it, and not before the last one does.
    """
    if because == "jump":
        return best, _NO_PAST
    if because == "leader":  # older events go by the clock before, where both say the same
        return best, _NO_PAST if _differ(best, known.offset) else _ended(known, now + best.ahead)
    there, is_old = now + known.offset.ahead, known.age_seconds > KEPT_SECONDS
    off = abs(best.ahead - known.offset.ahead) + best.error
    is_settled = not known.past or there >= known.past[-1][0]
    if off > FINE and best.error < off / 2 and is_settled:
        return best, _ended(known, there + SETTLE)
    if is_old or off < known.offset.error:
        return Offset(known.offset.ahead, off), known.past
    return None


def _ended(known: KnownOffset, until: datetime) -> Past:
    """Have what is known count until then, by the clock of the stream; later than what is past."""
    until = max([until, *(before for before, _ in known.past[-1:])])
    return [*known.past, (until, known.offset)][-MOST_PAST:]


def _are_alike(one: Sample, other: Sample) -> bool:
    return one.leader == other.leader and not _differ(one.offset, other.offset)


def _differ(one: Offset, other: Offset) -> bool:
    return abs(one.ahead - other.ahead) > one.error + other.error + JUMP


def _jump(known: Offset, seen: Offset) -> str:
    return f"it has jumped by {_ms(seen.ahead - known.ahead):+.0f} ms, which is looked at once more"


def _ms(span: timedelta) -> float:
    return round(span / timedelta(milliseconds=1), 3)


def _say(stream: str, because: BegunBecause, sample: Sample, known: KnownOffset | None) -> None:
    ahead = sample.offset.ahead
    say = log.warning if because == "jump" or abs(ahead) > FAR else log.info
    say(
        "clock.begun",
        stream=stream,
        because=because,
        leader=sample.leader,
        ahead_ms=_ms(ahead),
        error_ms=_ms(sample.offset.error),
        was_ahead_ms=None if known is None else _ms(known.offset.ahead),
    )
