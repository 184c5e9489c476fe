"""Asks any service on the bus, and waits for its answer."""

from collections.abc import Mapping

from lockstep.bus import headers as blocks
from lockstep.bus.client import ERROR, ERROR_CODE
from lockstep.bus.connection import Connection
from lockstep.bus.requests import NoResponders
from lockstep.model.errors import NobodyAnswers
from lockstep.model.messages import Reply


class Asker:
    """A `ports.actions.Asker`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ask(
        self, subject: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Reply:
        """Publish a request and wait for the first answer.

        Raises:
            NobodyAnswers: Nobody listens on the subject now.
            Unavailable: No answer within `seconds`, or the connection broke; it may have arrived.
            MessageTooLarge: It was not sent: the server takes no message of this size.
            BadMessage: Subject or headers cannot be sent.
        """
        connection = self._connection
        head = connection.pack(subject, body, headers)
        try:
            answer = await connection.ask(subject, body, head, seconds)
        except NoResponders as error:
            raise NobodyAnswers(str(error)) from None
        read = blocks.unpack(answer.head)
        return Reply(answer.body, read, read.get(ERROR_CODE, ""), read.get(ERROR, ""))
