"""From the bytes of a request to the bytes of its reply."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import structlog

from lockstep.control.errors import Refusal
from lockstep.model.errors import DataRefused, Unavailable
from lockstep_schemas.api import Fault, Issue
from lockstep_schemas.events import HEADER_ACTOR, Actor

STATUS: Final = {"bad_request": "400", "not_found": "404", "conflict": "409", "internal": "500"}

log = structlog.get_logger()


class Answer(msgspec.Struct, frozen=True):
    """A reply: a body, and an error code where it is one."""

    body: bytes
    error_code: str = ""
    error: str = ""


# Each endpoint takes a struct of its own; the table of endpoints joins type and method.
Method = Callable[[Any, Actor | None], Awaitable[msgspec.Struct]]
Handler = Callable[[bytes, Mapping[str, str]], Awaitable[Answer]]


def handler(request_type: type[msgspec.Struct], method: Method) -> Handler:
    """Make the handler of an endpoint: whatever comes in, a reply goes out."""
    decoder = msgspec.json.Decoder(request_type)

    async def handle(body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            actor = _actor(headers)
            reply = await method(_request(decoder, body), actor)
            return Answer(msgspec.json.encode(reply))
        except Refusal as refusal:
            return _refused(refusal)
        except DataRefused as error:
            return _refused(Refusal("bad_request", str(error)))
        except Unavailable as error:
            return _fault(Fault(code="internal", message=str(error)))
        except Exception:
            log.exception("request.failed", endpoint=request_type.__name__)
            return _fault(Fault(code="internal", message="internal error; see the engine's log"))

    return handle


def _request(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:  # noqa: ANN401 - see Method
    try:
        return decoder.decode(body or b"{}")
    except msgspec.ValidationError as error:
        message, path = split(str(error))
        raise Refusal("bad_request", str(error), [Issue(path=path, message=message)]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("bad_request", f"the request is no JSON: {error}") from None


def split(text: str) -> tuple[str, list[str | int]]:
    """Split an error of msgspec into its message and the path that stands at its end.

    `Expected `int`, got `str` - at `$.items[0].limit`` gives ["items", 0, "limit"].
    """
    message, found, place = text.rpartition(" - at `$")
    if not found:
        return text, []
    path: list[str | int] = []
    for part in place.rstrip("`").replace("[", ".[").split("."):
        if part.startswith("[") and part[1:-1].isdigit():
            path.append(int(part[1:-1]))
        elif part:
            path.append(part)
    return message, path


def _actor(headers: Mapping[str, str]) -> Actor | None:
    text = headers.get(HEADER_ACTOR)
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Actor)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Refusal("bad_request", f"the header {HEADER_ACTOR} is no actor: {error}") from None


def _refused(refusal: Refusal) -> Answer:
    issues = refusal.issues or None
    return _fault(Fault(code=refusal.kind, message=str(refusal), issues=issues))


def _fault(fault: Fault) -> Answer:
    return Answer(msgspec.json.encode(fault), STATUS[fault.code], fault.message)
