"""The endpoint `events.why`: what became of events, and why they did not start or wake more."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Final, Protocol, TypeVar

import msgspec

from lockstep.control.errors import AutomationNotFound, bad_field
from lockstep.control.fitting import fitting
from lockstep.control.waited import NEARBY, passed_over
from lockstep.model.decisions import KeptSince, WaitedStep
from lockstep.model.errors import EngineError
from lockstep.model.run_events import iso
from lockstep_schemas.dead import DeadLetter, DeadPage
from lockstep_schemas.events import Actor
from lockstep_schemas.why import Consequence, HandledEvent, UnhandledEvent, Why, WhyRequest

ASK_SECONDS: Final = 3.0  # of the bus, for each of two things: who asks waits some 15 s
STEPS: Final = (
    100  # that waited about then, of which some turn out to have waited for another event
)
WAITS: Final = 20  # that are told of one event
LETTERS: Final = 200  # the newest, in which a message id is looked for

_Found = TypeVar("_Found")


class EventViews(Protocol):
    """What became of events, to be read."""

    async def events(self, request: WhyRequest) -> list[HandledEvent]:
        """Find recent events, and what became of each."""
        ...

    async def refusals(self, automation_id: str, limit: int) -> list[HandledEvent]:
        """Find what an automation refused last."""
        ...

    async def waited(
        self,
        event: HandledEvent,
        automation_id: str | None,
        since: datetime,
        until: datetime,
        limit: int,
    ) -> list[WaitedStep]:
        """Find steps of runs that waited then, and may have waited for this event."""
        ...

    async def has_automation(self, automation_id: str) -> bool:
        """Say whether there is an automation of this id."""
        ...

    async def kept_since(self) -> KeptSince:
        """Say since when all of this is kept."""
        ...


class Letters(Protocol):
    """The dead letters."""

    async def page(self, event: str | None, limit: int, before: int | None) -> DeadPage:
        """Give the newest."""
        ...


class Backlog(Protocol):
    """The stream of events."""

    async def listed(self, event: str, limit: int) -> list[UnhandledEvent]:
        """Give those of an event id, or else of a message id, that are not handled yet."""
        ...


class WhyEndpoint:
    """Says what became of events."""

    def __init__(
        self,
        rows: EventViews,
        letters: Letters,
        backlog: Backlog,
        are_kept: bool,
        receipts_hours: int,
    ) -> None:
        """`are_kept` is whether refusals are; receipts of events are for so many hours."""
        self._rows, self._letters, self._backlog = rows, letters, backlog
        self._are_kept, self._receipts_hours = are_kept, receipts_hours

    async def why(self, request: WhyRequest, _: Actor | None) -> Why:
        """Say of recent events what they started, woke or did not, and which gate refused them."""
        of_one = request.automation_id
        if of_one is not None and not await self._rows.has_automation(of_one):
            raise AutomationNotFound(of_one)
        if request.event is None:
            return await self._refusals(request)
        notes = list[str]()
        kept = await self._rows.kept_since()
        items = [
            _cut(await self._explained(one, request.automation_id, kept))
            for one in await self._rows.events(request)
        ]
        letters = await self._asked(self._dead(request.event, items, request.limit), notes)
        listed = await self._asked(self._backlog.listed(request.event, request.limit), notes)
        waiting = _unhandled(listed or [], items)
        if not items and not letters and not waiting:
            notes.append(self._unknown(request.event, kept))
        return Why(fitting(items), letters or [], waiting, notes)

    async def _refusals(self, request: WhyRequest) -> Why:
        if request.automation_id is None:
            raise bad_field("event: an event id or a message id, or `automation_id`", "event")
        items = await self._rows.refusals(request.automation_id, request.limit)
        notes = [] if items or self._are_kept else [NOT_KEPT]
        return Why(fitting(items), notes=notes)

    async def _explained(
        self, event: HandledEvent, automation_id: str | None, kept: KeptSince
    ) -> HandledEvent:
        """Tell the waits that an event did not end, too; and where nothing followed, why."""
        if event.handled_at is None:
            return event
        since, until = event.handled_at - NEARBY, event.handled_at + NEARBY
        steps = await self._rows.waited(event, automation_id, since, until, STEPS)
        waits = passed_over(event, steps)
        consequences = [*event.consequences, *waits[:WAITS]]
        more = max(0, len(waits) - WAITS)
        note = self._note(event, consequences, kept, is_of_one=automation_id is not None)
        return msgspec.structs.replace(event, consequences=consequences, more=more, note=note)

    def _note(
        self,
        event: HandledEvent,
        consequences: Sequence[Consequence],
        kept: KeptSince,
        *,
        is_of_one: bool,
    ) -> str | None:
        if event.handled_at is None or any(one.outcome != "passed_over" for one in consequences):
            return None
        if not self._are_kept:
            return NOT_KEPT
        if kept.decisions is not None and event.handled_at < kept.decisions:
            since = f"what refused events is kept since {iso(kept.decisions)} only"
            return f"{since}; `engine.judgements` says how many of that"
        if is_of_one:  # what others did with it was not looked at
            waits = "it ended no wait of its runs" if consequences else "no run of it waited for it"
            return f"this automation did not ask for it, or was disabled then, and {waits}"
        if consequences:
            return "no automation that was enabled then asked for it, and it ended no wait"
        return "no automation that was enabled then asked for it, and no run waited for it"

    async def _dead(
        self, event: str, items: Sequence[HandledEvent], limit: int
    ) -> list[DeadLetter]:
        """Find the letters of an event id, else those with a message id, among the newest."""
        page = await self._letters.page(event, limit, None) if _is_plain(event) else None
        if page is not None and page.items:
            return page.items
        newest = await self._letters.page(None, LETTERS, None)
        return [one for one in newest.items if one.message_id == event][:limit]

    async def _asked(self, asking: Awaitable[_Found], notes: list[str]) -> _Found | None:
        """Ask the bus; where it does not answer, say so: all else is told."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await asking
        except TimeoutError:
            notes.append(f"something may be missing: no answer of the bus in {ASK_SECONDS:g} s")
        except EngineError as error:
            notes.append(f"something may be missing: {error}")
        return None

    def _unknown(self, event: str, kept: KeptSince) -> str:
        since = "" if kept.events is None else f" (since {iso(kept.events)})"
        return (
            f"no event has the event id or message id '{event}': neither among the last 20,000 "
            f"that were handled{since}, nor in the stream, nor among the newest dead letters. Is "
            "it written right? `lockstep catalog triggers` has the event ids. What was handled "
            f"more than {self._receipts_hours} h ago is forgotten (`engine.receipts_hours`); "
            "`lockstep runs list` has the runs of before"
        )


NOT_KEPT: Final = "what refused events is not kept: `engine.judgements` is 0"


def _is_plain(event: str) -> bool:
    """Say whether an event id names one event: patterns select letters of many."""
    return "*" not in event and ">" not in event


def _unhandled(
    listed: Sequence[UnhandledEvent], items: Sequence[HandledEvent]
) -> list[UnhandledEvent]:
    """Leave out what is handled, and whose acknowledgement the stream does not have yet."""
    handled = {int(one.delivery.split(":")[1]) for one in items if one.delivery}
    return [one for one in listed if one.sequence not in handled]


def _cut(handled: HandledEvent) -> HandledEvent:
    """Tell so many consequences of an event that they fit into a reply."""
    kept = fitting(handled.consequences, taken=1024)
    more = handled.more + len(handled.consequences) - len(kept)
    return msgspec.structs.replace(handled, consequences=kept, more=more)
