"""The endpoints `parked.*`: what no replica could handle, and what operators decide."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol, assert_never
from uuid import UUID

import structlog

from lockstep.control.errors import NotFound, bad_field
from lockstep.model.outbox import EventRow
from lockstep.model.parked import ParkedId, StoredParkedEvent, addressee, parked_id
from lockstep.model.run_events import replacement
from lockstep.ports.bus import LettersForOne
from lockstep.ports.cancel import Terminator
from lockstep.ports.clock import Clock
from lockstep.ports.report import Report
from lockstep_schemas.base import Json
from lockstep_schemas.events import Actor
from lockstep_schemas.parked import (
    Parked,
    ParkedById,
    ParkedDetail,
    ParkedDone,
    ParkedFault,
    ParkedList,
    ParkedPage,
    ParkedSelect,
)

DISCARDED: Final = "it was parked, and was discarded by an operator"

log = structlog.get_logger()


class ParkedNotFound(NotFound):
    """Nothing of this id is parked: it never was, a replica has taken it, or it was discarded."""

    code = "parked.not_found"
    advice = "`lockstep parked list` has the ids."
    what = "parked row"


class ParkedForPeople(Protocol):
    """What is parked in the store."""

    async def page(
        self, wanted: ParkedList, after: tuple[datetime, str] | None
    ) -> tuple[Sequence[Parked], int]:
        """Give a page, the longest parked first, and how many there are in all."""
        ...

    async def get(self, one: ParkedId) -> tuple[Parked, Mapping[str, Json]] | None:
        """Give one with its row."""
        ...

    async def retry(self, ids: Sequence[ParkedId]) -> set[str]:
        """Let each replica try these again; give those that are parked."""
        ...

    async def drop_timer(self, timer_id: UUID) -> bool:
        """Take a parked timer away; say whether it was there."""
        ...

    async def run_of_wait(self, wait_id: UUID) -> tuple[UUID, str] | None:
        """Give the run of a parked wait, and what it waits for."""
        ...

    async def event(self, event_id: UUID) -> StoredParkedEvent | None:
        """Give a parked event."""
        ...

    async def drop_event(self, event_id: UUID) -> None:
        """Take a parked event away."""
        ...

    async def outbox_row(self, topic: str, seq: int) -> EventRow | None:
        """Give a parked row of the outbox."""
        ...

    async def replace(self, row: EventRow) -> None:
        """Put this in the place of a parked row of the outbox."""
        ...

    async def drop_outbox(self, row: EventRow) -> None:
        """Take a parked row of the outbox away."""
        ...


class ParkedEndpoints:
    """Lists and shows what is parked, has it tried again, or ends it."""

    def __init__(
        self,
        rows: ParkedForPeople,
        terminator: Terminator,
        report: Report,
        letters: LettersForOne,
        clock: Clock,
    ) -> None:
        self._rows, self._terminator, self._report = rows, terminator, report
        self._letters, self._clock = letters, clock

    async def list(self, request: ParkedList, _: Actor | None) -> ParkedPage:
        """The longest parked first."""
        after = None if request.cursor is None else _place(request.cursor)
        items, total = await self._rows.page(request, after)
        last = items[-1] if len(items) == request.limit else None
        return ParkedPage(
            items=[*items],
            total=total,
            limit=request.limit,
            next_cursor=None if last is None else f"{last.parked_at.isoformat()} {last.id}",
        )

    async def show(self, request: ParkedById, _: Actor | None) -> ParkedDetail:
        """One of them, with its row."""
        named = parked_id(request.id)
        found = None if named is None else await self._rows.get(named)
        if found is None:
            raise ParkedNotFound(request.id)
        return ParkedDetail(parked=found[0], row=dict(found[1]))

    async def retry(self, request: ParkedSelect, actor: Actor | None) -> ParkedDone:
        """Let each replica try again, within seconds."""
        named = [one for text in request.ids if (one := parked_id(text)) is not None]
        again = await self._rows.retry(named) if named else set[str]()
        log.info("row.retried", ids=sorted(again), actor=_who(actor))
        return _done(request.ids, dict.fromkeys(again))

    async def discard(self, request: ParkedSelect, actor: Actor | None) -> ParkedDone:
        """End what is parked; what that means hangs on its kind."""
        outcomes: dict[str, str | None] = {}
        for text in dict.fromkeys(request.ids):
            named = parked_id(text)
            found = None if named is None else await self._rows.get(named)
            if named is None or found is None:
                continue
            outcomes[text] = await self._discard(named, found[0])
        gone = sorted(text for text, fault in outcomes.items() if fault is None)
        log.info("row.discarded", ids=gone, actor=_who(actor))
        return _done(request.ids, outcomes)

    async def _discard(self, one: ParkedId, parked: Parked) -> str | None:
        """Discard one; say why not where it cannot be."""
        match one.kind:
            case "run" if one.row_id is not None:
                await self._terminator.cancel([one.row_id], f"{DISCARDED}: {parked.reason}")
            case "wait" if one.row_id is not None:
                await self._fail_run(one.row_id, parked.reason)
            case "timer" if one.row_id is not None:
                await self._rows.drop_timer(one.row_id)
            case "event" if one.row_id is not None:
                await self._bury(one.row_id)
            case "outbox" if one.topic is not None and one.seq is not None:
                await self._replace(one.topic, one.seq, parked.reason)
            case "setup" | "automation":
                return (
                    f"'{one.text}' cannot be discarded: disable or change the automation, or "
                    "delete it"
                )
            case "run" | "wait" | "timer" | "event" | "outbox":
                return f"'{one.text}' is no id of a {one.kind}"
            case _:
                assert_never(one.kind)
        return None

    async def _fail_run(self, wait_id: UUID, reason: str) -> None:
        """A wait that is discarded fails its run: it cannot know how it should go on."""
        found = await self._rows.run_of_wait(wait_id)
        if found is not None:
            run_id, waiting_for = found
            await self._terminator.fail([run_id], f"{waiting_for}: {DISCARDED}: {reason}")

    async def _bury(self, event_id: UUID) -> None:
        """An event that is discarded becomes a dead letter, for the one that it was kept for."""
        event = await self._rows.event(event_id)
        if event is not None:
            await self._letters.send(event.message, DISCARDED, addressee(event))
            await self._rows.drop_event(event_id)

    async def _replace(self, topic: str, seq: int, reason: str) -> None:
        """A run event is replaced by a warning of its seq, so that the run has no gap."""
        row = await self._rows.outbox_row(topic, seq)
        if row is None:
            return
        warning = replacement(row, f"a run event {DISCARDED}: {reason}", self._clock.now())
        if warning is None:
            await self._rows.drop_outbox(row)
        else:
            await self._rows.replace(warning)
        await self._report.take_over([topic])


def _done(asked: Sequence[str], outcomes: Mapping[str, str | None]) -> ParkedDone:
    """Say what became of each; where none of them is there, refuse."""
    failed = []
    for text in dict.fromkeys(asked):
        if text not in outcomes:
            failed.append(ParkedFault(text, "not_found", f"parked row '{text}' not found"))
        elif (fault := outcomes[text]) is not None:
            failed.append(ParkedFault(text, "refused", fault))
    if failed and len(failed) == len(set(asked)) and not outcomes:
        raise ParkedNotFound(", ".join(dict.fromkeys(asked)))
    return ParkedDone(sum(1 for fault in outcomes.values() if fault is None), failed)


def _place(cursor: str) -> tuple[datetime, str]:
    at, found, last = cursor.partition(" ")
    try:
        moment = datetime.fromisoformat(at)
        if found and moment.tzinfo is not None and parked_id(last) is not None:
            return moment.astimezone(UTC), last
    except (ValueError, OverflowError):  # such as a moment before the year 1 elsewhere
        pass
    raise bad_field(f"cursor '{cursor[:40]}' is not one of ours", "cursor")


def _who(actor: Actor | None) -> str | None:
    return None if actor is None else actor.name or actor.id or actor.type
