"""What is parked: rows that this version cannot read, bind, publish or judge."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from lockstep.model.events import Event
from lockstep.model.texts import described, kind_of, said, storable
from lockstep_schemas.parked import ParkedKind

REASON_BYTES: Final = 1000  # said in lists; what a driver or a decoder says is shorter

MOST_SEQ: Final = 2**63 - 1  # as PostgreSQL numbers

WAIT: Final = "wait:"
"""Before the id of a wait, where somebody is addressed; no id of an automation begins so."""

Row: TypeAlias = tuple[UUID, str]
"""A row by its id, and why it is parked."""


class ParkedEvent(msgspec.Struct, frozen=True):
    """An event that an automation, or a wait of a run of it, could not be asked about here."""

    event: Event
    automation_id: str
    reason: str
    wait_id: UUID | None = None


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True):
    """See `model.messages.Message`: one that was kept as it came."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    stream: str
    sequence: int
    stored_at_ns: int
    deliveries: int = 1


class StoredParkedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A parked event as it is stored."""

    id: UUID
    message: StoredMessage
    automation_id: str
    wait_id: UUID | None
    reason: str
    time: datetime | None  # of the event; none where a version parked it that did not keep it


def addressee(event: StoredParkedEvent) -> str:
    """Say whom a parked event was kept for: an automation, or a wait of one of its runs."""
    return event.automation_id if event.wait_id is None else f"{WAIT}{event.wait_id}"


def why(error: object) -> str:
    """Give the text of a reason: of an exception with its kind, where its text says too little.

    It is never empty.
    """
    if isinstance(error, Exception) and type(error).__module__ == "builtins":
        return described(error, REASON_BYTES)
    text = said(error, REASON_BYTES)
    return text if text.strip() else kind_of(error)


class ParkedId(msgspec.Struct, frozen=True, kw_only=True):
    """What is parked, by its kind and the key of its row."""

    text: str
    kind: ParkedKind
    row_id: UUID | None = None  # of a run, a wait, a timer, an event
    topic: str | None = None  # of the outbox, with `seq`
    seq: int | None = None
    automation_id: str | None = None  # of an automation; with `trigger_id`, of a set-up
    trigger_id: str | None = None


def parked_id(text: str) -> ParkedId | None:
    """Read an id as `parked.list` gives it; None if it is no such id.

    One written otherwise is none, nor is one that no row can have.
    """
    if storable(text, 4 * len(text)) != text:
        return None
    kind, _, key = text.partition(":")
    try:
        match kind:
            case "run" | "wait" | "timer" | "event":
                row_id = UUID(key)
                return ParkedId(text=text, kind=kind, row_id=row_id) if str(row_id) == key else None
            case "outbox":
                topic, _, number = key.rpartition(":")
                seq = int(number)
                if str(seq) != number or not 0 <= seq <= MOST_SEQ:
                    return None
                return ParkedId(text=text, kind=kind, topic=topic, seq=seq)
            case "setup":
                automation_id, _, trigger_id = key.partition("/")
                return ParkedId(
                    text=text, kind=kind, automation_id=automation_id, trigger_id=trigger_id
                )
            case "automation":
                return ParkedId(text=text, kind=kind, automation_id=key)
            case _:
                return None
    except ValueError:
        return None
