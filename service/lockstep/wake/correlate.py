"""Satisfy: the waits that an event ends, each at most once, by the first event that passes."""

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias
from uuid import UUID

import msgspec
import structlog

from lockstep.model.errors import RenderError
from lockstep.model.events import Event
from lockstep.model.parked import WAIT, ParkedEvent
from lockstep.model.program import FILTER_SECONDS, Expression, SharedScope
from lockstep.model.run_events import iso, trigger_scope
from lockstep.model.texts import storable
from lockstep.model.waits import Awaited, Satisfied
from lockstep.ports.pace import Pace
from lockstep.ports.wake import WakeTransaction


class UnreadWait(msgspec.Struct, frozen=True):
    """Why a wait cannot be asked here; another replica may have what it takes."""

    reason: str


_Verdict: TypeAlias = bool | str | UnreadWait
"""Whether a filter lets an event pass, or why it could not be judged."""

log = structlog.get_logger()


class Correlation:
    """Which waits events end: judged before a transaction, looked up in it.

    A wait that is armed while its event is handled is not satisfied by it. A filter that cannot be
    judged keeps its wait waiting.
    """

    def __init__(self, compile_filter: Callable[[str], Expression], pace: Pace) -> None:
        self._compile, self._pace = compile_filter, pace
        self._judged: dict[tuple[str, UUID], tuple[Awaited, _Verdict]] = {}

    async def prepare(self, events: Sequence[Event], awaited: Sequence[Awaited]) -> None:
        """Judge which waits events end, in order; others have their turn in between."""
        ended: set[UUID] = set()
        for wait in awaited:
            event = events[wait.place]
            if not _is_for(wait.id, event):
                continue
            known = self._judged.get((event.delivery, wait.id))
            if known is not None:
                verdict = known[1]
            elif wait.id in ended:
                continue
            else:
                verdict = await self.verdict(wait, event)
                bare = (
                    wait if wait.run_scope is None else msgspec.structs.replace(wait, run_scope={})
                )
                self._judged[event.delivery, wait.id] = bare, verdict
            if verdict is True:
                ended.add(wait.id)

    async def satisfied(
        self, events: Sequence[Event], armed: Sequence[tuple[int, UUID]], tx: WakeTransaction
    ) -> list[Satisfied] | None:
        """Give the waits that these events end, of those that are armed now.

        Returns:
            None where one of them was not judged.
        """
        taken: dict[UUID, Satisfied] = {}
        failed: dict[UUID, tuple[Awaited, Event, str]] = {}
        for place, wait_id in armed:
            if wait_id in taken:
                continue
            event = events[place]
            if not _is_for(wait_id, event):
                continue
            known = self._judged.get((event.delivery, wait_id))
            if known is None:
                return None
            wait, verdict = known
            if isinstance(verdict, str):
                failed[wait_id] = wait, event, verdict
            elif verdict is True:
                taken[wait_id] = Satisfied(wait, event)
        if failed:
            await _warn(failed, tx)
        return [*taken.values()]

    def unread(
        self, events: Sequence[Event], armed: Sequence[tuple[int, UUID]]
    ) -> list[ParkedEvent]:
        """Give what events ask of waits that cannot be asked here."""
        found = []
        for place, wait_id in armed:
            known = self._judged.get((events[place].delivery, wait_id))
            if known is not None and isinstance(known[1], UnreadWait):
                wait, verdict = known[0], known[1]
                parked = ParkedEvent(events[place], wait.automation_id, verdict.reason, wait_id)
                found.append(parked)
        return found

    async def verdict(self, wait: Awaited, event: Event) -> _Verdict:
        """Judge whether an event ends a wait; others have their turn in between."""
        if wait.unread is not None:
            return UnreadWait(wait.unread)
        if wait.since is not None and (event.time, event.sequence) <= wait.since:
            return False  # it would not have been taken either, had it been handled before
        if wait.filter is None:
            return True
        begun = time.thread_time_ns()
        try:
            expression = self._compile(wait.filter)
        except RenderError as error:  # it could be compiled where it was armed
            return UnreadWait(f"the filter of a wait cannot be compiled here: {error}")
        try:
            verdict: _Verdict = expression.holds(_scope(wait, event))
        except RenderError as error:
            verdict = str(error)
        spent = time.thread_time_ns() - begun
        await self._pace.took(wait.automation_id, event.id, spent)
        return verdict


def _is_for(wait_id: UUID, event: Event) -> bool:
    return event.only is None or event.only == f"{WAIT}{wait_id}"


async def _warn(failed: dict[UUID, tuple[Awaited, Event, str]], tx: WakeTransaction) -> None:
    for wait, event, error in failed.values():
        log.warning(
            "wait.failed", run_id=str(wait.run_id), automation_id=wait.automation_id,
            path=wait.path, event_id=event.id, error=error,
        )  # fmt: skip
    await tx.warn(
        [
            (wait_id, storable(f"the filter could not be judged for an event: {error}"))
            for wait_id, (_, _, error) in sorted(failed.items())
        ]
    )


def _scope(wait: Awaited, event: Event) -> SharedScope:
    trigger = trigger_scope(
        None,
        event.id,
        event.payload,
        event.actor,
        event.time,
        event.message_id,
        event.context_key,
        event.hop,
    )
    names = {"trigger": trigger, "run_scope": wait.run_scope or {}, "now": iso(event.time)}
    return SharedScope(names, FILTER_SECONDS)
