"""Looks that are held up: what they have found may not be the oldest event yet.

An older one of that id and key is in the stream, delivered or not, and nobody has handled it. All
that is held up is asked about together, and looked at again when that event is settled.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec
import structlog

from lockstep.model.errors import Unavailable
from lockstep.pipeline.look_back_news import MOST, LookBackNews
from lockstep.ports.unhandled import HeldUp, Question, Unhandled

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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unhandled, self._news, self._times = unhandled, news, times
        self._monotonic = monotonic
        self._held: dict[UUID, _HeldLook] = {}
        self._some = asyncio.Event()

    def __contains__(self, wait_id: object) -> bool:
        """Say whether the look of a wait is held up, as far as is known."""
        return wait_id in self._held

    async def among(self, questions: Sequence[Question]) -> set[UUID]:
        """Give those that are held up: they are noted, and looked at again. Raise Unavailable."""
        if not questions:
            return set()
        found = await self._unhandled.held_up(questions)
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
            await asyncio.sleep(self._times.pause_seconds)
            try:
                await self._ask()
            except Unavailable as error:
                log.warning("service.delayed", error=error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _ask(self) -> None:
        asked = [one.question for one in self._held.values()]
        found = await self._unhandled.held_up(asked)
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

    def _noted(self, question: Question, why: HeldUp) -> _HeldLook:
        known = self._held.get(question.id)
        if known is not None and known.by == why.sequence:
            return _HeldLook(question, known.by, known.since)
        return _HeldLook(question, why.sequence, self._monotonic())

    def _is_too_long(self, held: _HeldLook) -> bool:
        return self._monotonic() - held.since >= self._times.most_seconds
