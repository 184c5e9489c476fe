"""Publishes to streams and awaits the acknowledgement of each message."""

from collections.abc import Mapping

import msgspec

from lockstep.bus import api
from lockstep.bus.connection import Connection
from lockstep.bus.errors import refusal
from lockstep.bus.requests import NoResponders
from lockstep.model.errors import BusUnavailable


class _Fault(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct):
    """Source: `PubAck` of ADR-22 of the NATS architecture records."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: _Fault | None = None


_ACKS = msgspec.json.Decoder(_Ack)


class Publisher:
    """A `ports.bus.Publisher`; hold 64 to 256 messages under way for speed, the caller bounds it.

    Not `publish_async` of nats-py, whose futures can wait for ever when a server is killed.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seconds = connection.settings.publish_timeout_seconds

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Store one message; while there is no connection, wait for one up to the time limit.

        Returns:
            False when the stream already held a message of this id (`Nats-Msg-Id`).

        Raises:
            Unavailable: No acknowledgement within the time limit, or the stream is full or has no
                leader. It may be stored all the same: publish again with the same id.
            NoResponders: An `Unavailable`: JetStream says that no stream takes the subject.
            Refused: The stream will never take it.
            MessageTooLarge: It was not sent, or the stream refused it for its size.
            BadMessage: Subject or headers cannot be sent.
        """
        head = self._connection.pack(subject, body, headers)
        try:
            answer = await self._connection.ask(subject, body, head, self._seconds)
        except NoResponders:
            self._connection.doubted.set()
            where = f"{subject}: no stream on NATS at {self._connection.server} takes it"
            if not await self.has_no_stream(subject):
                raise BusUnavailable(f"{where} just now") from None
            text = f"{where}; `lockstep bus apply` creates the streams"
            raise NoResponders(text) from None
        return not _ack(subject, answer.body).duplicate

    async def has_no_stream(self, subject: str) -> bool:
        """Whether JetStream is there and knows no stream that takes a subject.

        Nobody listens for a stream either while its server starts or ends, or it has no leader.
        """
        try:
            found = await api.call(
                self._connection, "STREAM.NAMES", {"subject": subject}, seconds=self._seconds
            )
        except (api.ApiError, BusUnavailable):
            return False
        return not found.get("streams")


def sequence_of(subject: str, answer: bytes) -> int:
    """Read where a stream has put what was published. Raises: as `Publisher.publish`."""
    return _ack(subject, answer).seq


def _ack(subject: str, answer: bytes) -> _Ack:
    try:
        ack = _ACKS.decode(answer)
    except msgspec.DecodeError as error:
        raise BusUnavailable(f"{subject}: answered by no stream: {error}") from error
    if (fault := ack.error) is not None:
        what = f"{subject}: not stored by stream {ack.stream or '?'}"
        raise refusal(what, code=fault.code, err_code=fault.err_code, description=fault.description)
    if not ack.stream:
        raise BusUnavailable(f"{subject}: answered by no stream")
    return ack
