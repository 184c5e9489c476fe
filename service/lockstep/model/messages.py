"""Messages of the bus, as the engine sees them: one delivery of a stream, one answer; its clock."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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


class Told(NamedTuple):
    """What a stream says of its clock: which server leads it, and what time it is there."""

    leader: str  # empty where there is but one server
    at: datetime | None  # None: it goes by the one clock itself, as in test cases


class Offset(NamedTuple):
    """How far the clock of a stream is ahead of the one clock; negative: behind."""

    ahead: timedelta
    error: timedelta  # at the most


def moment(stored_at_ns: int, ahead: timedelta = timedelta()) -> datetime:
    """Say when a stream stored a message, by a clock that its own is ahead of."""
    return EPOCH + timedelta(microseconds=stored_at_ns // 1000) - ahead


class Reply(NamedTuple):
    """What a service answered; with `error_code` where it says, as a NATS service, that it failed.

    Source: ADR-32 of the NATS architecture records.
    """

    body: bytes
    headers: Mapping[str, str]
    error_code: str = ""
    error: str = ""
