"""Messages of the bus, as the engine sees them: one delivery of a stream, one answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Protocol


class Message(Protocol):
    """One delivery of a message from a stream."""

    @property
    def subject(self) -> str:
        """Where it was published."""
        ...

    @property
    def data(self) -> bytes:
        """The body, untouched."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers; empty when it has none."""
        ...

    @property
    def stream(self) -> str:
        """Name of the stream."""
        ...

    @property
    def sequence(self) -> int:
        """Position in the stream, from 1."""
        ...

    @property
    def stored_at_ns(self) -> int:
        """When the stream stored it: nanoseconds since the epoch."""
        ...

    @property
    def deliveries(self) -> int:
        """How often it has been delivered, this time included."""
        ...


class StreamBegin(NamedTuple):
    """Where a stream begins: what came before is handled, and cannot come again."""

    stream: str
    sequence: int  # of the first message that it still has; the next one where it has none
    created_at: datetime
    oldest_at: datetime | None  # when that message was stored


class Reply(NamedTuple):
    """What a service answered; with `error_code` where it says, as a NATS service, that it failed.

    Source: ADR-32 of the NATS architecture records.
    """

    body: bytes
    headers: Mapping[str, str]
    error_code: str = ""
    error: str = ""
