"""Events as they are taken from the stream, and those that can never be handled."""

from datetime import datetime
from typing import Final

import msgspec

from lockstep.model.child_runs import Parent
from lockstep.model.messages import Message
from lockstep_schemas.base import JsonObject
from lockstep_schemas.events import Actor

NOBODY: Final = "-"
"""As `only` of an event: nobody here can be asked about it."""

ROW_BYTES: Final = 200  # of a row that keeps an event, beside what its publisher has said

_encode = msgspec.json.Encoder().encode


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was taken from the stream."""

    id: str  # the event id, `sensor.door`
    payload: JsonObject
    body: bytes  # the payload as published
    delivery: str  # `<stream>:<sequence>:<store time in ns>`
    message_id: str | None
    context_key: str | None
    actor: Actor
    hop: int
    time: datetime  # when the stream stored it, by the one clock
    sequence: int  # 0: not from a stream; it ranks by the time at which it reaches the gate
    message: Message | None = None
    traceparent: str | None = None
    parent: Parent | None = None  # of a run that is started by another run
    only: str | None = None  # whom alone it is for: an automation, or `wait:<id>`; None: for all

    @property
    def size(self) -> int:
        """Bytes of it where it is kept: of all that its publisher has said, and of the row."""
        said = (self.id, self.context_key, self.message_id, self.delivery, self.traceparent)
        texts = sum(len(one.encode("utf-8", "surrogatepass")) for one in said if one)
        return ROW_BYTES + len(self.body) + len(_encode(self.actor)) + texts


class Poison(msgspec.Struct, frozen=True):
    """A message that can never be handled, and why.

    `event` is what it would be, for nobody, where all that is wrong is that its type is unknown
    here: other replicas may know it.
    """

    message: Message
    reason: str
    event: Event | None = None
