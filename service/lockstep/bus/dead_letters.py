"""Dead letters: events that could not be handled, kept as they came, with the reason."""

from datetime import UTC, datetime, timedelta
from typing import Final

from lockstep.bus import headers
from lockstep.bus.connection import Connection
from lockstep.bus.errors import MessageTooLarge
from lockstep.bus.headers import MESSAGE_ID
from lockstep.bus.publisher import Publisher
from lockstep.bus.reading import lookup
from lockstep.model.messages import Message
from lockstep_schemas.events import (
    HEADER_DELIVERIES,
    HEADER_DROPPED,
    HEADER_FOR,
    HEADER_ORIGINAL_ID,
    HEADER_REASON,
    HEADER_SUBJECT,
)

REASON: Final = HEADER_REASON
SUBJECT: Final = HEADER_SUBJECT
ORIGINAL_ID: Final = HEADER_ORIGINAL_ID
DELIVERIES: Final = HEADER_DELIVERIES
DROPPED: Final = HEADER_DROPPED

_REASON_BYTES: Final = 1024  # these two and the id fit topology.DEAD_LETTER_ROOM_BYTES
_SUBJECT_BYTES: Final = 4096  # the server takes a line of 4 KiB, its subject included
# The server would act on these: refuse, delete others, let it expire, send it elsewhere.
ACTED_ON: Final = ("nats-expected-", "nats-rollup", "nats-ttl", "nats-schedule", "nats-msg-id")
OURS: Final = frozenset(
    name.lower() for name in (REASON, SUBJECT, ORIGINAL_ID, DELIVERIES, DROPPED)
)
"""What a dead letter has beside the headers of its event."""


class DeadLetters:
    """Stores events that could not be handled in the stream of dead letters, each once."""

    def __init__(self, connection: Connection, publisher: Publisher) -> None:
        self._connection, self._publisher = connection, publisher
        window = connection.settings.duplicate_window_seconds
        self._trusted = timedelta(seconds=window / 2)

    async def send(self, message: Message, reason: str, only: str | None = None) -> bool:
        """Store `message` with its headers and why it is there, then it can be terminated.

        `only` is who alone has not had the event: see the header `Lockstep-For`.

        Returns:
            False when it was there already, from an earlier delivery.

        Raises:
            Unavailable: Not stored, as far as is known; call again at the next delivery.
            ServerUnfit: The stream of dead letters is not there, or refuses it.
            MessageTooLarge: It fills the largest message so far that no reason fits. Only when
                the stream of triggers was made by hand, without room for it.
        """
        names = self._connection.names
        subject = names.dead(names.event(message.subject)[1])
        identity = f"{message.stream}:{message.sequence}:{message.stored_at_ns}"
        if only is not None:
            identity += f":{only}"
        since = datetime.fromtimestamp(message.stored_at_ns / 1e9, UTC)
        # The stream knows ids only for a while: longer ago, the delivery before may have stored it.
        if message.deliveries > 1 and datetime.now(UTC) - since > self._trusted:
            stream = names.dead_stream
            if await lookup.find(self._connection, stream, subject, identity, since):
                return False
        head = letter_headers(message, reason, identity)
        if only is not None:
            head[HEADER_FOR] = only
        try:
            return await self._publisher.publish(subject, message.data, head)
        except MessageTooLarge:
            head = letter_headers(message, reason, identity, keep=False)
            if only is not None:
                head[HEADER_FOR] = only
            return await self._publisher.publish(subject, message.data, head)


def letter_headers(
    message: Message, reason: str, identity: str, *, keep: bool = True
) -> dict[str, str]:
    """Make the headers of a dead letter: those of the event that do nothing, and ours.

    Without `keep` only ours, and `Lockstep-Headers-Dropped` says how many were left out.
    """
    written: dict[str, str] = {}
    dropped = 0
    for name, value in message.headers.items():
        if name.lower().startswith(ACTED_ON) or name.lower() in OURS:
            continue
        if keep:
            written[name] = value.replace("\r", " ").replace("\n", " ")
        else:
            dropped += 1
    if original := message.headers.get(MESSAGE_ID):
        written[ORIGINAL_ID] = headers.one_line(original, _REASON_BYTES)
    if dropped:
        written[DROPPED] = str(dropped)
    written[REASON] = headers.one_line(reason, _REASON_BYTES) or "no reason given"
    written[SUBJECT] = headers.one_line(message.subject, _SUBJECT_BYTES)
    written[DELIVERIES] = str(message.deliveries)
    written[MESSAGE_ID] = identity
    return written
