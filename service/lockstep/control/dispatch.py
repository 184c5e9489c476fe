"""From the bytes of a request to the bytes of its reply."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, get_type_hints

import msgspec
import structlog

from lockstep.control.errors import MAX_SHOWN, InvalidRequest
from lockstep.definition.faults import split
from lockstep.model.errors import EngineError, InternalError
from lockstep.model.faults import MAX_MESSAGE, STATUS, fault_of
from lockstep_schemas.api import Issue
from lockstep_schemas.depth import MAX_REQUEST_DEPTH, may_nest_deeper, too_deep
from lockstep_schemas.events import HEADER_ACTOR, Actor

_TOO_DEEP: Final = f"the request nests deeper than {MAX_REQUEST_DEPTH} levels"

log = structlog.get_logger()


class EndpointReply(msgspec.Struct, frozen=True):
    """A reply: a body, and an error code where it is one."""

    body: bytes
    error_code: str = ""
    error: str = ""


# Each endpoint takes a struct of its own; the table of endpoints joins type and method.
Method = Callable[[Any, Actor | None], Awaitable[msgspec.Struct]]


class Endpoint:
    """An endpoint: what it takes, what it gives, and who answers."""

    def __init__(self, request: type[msgspec.Struct], method: Method) -> None:
        self.request = request
        self.reply: type[msgspec.Struct] = get_type_hints(method)["return"]
        self._method = method
        self._decoder = msgspec.json.Decoder(request)

    async def __call__(self, body: bytes, headers: Mapping[str, str]) -> EndpointReply:
        """Answer a request: whatever comes in, a reply goes out."""
        try:
            actor = _actor(headers)
            reply = await self._method(_request(self._decoder, body), actor)
            return EndpointReply(msgspec.json.encode(reply))
        except EngineError as error:
            if error.category == "internal":
                log.exception("request.failed", endpoint=self.request.__name__)
            return _answer(error)
        except Exception:
            log.exception("request.failed", endpoint=self.request.__name__)
            return _answer(InternalError("internal error; see the engine's log"))


def handler(request_type: type[msgspec.Struct], method: Method) -> Endpoint:
    """Make the handler of an endpoint; its reply is what the method says that it returns."""
    return Endpoint(request_type, method)


def _request(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:  # noqa: ANN401 - see Method
    try:
        _check_depth(body)
        return decoder.decode(body or b"{}")
    except msgspec.ValidationError as error:
        message, path = split(str(error))
        message = message[:MAX_MESSAGE]
        raise InvalidRequest(str(error), [Issue(path=path, message=message)]) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the request is no JSON: {error}") from None


def _check_depth(body: bytes) -> None:
    if not may_nest_deeper(body, MAX_REQUEST_DEPTH):
        return
    place = too_deep(body, MAX_REQUEST_DEPTH)
    if place is not None:
        issues = [Issue(path=[name[:MAX_SHOWN]], message=_TOO_DEEP) for name in place]
        raise InvalidRequest(_TOO_DEEP, issues)


def _actor(headers: Mapping[str, str]) -> Actor | None:
    text = headers.get(HEADER_ACTOR)
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Actor)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidRequest(f"the header {HEADER_ACTOR} is no actor: {error}") from None


def _answer(error: EngineError) -> EndpointReply:
    fault = fault_of(error)
    return EndpointReply(msgspec.json.encode(fault), STATUS[fault.code], fault.message)
