"""Messages of the bus, as the engine sees them: one delivery of a stream, one answer."""

from collections.abc import Mapping
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


class Reply(NamedTuple):
    """What a service answered; with `error_code` where it says, as a NATS service, that it failed.

    Source: ADR-32 of the NATS architecture records.
    """

    body: bytes
    headers: Mapping[str, str]
    error_code: str = ""
    error: str = ""
