"""What is needed of the bus: durable consumer groups, and a publisher."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from lockstep.model.messages import Message
from lockstep.model.verdicts import Verdict


class MessageSource(Protocol):
    """A durable pull consumer group: batches of messages, and what becomes of each."""

    async def batch(self, limit: int) -> Sequence[Message]:
        """Wait for at least one message; return all that are there, at most `limit`."""
        ...

    async def settle(self, message: Message, verdict: Verdict) -> None:
        """Acknowledge, refuse for a while, or terminate."""
        ...

    def pause(self) -> None:
        """Ask the server for no more messages."""
        ...

    def resume(self) -> None:
        """Ask for messages again."""
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


class LettersForOne(Protocol):
    """Where events go that can never be handled for somebody, though all others have had them."""

    async def send(self, message: Message, reason: str, only: str | None = None) -> bool:
        """Store one, with the reason, for who alone has not had it; false if it is there.

        Raises:
            Unavailable: Not stored, as far as is known.
        """
        ...
