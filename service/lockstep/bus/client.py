"""Asks a running engine: the other side of `service`, for the command line."""

import msgspec

from lockstep.bus import headers
from lockstep.bus.connection import Connection
from lockstep.bus.requests import NoResponders
from lockstep.model.errors import BusUnavailable

ERROR: str = "Nats-Service-Error"
ERROR_CODE: str = "Nats-Service-Error-Code"


class NoEngine(BusUnavailable):
    """No engine answers to this call: none is running, or it is one that does not know the call."""

    code = "bus.no_engine"
    advice = "Start an engine with this prefix, or update the one that runs."


class ApiReply(msgspec.Struct, frozen=True):
    """What an endpoint answers; with an error, the body says the same as JSON."""

    body: bytes
    error_code: str = ""
    error: str = ""


class ApiClient:
    """Calls endpoints of the control API."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def request(
        self,
        name: str,
        body: bytes,
        timeout: float,  # noqa: ASYNC109 - it is the limit of the answer, not of a scope
        head: dict[str, str] | None = None,
    ) -> ApiReply:
        """Call the endpoint `name`, such as `automations.list`, and wait up to `timeout` seconds.

        Raises:
            NoEngine: No engine listens for it.
            Unavailable: None answered in time; it may have done it.
            MessageTooLarge: The request is larger than the server takes.
        """
        connection = self._connection
        subject = connection.names.api(name)
        packed = connection.pack(subject, body, head)
        try:
            answer = await connection.ask(subject, body, packed, timeout)
        except NoResponders:
            raise NoEngine(
                f"no Lockstep engine answers on {connection.server} as {subject}: is one running "
                "there, with this prefix, and does it know this call?"
            ) from None
        read = headers.unpack(answer.head)
        return ApiReply(answer.body, read.get(ERROR_CODE, ""), read.get(ERROR, ""))
