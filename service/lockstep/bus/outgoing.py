"""What actions publish: to a stream, which acknowledges it, or to whoever listens now."""

from collections.abc import Mapping

from lockstep.bus.connection import Connection
from lockstep.bus.publisher import Publisher
from lockstep.bus.requests import NoResponders
from lockstep.model.errors import BusUnavailable


class NoStream(NoResponders):
    """No stream takes the subject that an action publishes to: nobody would keep the message."""

    code = "bus.no_stream"
    advice = "Make a stream that takes the subject, or say `stream: false` in the action's config."


class Outgoing:
    """A `ports.actions.Messages`."""

    def __init__(self, connection: Connection, publisher: Publisher) -> None:
        self._connection, self._publisher = connection, publisher

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Store one message in the stream of its subject; see `Publisher.publish`.

        Raises:
            NoStream: No stream takes the subject, also where somebody else listens on it.
        """
        before = self._connections
        try:
            return await self._publisher.publish(subject, body, headers)
        except NoResponders:
            raise self._no_stream(subject) from None
        except BusUnavailable as error:
            # Whoever listens on a subject without a stream does not acknowledge. After a connection
            # that broke, a stream may not be back yet.
            stayed = self._connection.connected and before == self._connections
            silent = error.code == BusUnavailable.code
            if silent and stayed and await self._publisher.has_no_stream(subject):
                raise self._no_stream(subject) from None
            raise

    async def send(self, subject: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send one message to whoever listens now; return when the server has taken it.

        Raises:
            NotAllowed: The server does not let us publish there.
            Unavailable: There is no connection, or it broke: it may have been sent.
            MessageTooLarge: It was not sent.
            BadMessage: Subject or headers cannot be sent.
        """
        connection = self._connection
        head = connection.pack(subject, body, headers)
        await connection.wait_connected(connection.settings.publish_timeout_seconds)
        before = self._connections
        with connection.requests.watched(subject) as refused:
            connection.post(subject, body, head)
            await connection.settled()
            refused()
        if before != self._connections:
            text = f"{subject}: the connection to NATS at {connection.server} broke meanwhile"
            raise BusUnavailable(text)

    @property
    def _connections(self) -> int:
        return self._connection.wire.stats["reconnects"]

    def _no_stream(self, subject: str) -> NoStream:
        where = f"{subject}: no stream on NATS at {self._connection.server} takes it"
        return NoStream(
            f"{where}; make one that does, or say `stream: false`, which publishes to whoever "
            "listens at that moment"
        )
