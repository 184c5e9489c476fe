"""The plug-in `http`: `http.request`."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from lockstep.catalog.builtins.bodies import Kind, decoded, encoded
from lockstep.catalog.builtins.headers import headers_fault, names_schema, trace
from lockstep.catalog.registry import Registry
from lockstep.model.errors import EngineError
from lockstep.model.http import HttpRequest, HttpResponse
from lockstep.model.secrets import MASKER
from lockstep.model.types import ActionContext, ActionResult
from lockstep.ports.actions import HttpCaller
from lockstep_schemas.base import Json, JsonObject

MAX_SECONDS: Final = 3600  # as `fetch.settings`
MAX_SHOWN: Final = 300  # characters of an error response: some lines, kept with the step
IDEMPOTENCY_KEY: Final = "Idempotency-Key"

_SECRET: Final[JsonObject] = {"x-secret": True}
# The engine and its client set these: who is called, how, and how long the request is.
_OWN_HEADERS: Final = frozenset(
    {
        IDEMPOTENCY_KEY.lower(),
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Cookies are keys to a session: they are not written down.
_LEFT_OUT: Final = frozenset({"set-cookie", "set-cookie2"})
# Not all that Python knows: some of its codecs take long, or are no text.
_CHARSET: Final = re.compile(
    r"utf-?8|utf-?16|us-ascii|iso-8859-([2-9]|1[013-6]?)|windows-125[0-8]|shift_jis|euc-jp|gb18030"
)
_WAITS: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class HttpCallConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Call an HTTP server."""

    method: Annotated[
        Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        Meta(description="What is asked of the server."),
    ]
    url: Annotated[
        str, Meta(min_length=1, description="http:// or https://.", extra_json_schema=_SECRET)
    ]
    headers: Annotated[
        dict[str, Annotated[str, Meta(extra_json_schema=_SECRET)]],
        Meta(
            description="Headers of the request, but those of the engine.",
            extra_json_schema={"propertyNames": names_schema(_OWN_HEADERS)},
        ),
    ] = {}
    body: Annotated[
        Json,
        Meta(
            description="A text is sent as it is, everything else as JSON; null: no body.",
            extra_json_schema=_SECRET,
        ),
    ] = None
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=MAX_SECONDS, description="How long all of it may take.")
    ] = 30.0


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What an HTTP server answered."""

    status: Annotated[int, Meta(description="The status code.")]
    headers: Annotated[
        dict[str, str], Meta(description="By name in lower case; cookies are left out.")
    ]
    body: Annotated[
        Json, Meta(description="The JSON value, the text, bytes as base64, or null if empty.")
    ]
    body_kind: Annotated[Kind, Meta(description="How the body was read.")]


def register_http(registry: Registry) -> None:
    """Register the plug-in."""
    registry.artifact("response", schema=Response)
    registry.add_action(
        "request",
        _request,
        config=HttpCallConfig,
        produces="response",
        category="HTTP",
        timeout_seconds=MAX_SECONDS + 10,  # its config has the limit that counts
    )


async def _request(context: ActionContext) -> ActionResult:
    """Call an HTTP server and keep its answer; a status of 300 or above, but 304, fails."""
    config = msgspec.convert(context.config, HttpCallConfig)
    wrong = headers_fault(config.headers, _OWN_HEADERS)
    if wrong:
        return ActionResult(success=False, error=wrong)
    try:
        body = None if config.body is None else encoded(config.body)
    except ValueError as error:
        return ActionResult(success=False, error=f"body: {error}")
    headers = {
        **trace(context),
        **_content_type(config),
        **config.headers,
        IDEMPOTENCY_KEY: context.idempotency_key,
    }
    request = HttpRequest(config.method, config.url, headers, body, config.timeout_seconds)
    try:
        response = await context.services.get(HttpCaller).call(request)
    except EngineError as error:
        return ActionResult(success=False, error=str(error))
    if response.status >= 300 and response.status != HTTPStatus.NOT_MODIFIED:
        return ActionResult(
            success=False,
            error=_refusal(config.method, response),
            retry_after_ms=retry_after_ms(response, datetime.now(UTC)),
        )
    return ActionResult(artifact=artifact(response))


def artifact(response: HttpResponse) -> JsonObject:
    """Give a response as templates reach it."""
    body, kind = _read(response)
    headers: dict[str, str] = {}
    for name, value in response.headers:
        key = MASKER.text(name).lower()
        if key not in _LEFT_OUT:
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return {"status": response.status, "headers": headers, "body": body, "body_kind": kind}


def retry_after_ms(response: HttpResponse, now: datetime) -> int | None:
    """Give how long a server that is too busy asks to be left alone. Source: RFC 9110, 10.2.3."""
    text = (response.header("Retry-After") or "").strip()
    if response.status not in _WAITS or not text:
        return None
    if text.isascii() and text.isdigit():
        return min(int(text[:12]), 10**9) * 1000
    then = _date(text)
    if then is None:
        return None
    # By the clock of the server, if it tells what that says.
    now = _date(response.header("Date") or "") or now
    return max(0, int((then - now).total_seconds() * 1000))


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _refusal(method: str, response: HttpResponse) -> str:
    """Say what a server answered that is no success: the status, and the beginning of the body.

    The URL is not shown: most webhooks are secrets.
    """
    try:
        status = f"{response.status} {HTTPStatus(response.status).phrase}"
    except ValueError:
        status = str(response.status)
    if response.status < 400:
        hint = "" if method in ("GET", "HEAD") else f": redirects of a {method} are not followed"
        return f"the server answered {status}{hint}"
    _, charset = _content(response)
    # Whole, and before it is folded and cut: a half of a secret is not found any more.
    text = MASKER.text(response.body.decode(charset, "replace"))
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(shown) > MAX_SHOWN:
        shown = f"{shown[:MAX_SHOWN]}…"
    return f"the server answered {status}{': ' if shown else ''}{shown}"


def _read(response: HttpResponse) -> tuple[Json, Kind]:
    kind, charset = _content(response)
    is_json = kind in ("application/json", "text/json") or kind.endswith("+json")
    return decoded(response.body, is_json=is_json, charset=charset)


def _content(response: HttpResponse) -> tuple[str, str]:
    """Give the media type and the character set of a response."""
    header = Message()
    header["Content-Type"] = response.header("Content-Type") or "text/plain"
    charset = str(header.get_content_charset() or "utf-8")
    return header.get_content_type(), charset if _CHARSET.fullmatch(charset) else "utf-8"


def _content_type(config: HttpCallConfig) -> Mapping[str, str]:
    """Say what a body is, where its author does not."""
    if config.body is None or any(name.lower() == "content-type" for name in config.headers):
        return {}
    is_text = isinstance(config.body, str)
    return {"Content-Type": "text/plain; charset=utf-8" if is_text else "application/json"}
