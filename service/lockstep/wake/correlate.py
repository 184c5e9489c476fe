"""Satisfy: the waits that an event ends, each at most once, by the first event that passes."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias
from uuid import UUID

import msgspec
import structlog

from lockstep.model.decisions import Decision
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

MOST_TOLD: Final = 20  # waits for which it is kept why one and the same event did not end them

log = structlog.get_logger()


class Correlation:
    """Which waits events end: judged before a transaction, looked up in it.

    A wait that is armed while its event is handled is not satisfied by it. A filter that cannot be
    judged keeps its wait waiting.
    """

    def __init__(
        self,
        compile_filter: Callable[[str], Expression],
        pace: Pace,
        are_kept: Callable[[], bool] = lambda: False,
    ) -> None:
        """`are_kept` says whether somebody keeps why events did not end waits."""
        self._compile, self._pace, self._are_kept = compile_filter, pace, are_kept
        self._judged: dict[tuple[str, UUID], tuple[Awaited, _Verdict]] = {}
        self._told: dict[tuple[str, UUID], str] = {}  # what filters saw that let nothing pass
        self._tellers = Counter[str]()  # by delivery: how many of them

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
                verdict = await self.verdict(wait, event, is_told=self._is_told(event))
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

    def passed_over(
        self, events: Sequence[Event], armed: Sequence[tuple[int, UUID]]
    ) -> list[Decision]:
        """Say why armed waits go on waiting; of many for one event a few, and how many more."""
        decisions, untold = list[Decision](), Counter[int]()
        for place, wait_id in armed if self._told else ():
            key = events[place].delivery, wait_id
            wait, verdict = self._judged.get(key, (None, True))
            if wait is None or verdict is True or isinstance(verdict, UnreadWait):
                continue
            detail = self._told.get(key)
            if detail is None:
                untold[place] += 1
            else:
                decisions.append(_passed_over(events[place], wait, detail))
        for place, number in untold.items():
            detail = f"{number:,} more waits were passed over by this event"
            decisions.append(Decision(events[place], "", "", "wait_filter", detail))
        return decisions

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

    async def verdict(self, wait: Awaited, event: Event, *, is_told: bool = False) -> _Verdict:
        """Judge whether an event ends a wait; others have their turn in between."""
        if wait.unread is not None:
            return UnreadWait(wait.unread)
        if wait.since is not None and (event.time, event.sequence) <= wait.since:
            # It would not have been taken either, had it been handled before.
            if is_told:
                self._tell(wait, event, "the event is older than all that it looks back on")
            return False
        if wait.filter is None:
            return True
        begun = time.thread_time_ns()
        try:
            expression = self._compile(wait.filter)
        except RenderError as error:  # it could be compiled where it was armed
            return UnreadWait(f"the filter of a wait cannot be compiled here: {error}")
        scope = _scope(wait, event)
        try:
            verdict: _Verdict = expression.holds(scope)
        except RenderError as error:
            verdict = str(error)
        if is_told and verdict is not True:
            self._tell(wait, event, _reason(expression, verdict, scope))
        spent = time.thread_time_ns() - begun
        await self._pace.took(wait.automation_id, event.id, spent)
        return verdict

    def _is_told(self, event: Event) -> bool:
        return self._tellers[event.delivery] < MOST_TOLD and self._are_kept()

    def _tell(self, wait: Awaited, event: Event, detail: str) -> None:
        self._told[event.delivery, wait.id] = detail
        self._tellers[event.delivery] += 1


def _reason(expression: Expression, verdict: _Verdict, scope: SharedScope) -> str:
    """Say what a filter saw that did not let an event pass."""
    if isinstance(verdict, str):
        return f"the filter could not be judged: {verdict}"
    seen = expression.explain(scope).beside(expression.text)
    return f"false: {expression.text}; {seen}" if seen else f"false: {expression.text}"


def _passed_over(event: Event, wait: Awaited, detail: str) -> Decision:
    return Decision(
        event,
        wait.automation_id,
        "",
        "wait_filter",
        storable(detail),
        run_id=wait.run_id,
        path=wait.path,
    )


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
