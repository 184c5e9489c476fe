"""The action `http.request`: what it sends, and what it makes of a response."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.catalog import ServiceBag, build_catalog
from lockstep.catalog.builtins.http import artifact, retry_after_ms
from lockstep.model.errors import EngineError, Unavailable
from lockstep.model.http import HttpRequest, HttpResponse
from lockstep.model.secrets import MASKER
from lockstep.model.types import ActionResult
from lockstep.ports.actions import HttpCaller
from lockstep_schemas.base import Json, JsonObject
from unit.catalog.helpers import action_of, context

CATALOG = build_catalog(open=False)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Server:
    """A caller in memory: notes requests, and gives one response or raises."""

    def __init__(self, said: HttpResponse | Exception) -> None:
        self.said, self.requests = said, list[HttpRequest]()

    async def call(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def response(status: int = 200, body: bytes = b"", **headers: str) -> HttpResponse:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HttpResponse(status, pairs, body)


async def request(
    config: JsonObject, said: HttpResponse | Exception | None = None, **changes: object
) -> tuple[ActionResult, list[HttpRequest]]:
    """Call `http.request` as the walk does: with the config as its struct."""
    action = action_of(CATALOG, "http.request")
    assert action.config_type is not None
    server = Server(response() if said is None else said)
    services = ServiceBag().add(HttpCaller, server)
    typed = msgspec.convert({"method": "POST", "url": "https://x", **config}, action.config_type)
    result = await action.execute(context(typed, services=services, **changes))
    return result, server.requests


@pytest.mark.parametrize(
    ("body", "sent", "content_type"),
    [
        ({"a": [1, "ä"]}, '{"a":[1,"ä"]}', "application/json"),
        ([], "[]", "application/json"),
        (0, "0", "application/json"),
        ("ä text", "ä text", "text/plain; charset=utf-8"),
        ("", "", "text/plain; charset=utf-8"),
    ],
)
async def test_a_body_is_sent_as_text_or_as_json_and_says_what_it_is(
    body: Json, sent: str, content_type: str
) -> None:
    _, [asked] = await request({"body": body})
    assert asked.body == sent.encode()
    assert asked.headers["Content-Type"] == content_type


async def test_without_a_body_none_is_sent() -> None:
    _, [asked] = await request({"method": "GET"})
    assert asked.body is None
    assert asked.headers == {"Idempotency-Key": "run-1:actions[0]"}


async def test_the_type_that_an_author_gives_stays() -> None:
    _, [asked] = await request({"body": "a=b", "headers": {"content-type": "x/y"}})
    assert asked.headers == {"content-type": "x/y", "Idempotency-Key": "run-1:actions[0]"}


async def test_a_request_goes_on_with_the_trace_of_its_event() -> None:
    _, [asked] = await request({}, traceparent="00-ab-cd-01")
    assert asked.headers["traceparent"] == "00-ab-cd-01"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Idempotency-Key": "x"}, "the engine sets it"),
        ({"idempotency-key": "x"}, "the engine sets it"),
        ({"Host": "internal"}, "the engine sets it"),
        ({"Content-Length": "0"}, "the engine sets it"),
        ({"Transfer-Encoding": "chunked"}, "the engine sets it"),
        ({"X": "hush\r\nHost: y"}, "line breaks"),
        ({"X Y": "z"}, "a name of letters"),
    ],
)
async def test_headers_that_are_unsafe_are_refused_before_the_call_and_not_shown(
    headers: dict[str, str], reason: str
) -> None:
    result, asked = await request({"headers": headers})
    assert not result.success
    assert reason in (result.error or "")
    assert "hush" not in (result.error or "")
    assert not asked


@pytest.mark.parametrize(
    "config",
    [
        {"method": "get", "url": "https://x"},
        {"method": "TRACE", "url": "https://x"},
        {"method": "GET"},
        {"url": "https://x"},
        {"method": "GET", "url": ""},
        {"method": "GET", "url": "https://x", "timeout_seconds": 0},
        {"method": "GET", "url": "https://x", "timeout_seconds": 3601},
        {"method": "GET", "url": "https://x", "headers": {"Host": "y"}},
        {"method": "GET", "url": "https://x", "verify": False},
    ],
)
def test_a_config_that_is_none_is_refused_when_the_automation_is_saved(config: JsonObject) -> None:
    assert action_of(CATALOG, "http.request").config_schema.faults(config)


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ("http.request", ("url",)),
        ("http.request", ("headers", "*")),
        ("http.request", ("body",)),
        ("nats.request", ("payload",)),
    ],
)
def test_the_fields_that_may_hold_secrets_are_marked(action: str, path: tuple[str, ...]) -> None:
    schema = action_of(CATALOG, action).config_schema.document
    for word in path:
        schema = schema["additionalProperties"] if word == "*" else schema["properties"][word]
    assert schema["x-secret"] is True


@pytest.mark.parametrize(
    ("content_type", "body", "value", "kind"),
    [
        ("application/json", b'{"a":1}', {"a": 1}, "json"),
        ("application/json; charset=utf-8", b"[]", [], "json"),
        ("application/problem+json", b"null", None, "json"),
        ("text/json", b'"x"', "x", "json"),
        ("application/json", b"{broken", "{broken", "text"),
        ("application/json", b"[" * 80 + b"]" * 80, "[" * 80 + "]" * 80, "text"),
        ("application/json", b"[" * 5000 + b"]" * 5000, "[" * 5000 + "]" * 5000, "text"),
        ("application/json", b"1e999", "1e999", "text"),
        ("text/plain", b'{"a":1}', '{"a":1}', "text"),
        ("text/html; charset=ISO-8859-1", b"caf\xe9", "café", "text"),
        ("text/plain; charset=punycode", b"abc", "abc", "text"),
        ("text/plain; charset=hex", b"abc", "abc", "text"),
        ("text/plain; charset=windows-1259", b"abc", "abc", "text"),
        ("image/png", b"\x89PNG\xff", "iVBOR/8=", "base64"),
        ("text/plain", b"\xff", "/w==", "base64"),
        ("", b"abc", "abc", "text"),
        ("nonsense;;;", b"abc", "abc", "text"),
        ("application/json", b"", None, "none"),
    ],
)
def test_a_body_is_read_as_what_it_is(
    content_type: str, body: bytes, value: Json, kind: str
) -> None:
    made = artifact(response(200, body, Content_Type=content_type))
    assert (made["body"], made["body_kind"]) == (value, kind)


@given(st.binary(max_size=80), st.text(max_size=40).filter(lambda t: not set(t) & set("\r\n")))
def test_any_response_makes_an_artifact_that_its_type_takes(body: bytes, kind: str) -> None:
    made = artifact(response(200, body, Content_Type=kind))
    produces = action_of(CATALOG, "http.request").produces
    assert produces is not None
    assert not produces.schema.faults(made)
    assert msgspec.json.decode(msgspec.json.encode(made)) == made


def test_headers_are_found_in_lower_case_several_are_one_and_cookies_are_left_out() -> None:
    pairs = [("Link", "<a>"), ("LINK", "<b>"), ("Set-Cookie", "key=hush"), ("ETag", '"x"')]
    made = artifact(HttpResponse(200, pairs, b""))
    assert made["headers"] == {"link": "<a>, <b>", "etag": '"x"'}


@pytest.mark.parametrize("status", [200, 201, 204, 299, 304])
async def test_a_status_of_success_is_one(status: int) -> None:
    result, _ = await request({}, response(status))
    assert result.success
    assert result.artifact is not None
    assert result.artifact["status"] == status


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (response(404), "404 Not Found"),
        (response(400, b'{"why":\n "so"}'), '400 Bad Request: {"why": "so"}'),
        (response(500, b"\x00\x1b[31mred\xff"), "500 Internal Server Error: [31mred\ufffd"),
        (response(599), "599"),
        (response(502, b"x" * 4096), f"502 Bad Gateway: {'x' * 300}…"),
        (response(302), "302 Found: redirects of a POST are not followed"),
    ],
)
async def test_a_status_of_failure_fails_with_the_beginning_of_the_body(
    said: HttpResponse, error: str
) -> None:
    result, _ = await request({"url": "https://hooks.example/hush"}, said)
    assert not result.success
    assert result.error == f"the server answered {error}"
    assert result.retry_after_ms is None


@pytest.mark.parametrize("error", [Unavailable("no connection"), EngineError("too large")])
async def test_a_call_that_fails_says_why(error: EngineError) -> None:
    result, _ = await request({}, error)
    assert result == ActionResult(success=False, error=str(error))


async def test_a_server_that_is_too_busy_says_when_to_come_again() -> None:
    result, _ = await request({}, response(429, Retry_After="7"))
    assert result.retry_after_ms == 7000


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry_After": "0"}, 0),
        (503, {"retry_after": " 120 "}, 120_000),
        (503, {"Retry_After": http_date(90)}, 90_000),
        (503, {"Retry_After": http_date(-90)}, 0),
        (503, {"Retry_After": http_date(90), "Date": http_date(60)}, 30_000),
        (503, {"Retry_After": http_date(90), "Date": "yesterday"}, 90_000),
        (503, {"Retry_After": "9" * 5000}, 10**12),
        (503, {"Retry_After": "-1"}, None),
        (503, {"Retry_After": "1.5"}, None),
        (503, {"Retry_After": "soon"}, None),
        (503, {"Retry_After": "٣"}, None),
        (503, {"Retry_After": ""}, None),
        (503, {}, None),
        (500, {"Retry_After": "7"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    status: int, headers: dict[str, str], wait: int | None
) -> None:
    assert retry_after_ms(response(status, **headers), NOW) == wait


@given(st.text(max_size=60))
def test_no_retry_after_raises(text: str) -> None:
    wait = retry_after_ms(response(503, Retry_After=text, Date=text), NOW)
    assert wait is None or wait >= 0


LINES = "-----BEGIN-----\nfirst-line-of-it\nsecond-line-of-it\n-----END-----"


@pytest.mark.parametrize("before", [0, 250, 290, 299])
async def test_a_secret_that_a_refusal_repeats_is_masked_before_it_is_folded_and_cut(
    before: int,
) -> None:
    MASKER.remember(LINES)
    said = response(400, b"x" * before + LINES.encode() + b" is wrong")
    result, _ = await request({}, said)
    assert result.error is not None
    assert not any(line[:4] in result.error for line in LINES.split())
    assert "***"[: max(0, 300 - before)] in result.error


def test_a_secret_in_a_name_or_in_bytes_is_masked_before_these_are_changed() -> None:
    MASKER.remember("Hidden-Name")
    made = artifact(response(200, b"\xff Hidden-Name", X_Hidden_Name="x"))
    assert made["headers"] == {"x-***": "x"}
    assert made["body"] == b64encode(b"\xff ***").decode()
