"""Expiry: something expires when no event can change it any more, and not before.

Whoever finds that its time has come asks here. The stream of events is asked what it holds that is
not handled; what may still be changed by that is remembered, and looked at again.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol, TypeAlias
from uuid import UUID

import msgspec
import structlog

from lockstep.model.errors import Unavailable
from lockstep.ports.clock import Clock, StreamClock
from lockstep.ports.unhandled import HeldUp, Question, Unhandled
from lockstep.wake.steady import Steady

BATCH: Final = 250  # as timers: a transaction of some 20 ms
MOST: Final = 50_000  # some 30 MB; the sweep of what is overdue finds the others
PATIENCE_SECONDS: Final = 0.25  # who fires timers has more to do: the answer is awaited elsewhere
RETRY_SECONDS: Final = 1.0  # a server that was away is not asked more often by each replica
ALIVE_SECONDS: Final = 10.0  # after which is looked what of it is over, by a cancel or a delete
TURN: Final = 250  # of what is held, a millisecond or less: others have their turn in between
REST: Final = 4  # times what a look took: most of a server is for others

Again: TypeAlias = Callable[[Sequence[UUID]], Awaitable[None]]

log = structlog.get_logger()


class ExpiryRows(Protocol):
    """What the store knows of waits that may expire."""

    async def parked_for(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """Say for which an event is parked that may still change it. Raise Unavailable."""
        ...

    async def alive(self, ids: Sequence[UUID]) -> Set[UUID]:
        """Say which may still expire: the others are over, or gone. Raise Unavailable."""
        ...

    async def warn(self, reasons: Sequence[tuple[UUID, str]]) -> None:
        """Keep something about waits that their runs tell. Raise Unavailable."""
        ...


class HeldFigures(NamedTuple):
    """How much is held up, and since when the first of it should have expired."""

    number: int
    oldest: datetime | None


class _Delayed(msgspec.Struct):
    """Something that may not expire yet."""

    question: Question
    again: Again
    why: HeldUp | None = None  # None: nobody has answered yet
    since: float = 0.0  # by the monotonic clock: one and the same message holds it up
    is_early: bool = False  # by the clock of the stream its time was not past


class Expiry:
    """See `ports.unhandled.Expiring`."""

    def __init__(
        self,
        events: Unhandled,
        rows: ExpiryRows,
        clock: Clock,
        stream_clock: StreamClock,
        look_seconds: float,
        most_seconds: float,
        steady: Steady,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`most_seconds` is how long one and the same message may hold something up."""
        self._steady = steady
        self._events, self._rows = events, rows
        self._clock, self._stream_clock, self._monotonic = clock, stream_clock, monotonic
        self._look_seconds, self._most_seconds = look_seconds, most_seconds
        self._held: dict[UUID, _Delayed] = {}
        self._going = 0  # may expire, and is being told so
        self._changed = asyncio.Event()
        self._look_at = 0.0  # by the monotonic clock; what is early is looked at in its time
        self._trouble: str | None = None
        self._alive_at = 0.0  # when it was looked last what is over

    async def cleared(self, questions: Sequence[Question], again: Again) -> set[UUID]:
        """See `ports.unhandled.Expiring`."""
        new = [one for one in questions if not self._is_known(one)]
        found = await self._answer_soon(new)
        cleared = set[UUID]()
        for one in new:
            why = None if found is None else found.get(one.id)
            if found is not None and why is None:
                cleared.add(one.id)
                self._held.pop(one.id, None)
            elif len(self._held) < MOST or one.id in self._held:
                self._held[one.id] = held = _Delayed(one, again)
                self._note(held, why)
                self._changed.set()
        return cleared

    async def counted(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """Say what holds things up, for people; whoever waits for them has asked for himself.

        Raises:
            Unavailable: It cannot be told now.
        """
        return await self._with_parked(questions, await self._events.counted(questions))

    async def run(self) -> None:
        """Look again at what is held up, until cancelled."""
        while True:
            await self._rest()
            try:
                await self._look()
            except Unavailable as error:  # the store
                log.warning("service.delayed", error=error)
                self._steady.failed()
                self._look_at = self._monotonic() + RETRY_SECONDS

    def __contains__(self, wait_id: object) -> bool:
        """Say whether something is held up here, as far as is known."""
        return wait_id in self._held

    def is_behind(self, now: datetime) -> bool:
        """Whether something should have expired by then that has not."""
        error = self._error
        return self._going > 0 or any(
            one.question.until + error <= now for one in self._held.values()
        )

    def forget(self) -> None:
        """Forget all: the rows are gone, for the next test case."""
        self._held.clear()
        self._trouble = None

    def faults(self) -> list[str]:
        """Say that nothing expires, and why."""
        why = self._trouble
        return [] if why is None else [f"nothing expires that an event may still change: {why}"]

    @property
    def figures(self) -> HeldFigures:
        """What is held up at this replica."""
        dues = [one.question.until for one in self._held.values()]
        return HeldFigures(len(dues), min(dues, default=None))

    @property
    def _error(self) -> timedelta:
        offset = self._stream_clock.offset
        return timedelta() if offset is None else offset.error

    def _is_known(self, question: Question) -> bool:
        held = self._held.get(question.id)
        return held is not None and held.question == question

    async def _answer_soon(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp] | None:
        """Ask, where there is hope for an answer in a moment; None where there is none."""
        if not questions or self._trouble is not None:
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await self._events.held_up(questions)
            return await self._with_parked(questions, found)
        except TimeoutError:
            return None
        except Unavailable as error:
            self._failed(error)
            return None

    async def _with_parked(
        self, questions: Sequence[Question], found: Mapping[UUID, HeldUp]
    ) -> Mapping[UUID, HeldUp]:
        """Add what is held up by an event that has left the stream, and is parked."""
        free = [one for one in questions if one.id not in found]
        return {**found, **await self._rows.parked_for(free)} if free else found

    def _failed(self, error: Unavailable) -> None:
        self._steady.failed()
        if self._trouble != str(error):
            self._trouble = str(error)
            log.warning("expiry.delayed", held=len(self._held), error=error)

    def _answered(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            log.info("expiry.resumed", held=len(self._held))

    async def _rest(self) -> None:
        """Return when it is time to look again at something."""
        error = self._error
        early = [one.question.until for one in self._held.values() if one.is_early]
        pause = self._look_at - self._monotonic() if len(early) < len(self._held) else None
        ahead = (min(early) + error - self._clock.now()).total_seconds() if early else None
        if (pause is not None and pause <= 0) or (ahead is not None and ahead <= 0):
            return
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                if ahead is None:
                    await self._changed.wait()
                else:
                    async with self._clock.limit(ahead):
                        await self._changed.wait()

    async def _look(self) -> None:
        """Ask for all whose turn it is, and let those go that nothing holds up any more."""
        past, began = self._clock.now() - self._error, self._monotonic()
        is_turn = began >= self._look_at
        held = [
            one
            for one in self._held.values()
            if (one.question.until <= past if one.is_early else is_turn)
        ]
        if not held:
            return
        if is_turn:
            self._steady.looked(self._look_at)
        questions = [one.question for one in held]
        try:
            found = await self._with_parked(questions, await self._events.held_up(questions))
        except Unavailable as error:
            self._failed(error)
            self._look_at = self._monotonic() + RETRY_SECONDS
            for one in held:
                one.is_early = False
            return
        self._answered()
        if is_turn:
            took = self._monotonic() - began
            self._look_at = began + took + max(self._look_seconds, REST * took)
        await self._note_all(held, found)
        await self._let_go([one for one in held if self._is_there(one) and one.why is None])
        await self._drop_over()
        await self._force([one for one in held if self._is_there(one) and self._is_too_long(one)])

    def _is_there(self, held: _Delayed) -> bool:
        return self._held.get(held.question.id) is held

    async def _note_all(self, held: Sequence[_Delayed], found: Mapping[UUID, HeldUp]) -> None:
        for place, one in enumerate(held):
            if place % TURN == TURN - 1:
                await asyncio.sleep(0)
            if self._is_there(one):
                self._note(one, found.get(one.question.id))

    async def _drop_over(self) -> None:
        """Forget what is over, now and then: whoever has ended it does not tell."""
        now = self._monotonic()
        if self._held and now - self._alive_at >= ALIVE_SECONDS:
            self._alive_at = now
            await self._keep_alive([*self._held.values()])

    async def _keep_alive(self, held: Sequence[_Delayed]) -> list[_Delayed]:
        """Forget those that are over; give the others."""
        alive = await self._rows.alive([one.question.id for one in held])
        for one in held:
            if one.question.id not in alive and self._is_there(one):
                del self._held[one.question.id]
        return [one for one in held if one.question.id in alive]

    def _note(self, held: _Delayed, why: HeldUp | None) -> None:
        """Keep what holds something up."""
        before = None if held.why is None else held.why.sequence
        held.is_early = why is not None and why.sequence is None
        if why is None or why.sequence != before:
            held.since = self._monotonic()
        held.why = why

    def _is_too_long(self, held: _Delayed) -> bool:
        """Say whether one message holds it up for ever, though the stream could be asked."""
        if held.why is None or held.why.sequence is None:
            return False
        return self._steady.seconds(held.since) >= self._most_seconds

    async def _force(self, held: Sequence[_Delayed]) -> None:
        """Let these go all the same, with a warning."""
        stuck = await self._keep_alive(held) if held else []
        if not stuck:
            return
        reasons = list[tuple[UUID, str]]()
        for one in stuck:
            reason = (
                f"it has expired though {one.why.reason if one.why else 'it is held up'}: message "
                f"{one.why and one.why.sequence} of the stream of events is not handled for "
                f"{self._most_seconds:g} s, see engine.expire_hold_max_seconds"
            )
            log.warning("expiry.forced", id=str(one.question.id), reason=reason)
            reasons.append((one.question.id, reason))
        for start in range(0, len(reasons), BATCH):
            await self._rows.warn(reasons[start : start + BATCH])
        await self._let_go(stuck)

    async def _let_go(self, free: Sequence[_Delayed]) -> None:
        """Tell that these may expire; while the store is away they stay."""
        groups = defaultdict[Again, list[_Delayed]](list)
        for one in free:
            groups[one.again].append(one)
        for again, held in groups.items():
            for start in range(0, len(held), BATCH):
                await self._tell(again, held[start : start + BATCH])

    async def _tell(self, again: Again, held: Sequence[_Delayed]) -> None:
        for one in held:
            self._held.pop(one.question.id, None)
        self._going += len(held)
        try:
            await again([one.question.id for one in held])
        except Unavailable:
            for one in held:
                self._held.setdefault(one.question.id, one)
            raise
        finally:
            self._going -= len(held)
