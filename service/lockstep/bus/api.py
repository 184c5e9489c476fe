"""Calls of the JetStream API."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from lockstep.bus.errors import refusal
from lockstep.bus.requests import RawReply
from lockstep.model.errors import BusUnavailable, EngineError

CALL_SECONDS: Final = 5.0  # nats-py waits as long for JetStream
STREAM_NOT_FOUND: Final = 10059  # the server's code, as in its errors.json
CONSUMER_NOT_FOUND: Final = 10014  # likewise
NOT_FOUND: Final = frozenset({STREAM_NOT_FOUND, CONSUMER_NOT_FOUND})


class Askable(Protocol):
    """What a call needs of a connection."""

    async def ask(self, subject: str, body: bytes, head: bytes, seconds: float) -> RawReply:
        """Send a request, see `Connection.ask`."""
        ...


class ApiError(EngineError):
    """JetStream answered a call with an error; for callers inside `bus` to make sense of."""

    code = "bus.api"
    advice = "Look up the NATS error that is named; `lockstep doctor` looks at the streams."

    def __init__(self, what: str, error: Mapping[str, Any]) -> None:
        self.about = what
        self.status = int(error.get("code", 0))
        self.err_code = int(error.get("err_code", 0))
        self.description = str(error.get("description", ""))
        super().__init__(f"{what}: {self.description} (NATS error {self.err_code})")

    def as_refusal(self) -> EngineError:
        """Make the error for those outside: one that passes, or one for an operator."""
        return refusal(
            self.about, code=self.status, err_code=self.err_code, description=self.description
        )


async def call(
    connection: Askable, what: str, request: object = None, *, seconds: float = CALL_SECONDS
) -> dict[str, Any]:
    """Call `$JS.API.<what>` with `request` as JSON and return the answer.

    Raises:
        ApiError: JetStream refuses.
        NoResponders: There is no JetStream, or this user may not call it.
        Unavailable: No answer in time, or one that is no JSON.
    """
    body = b"" if request is None else msgspec.json.encode(request)
    answer = await connection.ask(f"$JS.API.{what}", body, b"", seconds)
    try:
        decoded = msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise BusUnavailable(f"$JS.API.{what}: an answer that is no JSON: {error}") from error
    if "error" in decoded:
        raise ApiError(what, decoded["error"])
    return decoded
