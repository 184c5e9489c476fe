"""Looks that are held up: what they have found may not be the oldest event yet.

An older one of that id and key is in the stream, delivered or not, and nobody has handled it. All
that is held up is asked about together, and looked at again when that event is settled.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import msgspec
import structlog

from lockstep.model.errors import Unavailable
from lockstep.pipeline.look_back_news import MOST, LookBackNews
from lockstep.ports.unhandled import HeldUp, Question, Unhandled
from lockstep.wake import Steady

RETRY_SECONDS: Final = 1.0  # a stream that cannot be asked is not asked more often

log = structlog.get_logger()


class HoldTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How often it is asked again, and how long one and the same message may hold up a look."""

    pause_seconds: float
    most_seconds: float


class _HeldLook(msgspec.Struct, frozen=True):
    question: Question
    by: int | None  # the oldest message that is not handled
    since: float  # by the monotonic clock


class HeldLooks:
    """Says which looks are held up, and has them looked at again."""

    def __init__(
        self,
        unhandled: Unhandled,
        news: LookBackNews,
        times: HoldTimes,
        steady: Steady,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unhandled, self._news, self._times = unhandled, news, times
        self._steady, self._monotonic = steady, monotonic
        self._trouble: str | None = None
        self._held: dict[UUID, _HeldLook] = {}
        self._some = asyncio.Event()

    def __contains__(self, wait_id: object) -> bool:
        """Say whether the look of a wait is held up, as far as is known."""
        return wait_id in self._held

    def faults(self) -> list[str]:
        """Say that nothing that was found is taken, and why."""
        why = self._trouble
        return [] if why is None else [f"no wait takes an event that it has looked back on: {why}"]

    async def among(self, questions: Sequence[Question]) -> set[UUID]:
        """Give those that are held up: they are noted, and looked at again.

        So are all that nobody can be asked about now; others may be armed meanwhile.
        """
        if not questions:
            return set()
        try:
            found = await self._answer(questions)
        except Unavailable as error:
            found = {one.id: HeldUp(reason=str(error)) for one in questions}
        held = set()
        for one in questions:
            why = found.get(one.id)
            if why is None:
                continue
            noted = self._noted(one, why)
            if self._is_too_long(noted):
                log.warning("event.overtaken", wait_id=str(one.id), error=why.reason)
                continue
            held.add(one.id)
            if one.id in self._held or len(self._held) < MOST:  # the sweep finds the others
                self._held[one.id] = noted
                self._some.set()
        return held

    def over(self, ids: Sequence[UUID]) -> None:
        """Forget looks that are held up no more: they are done, or there is nothing to look at."""
        for one in ids:
            self._held.pop(one, None)

    async def run(self) -> None:
        """Ask again about all that is held up, and have looked at what is not, until cancelled."""
        while True:
            if not self._held:
                self._some.clear()
                await self._some.wait()
            pause = self._times.pause_seconds if self._trouble is None else RETRY_SECONDS
            due_at = self._monotonic() + pause
            await asyncio.sleep(pause)
            self._steady.looked(due_at)
            with suppress(Unavailable):  # it was told; all of them stay
                await self._ask()

    async def _ask(self) -> None:
        asked = [one.question for one in self._held.values()]
        found = await self._answer(asked)
        ready = []
        for one in asked:
            if one.id not in self._held:
                continue  # it was looked at meanwhile
            why = found.get(one.id)
            if why is not None:
                self._held[one.id] = self._noted(one, why)
            if why is None or self._is_too_long(self._held[one.id]):
                ready.append(one.id)
        self._news.note(ready)

    async def _answer(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        try:
            found = await self._unhandled.held_up(questions)
        except Unavailable as error:
            self._steady.failed()
            if self._trouble != str(error):
                self._trouble = str(error)
                log.warning("look_backs.delayed", error=error)
            raise
        if self._trouble is not None:
            self._trouble = None
            log.info("look_backs.resumed", held=len(self._held))
        return found

    def _noted(self, question: Question, why: HeldUp) -> _HeldLook:
        known = self._held.get(question.id)
        if known is not None and known.by == why.sequence:
            return _HeldLook(question, known.by, known.since)
        return _HeldLook(question, why.sequence, self._monotonic())

    def _is_too_long(self, held: _HeldLook) -> bool:
        if held.by is None:
            return False  # nobody could be asked
        return self._steady.seconds(held.since) >= self._times.most_seconds
