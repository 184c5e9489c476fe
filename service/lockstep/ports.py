"""What the stations need of the outside, as protocols: the bus, the clock.

The real ones are in `bus` and `store`; `app` hands them out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from lockstep.model.verdicts import Verdict


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


class Source(Protocol):
    """A durable pull consumer group: batches of messages, and what becomes of each."""

    async def batch(self, limit: int) -> Sequence[Message]:
        """Wait for at least one message; return all that are there, at most `limit`."""
        ...

    async def settle(self, message: Message, verdict: Verdict) -> None:
        """Acknowledge, refuse for a while, or terminate."""
        ...

    async def in_progress(self, message: Message) -> None:
        """Tell the server that `message` is still being worked on."""
        ...


class Publisher(Protocol):
    """Publishes to streams and awaits the server's acknowledgement."""

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Store one message.

        Returns:
            False when the stream already held a message of this id (`Nats-Msg-Id`).

        Raises:
            Unavailable: No acknowledgement within the time limit; publish again with the same id.
        """
        ...


class Clock(Protocol):
    """The one clock for all that is compared: that of the database."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...
