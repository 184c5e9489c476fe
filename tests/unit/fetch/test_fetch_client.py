"""The HTTP client, against a real server on this machine."""

import asyncio
import gzip
import socket
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from lockstep.fetch import (
    HttpClient,
    HttpFailed,
    HttpMissing,
    HttpRefused,
    HttpSettings,
    HttpTooLarge,
)
from lockstep.fetch.session import Session
from lockstep.model.http import HttpRequest, HttpResponse
from web import Asked, answer, serving, web

OPEN = HttpSettings(allowed_hosts=["*"], allow_private_addresses=True, max_response_bytes=100_000)


async def call(
    url: str,
    settings: HttpSettings = OPEN,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    seconds: float = 10,
) -> HttpResponse:
    async with HttpClient(settings) as client:
        return await client.call(HttpRequest(method, url, headers or {}, body, seconds))


class Names(AbstractResolver):
    """Names that nobody else knows; each look-up gives the next answer."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = answers

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for one in self.answers[host].pop(0)
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def session(settings: HttpSettings, names: Names) -> AsyncIterator[Session]:
    one = Session(settings, names)
    try:
        yield one
    finally:
        await one.close()


async def test_a_request_arrives_as_it_was_meant_and_the_response_comes_back() -> None:
    async with web(x=answer(201, b"hi", Content_Type="text/plain", X_A="1")) as server:
        url = f"{server.url}/x?a=b"
        got = await call(url, method="POST", headers={"X-Mine": "m"}, body=b"data")
    [asked] = server.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/x?a=b", b"data")
    assert asked.headers["x-mine"] == "m"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["user-agent"].startswith("lockstep/")
    assert "content-type" not in asked.headers
    assert (got.status, got.body, got.header("x-a")) == (201, b"hi", "1")


@pytest.mark.parametrize(
    ("settings", "url", "reason"),
    [
        (HttpSettings(), "https://example.com/", "'example.com' is not in the setting"),
        (OPEN, "ftp://example.com/", "http:// or https://"),
        (OPEN, "file:///etc/passwd", "http:// or https://"),
        (OPEN, "/relative", "http:// or https://"),
        (OPEN, "http://", "http:// or https://"),
        (OPEN, "http://[::1", "no valid URL"),
        (OPEN, "http://a b/", "must be encoded"),
        (OPEN, "http://a/\r\nX: y", "must be encoded"),
        (OPEN, "http://127.0.0.1\\@example.com/", "must be encoded"),
        (OPEN, "http://0x7f.1/", "odd spelling"),
        (OPEN, "http://2130706433/", "odd spelling"),
        (OPEN, "http://0177.0.0.1/", "odd spelling"),
        (OPEN, "http://169.254.169.254/latest/meta-data", "no public address"),
        (OPEN, "http://[fe80::1]/", "no public address"),
        (OPEN, "http://[::ffff:169.254.169.254]/", "no public address"),
        (OPEN, "http://0.0.0.0/", "no public address"),
    ],
)
async def test_what_may_not_be_called_is_refused_before_anything_is_sent(
    settings: HttpSettings, url: str, reason: str
) -> None:
    with pytest.raises(HttpRefused, match=reason):
        await call(url, settings)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
     "\uff11\uff12\uff17.0.0.1", "127.0.0.1."],
)  # fmt: skip
async def test_without_the_setting_this_machine_is_out_of_reach_however_it_is_called(
    host: str,
) -> None:
    async with web() as server:
        with pytest.raises(HttpRefused, match=r"no public address|odd spelling"):
            await call(f"http://{host}:{server.port}/", HttpSettings(allowed_hosts=["*"]))
    assert not server.connections


async def test_a_name_with_one_forbidden_address_is_refused_whole() -> None:
    names = Names(both=[["93.184.216.34", "127.0.0.1"]])
    async with session(HttpSettings(allowed_hosts=["both"]), names) as one:
        with pytest.raises(HttpRefused, match=r"'both' \(127\.0\.0\.1\) is no public address"):
            await one.call(HttpRequest("GET", "http://both/", {}, None, 5))


async def test_a_connection_goes_to_the_address_that_was_judged_and_no_name_is_asked_twice() -> (
    None
):
    # A second look-up would give the metadata service: what rebinding is about.
    names = Names(rebinds=[["127.0.0.1"], ["169.254.169.254"]])
    async with web() as server, session(OPEN, names) as one:
        url = f"http://rebinds:{server.port}/"
        assert (await one.call(HttpRequest("GET", url, {}, None, 5))).status == 200
        assert (await one.call(HttpRequest("GET", url, {}, None, 5))).status == 200
    assert server.asked[0].headers["host"] == f"rebinds:{server.port}"
    assert len(names.answers["rebinds"]) == 1


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with web(x=answer(200, b"direct")) as server, web() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await call(f"{server.url}/x")).body == b"direct"
    assert not proxy.connections


async def test_cookies_are_not_kept_between_calls() -> None:
    async with web(x=answer(200, b"", Set_Cookie="a=b")) as server, HttpClient(OPEN) as client:
        for _ in range(2):
            await client.call(HttpRequest("GET", f"{server.url}/x", {}, None, 5))
    assert all("cookie" not in asked.headers for asked in server.asked)
    assert server.connections == 1


async def test_a_user_in_the_url_becomes_a_header_and_is_in_no_error() -> None:
    async with web(x=answer(200)) as server:
        await call(f"http://me:hush@127.0.0.1:{server.port}/x")
    assert server.asked[0].headers["authorization"] == "Basic bWU6aHVzaA=="
    with pytest.raises(HttpFailed) as caught:
        await call(f"http://me:hush@127.0.0.1:{server.port}/secret?token=hush")
    assert "hush" not in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_user_in_the_url_beside_a_header_of_its_own_is_refused_without_telling_it() -> None:
    async with web() as server:
        with pytest.raises(HttpRefused) as caught:
            await call(
                f"http://me:hush@127.0.0.1:{server.port}/x", headers={"Authorization": "Bearer x"}
            )
    assert "hush" not in str(caught.value)


async def test_a_header_of_the_author_takes_the_place_of_the_usual_one() -> None:
    async with web() as server:
        await call(f"{server.url}/x", headers={"user-agent": "mine", "ACCEPT": "text/html"})
    assert server.asked[0].headers["user-agent"] == "mine"
    assert server.asked[0].headers["accept"] == "text/html"


# Redirects


def to(target: str, status: int = 302) -> bytes:
    return answer(status, Location=target)


async def test_a_get_follows_a_redirect_on_its_own_server_with_its_headers() -> None:
    async with web(a=to("/b?c=d", 301), b=answer(200, b"there")) as server:
        got = await call(f"{server.url}/a", headers={"Authorization": "x"})
    assert got.body == b"there"
    assert [asked.headers["authorization"] for asked in server.asked] == ["x", "x"]


async def test_headers_do_not_follow_a_redirect_to_another_server() -> None:
    async with web(b=answer(200, b"there")) as other, web(a=to(f"{other.url}/b")) as server:
        headers = {"Authorization": "x", "X-Api-Key": "y", "Accept": "text/html"}
        url = server.url.replace("http://", "http://me:pw@")
        assert (await call(f"{server.url}/a", headers=headers)).body == b"there"
        assert (await call(f"{url}/a")).body == b"there"
    for asked in other.asked:
        assert not {"authorization", "x-api-key"} & set(asked.headers)
    assert other.asked[0].headers["accept"] == "text/html"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://169.254.169.254/x", "no public address"),
        ("http://0x7f.1/", "odd spelling"),
        ("http://elsewhere.org/", "'elsewhere.org' is not in the setting"),
        ("file:///etc/passwd", "http:// or https://"),
        ("http://[::1", "leads to no URL"),
    ],
)
async def test_a_redirect_is_judged_as_the_first_url_was(target: str, reason: str) -> None:
    settings = HttpSettings(
        allowed_hosts=["127.0.0.1", "169.254.169.254"], allow_private_addresses=True
    )
    async with web(a=to(target)) as server:
        with pytest.raises(HttpRefused, match=reason):
            await call(f"{server.url}/a", settings)


async def test_a_redirect_from_https_to_http_is_not_followed() -> None:
    async with session(OPEN, Names()) as one:
        with pytest.raises(HttpRefused, match="it leads from https to http://a"):
            one._next(URL("https://a/x"), "http://a/x", {})


async def test_redirects_without_an_end_are_given_up() -> None:
    async with web(a=to("/a")) as server:
        with pytest.raises(HttpFailed, match="more than 5 redirects"):
            await call(f"{server.url}/a")
    assert len(server.asked) == 6


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_redirect_of_what_changes_something_is_not_followed(method: str) -> None:
    async with web(a=to("/b", 307)) as server:
        assert (await call(f"{server.url}/a", method=method)).status == 307
    assert len(server.asked) == 1


# Limits


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
async def test_a_response_above_the_limit_is_refused_compressed_or_not(encoding: str) -> None:
    pack = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}[encoding]
    more = {"Content_Encoding": encoding} if encoding else {}
    async with web(
        right=answer(200, pack(b"x" * 100_000), **more),
        large=answer(200, pack(b"x" * 100_001), **more),
        bomb=answer(200, pack(b"x" * 50_000_000), **more),
    ) as server:
        assert len((await call(f"{server.url}/right")).body) == 100_000
        for path in ("large", "bomb"):
            with pytest.raises(
                HttpTooLarge, match=r"larger than http.max_response_bytes \(100,000"
            ):
                await call(f"{server.url}/{path}")


async def test_a_response_that_never_ends_is_cut_off_at_the_limit() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 1000)
            await writer.drain()

    async with serving(endless) as port:
        with pytest.raises(HttpTooLarge):
            await call(f"http://127.0.0.1:{port}/")


async def test_of_an_error_only_the_beginning_is_kept_however_long_it_is() -> None:
    async with web(x=answer(500, b"y" * 1_000_000)) as server:
        got = await call(f"{server.url}/x")
    assert got.status == 500
    assert 4096 <= len(got.body) < 1_000_000


async def test_the_time_limit_is_over_all_even_where_each_piece_is_quick() -> None:
    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drips) as port:
        with pytest.raises(HttpFailed, match=r"no whole response within 0\.3 s"):
            await call(f"http://127.0.0.1:{port}/", seconds=0.3)


async def test_a_time_above_the_setting_is_refused() -> None:
    with pytest.raises(HttpRefused, match=r"longer than http.max_timeout_seconds \(300\)"):
        await call("http://example.com/", seconds=301)


async def test_a_cancelled_call_ends_as_cancelled() -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def hang(_: Asked) -> bytes:
        reached.set()
        await never.wait()
        return b""

    async with web(x=hang) as server, HttpClient(OPEN) as client:
        calling = asyncio.create_task(
            client.call(HttpRequest("GET", f"{server.url}/x", {}, None, 60))
        )
        await reached.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling


# What goes wrong


async def test_nobody_on_the_port_is_a_failure_that_says_so() -> None:
    async with web() as server:
        port = server.port
    with pytest.raises(
        HttpFailed, match=rf"GET http://127\.0\.0\.1:{port}: no connection: Connection refused"
    ):
        await call(f"http://127.0.0.1:{port}/x")


async def test_a_name_that_nobody_knows_is_a_failure_that_says_so() -> None:
    with pytest.raises(HttpFailed, match="the name of the host cannot be resolved"):
        await call("http://nobody.invalid/x")


def saying(said: bytes, until: bytes = b"\r\n\r\n") -> AbstractAsyncContextManager[int]:
    """A server that says one thing, whatever it is asked, and closes; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(until)
        writer.write(said)
        await writer.drain()

    return serving(serve)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "ended before|broke: Connection reset"),
        (answer(200, b"abc", Content_Length="10"), "ended before"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"),
        (answer(200, b"no gzip", Content_Encoding="gzip"), "ended before|no HTTP"),
    ],
)
async def test_a_broken_response_is_a_failure(said: bytes, reason: str) -> None:
    async with saying(said) as port:
        with pytest.raises(HttpFailed, match=reason):
            await call(f"http://127.0.0.1:{port}/", method="POST")


async def test_a_server_that_speaks_no_tls_is_a_failure() -> None:
    async with saying(b"HTTP/1.1 400 Bad Request\r\n\r\n", until=b"\x01") as port:
        with pytest.raises(HttpFailed, match=r"no TLS connection: [A-Z_]+"):
            await call(f"https://127.0.0.1:{port}/")


async def test_a_header_of_any_bytes_comes_back_as_text() -> None:
    async with web(x=answer(200, X_A="caf\xe9")) as server:
        value = (await call(f"{server.url}/x")).header("X-A")
    assert value == "caf�"


async def test_without_the_library_a_call_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "lockstep.fetch.session")
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(HttpMissing, match=r"the extra 'http'"):
        await call("http://example.com/")


async def test_a_client_that_was_closed_opens_again() -> None:
    async with web() as server:
        client = HttpClient(OPEN)
        for _ in range(2):
            await client.call(HttpRequest("GET", f"{server.url}/x", {}, None, 5))
            await client.close()
    assert server.connections == 2
