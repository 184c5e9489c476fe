"""Calls of HTTP servers, each connection to the very address that was judged."""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from lockstep import __version__
from lockstep.fetch import addresses
from lockstep.fetch.errors import HttpFailed, HttpRefused, HttpTooLarge
from lockstep.fetch.hosts import Hosts, is_odd_address
from lockstep.fetch.settings import HttpSettings
from lockstep.model.http import HttpRequest, HttpResponse
from lockstep.model.secrets import MASKER

MAX_REDIRECTS: Final = 5  # as many as RFC 2068 wanted clients to follow; more is a circle
# Of an error response: enough to say what is wrong, and it is kept with the step.
ERROR_BYTES: Final = 4096
# Below the 5 s after which many servers close: a request must not meet a closing connection.
KEEP_ALIVE_SECONDS: Final = 4.0

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# What may follow a redirect to somebody else; any other header may be a secret.
_HARMLESS: Final = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})
_DEFAULTS: Final = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"lockstep/{__version__}",
}


class Session:
    """One pool of connections; needs a running loop."""

    def __init__(self, settings: HttpSettings, names: AbstractResolver | None = None) -> None:
        self._settings = settings
        self._hosts = Hosts(settings.allowed_hosts)
        guard = _Guard(allow_private=settings.allow_private_addresses)
        self._resolver = _JudgedResolver(guard, names or aiohttp.ThreadedResolver())
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._resolver,
                socket_factory=guard.socket,
                limit=settings.pool_size,
                limit_per_host=settings.pool_size_per_host,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,  # a proxy would connect to whatever it is told
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await self._resolver.close()

    async def call(self, request: HttpRequest) -> HttpResponse:
        """Send a request and read the whole response; see `HttpClient.call`."""
        url = self._judged(request.url)
        where = f"{request.method} {url.origin()}"
        seconds = request.seconds
        if seconds > self._settings.max_timeout_seconds:
            most = self._settings.max_timeout_seconds
            raise HttpRefused(
                f"{where}: {seconds:g} s is longer than http.max_timeout_seconds ({most:g})"
            )
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self._followed(request, url)
        except TimeoutError as error:
            if limit.expired():
                raise HttpFailed(f"{where}: no whole response within {seconds:g} s") from None
            raise HttpFailed(f"{where}: the connection timed out") from error
        except (aiohttp.ClientError, OSError) as error:
            raise HttpFailed(f"{where}: {_reason(error)}") from error
        except ValueError as error:  # of the library: a header or a URL that it does not send
            raise HttpRefused(f"{where}: it cannot be sent: {type(error).__name__}") from error

    async def _followed(self, request: HttpRequest, url: URL) -> HttpResponse:
        """Follow the redirects of a GET or a HEAD, each judged as the first URL was."""
        headers = {**_DEFAULTS, **request.headers}
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._once(request, url, headers)
            target = response.header("Location")
            if (
                request.method not in ("GET", "HEAD")
                or response.status not in _REDIRECTS
                or target is None
            ):
                return response
            url, headers = self._next(url, target, headers)
        raise HttpFailed(f"{request.method} {url.origin()}: more than {MAX_REDIRECTS} redirects")

    def _next(self, url: URL, target: str, headers: dict[str, str]) -> tuple[URL, dict[str, str]]:
        try:
            there = self._judged(str(url.join(URL(target))))
        except (HttpRefused, ValueError) as error:
            text = str(error) if isinstance(error, HttpRefused) else "it leads to no URL"
            raise HttpRefused(f"{url.origin()}: a redirect was not followed: {text}") from None
        if there.origin() == url.origin():
            return there, headers
        if url.scheme == "https" and there.scheme == "http":
            raise HttpRefused(
                f"{url.origin()}: a redirect was not followed: it leads from https to"
                f" {there.origin()}"
            )
        kept = {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
        return there.with_user(None), kept

    async def _once(
        self, request: HttpRequest, url: URL, headers: Mapping[str, str]
    ) -> HttpResponse:
        async with self._session.request(
            request.method,
            url,
            headers=headers,
            data=request.body,
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),
        ) as response:
            most = self._settings.max_response_bytes
            is_whole_wanted = response.status < 300
            body = await _read(response, most if is_whole_wanted else min(most, ERROR_BYTES))
            if is_whole_wanted and len(body) > most:
                raise HttpTooLarge(
                    f"{request.method} {url.origin()}: the response ({response.status}) is larger"
                    f" than http.max_response_bytes ({most:,})"
                )
            kept = [(name, _clean(value)) for name, value in response.headers.items()]
            return HttpResponse(response.status, kept, body)

    def _judged(self, text: str) -> URL:
        """Take a URL apart and see that its host may be called.

        Raises:
            HttpRefused: It is no URL, or may not be called.
        """
        if any(char.isspace() or not char.isprintable() or char == "\\" for char in text):
            raise HttpRefused("url: spaces, backslashes and control characters must be encoded")
        try:
            url = URL(text)
            host = url.raw_host
        except ValueError:
            raise HttpRefused("url: this is no valid URL") from None
        if url.scheme not in ("http", "https") or not host:
            raise HttpRefused("url: http:// or https:// and a host are expected")
        if is_odd_address(host):
            raise HttpRefused(f"url: the host '{host}' is an address in an odd spelling")
        if not self._hosts.allows(host):
            raise HttpRefused(f"url: the host '{host}' is not in the setting http.allowed_hosts")
        return url


class _Guard:
    """Judges every address that a connection is made to."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    def check(self, address: str, host: str) -> None:
        """Refuse an address that may not be called.

        Raises:
            HttpRefused: It may not.
        """
        kind = addresses.kind_of(address)
        if kind == "public" or (kind == "private" and self._allow_private):
            return
        named = f"the host '{host}'" if host == address else f"the host '{host}' ({address})"
        hint = "; http.allow_private_addresses would allow it" if kind == "private" else ""
        raise HttpRefused(f"url: {named} is no public address{hint}")

    def socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Make the socket of a connection: the last word on where it goes to."""
        family, kind, protocol, _, address = info
        self.check(str(address[0]), str(address[0]))
        return socket.socket(family=family, type=kind, proto=protocol)


class _JudgedResolver(AbstractResolver):
    """Looks names up, and refuses a name if any of its addresses may not be called."""

    def __init__(self, guard: _Guard, inner: AbstractResolver) -> None:
        self._guard, self._inner = guard, inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the addresses of a name; connections are made to these and no others."""
        found = await self._inner.resolve(host, port, family)
        for one in found:
            self._guard.check(one["host"], host)
        return found

    async def close(self) -> None:
        await self._inner.close()


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Read the body, decompressed piece by piece, until its end or until it is past `most`."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > most:
            response.close()  # the rest is not wanted
            break
    return bytes(body)


def _clean(value: str) -> str:
    """Give the value of a header as text that can be stored: it may hold any bytes."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    """Say why there is no response, without the URL, which the library puts into some texts."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "the name of the host cannot be resolved"
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is refused: {error.certificate_error}"
        case aiohttp.ClientSSLError():
            return f"no TLS connection: {getattr(error.os_error, 'reason', '') or 'broken off'}"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            return f"no connection: {os.strerror(number) if number else error.os_error}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return "the connection ended before the response did"
        case aiohttp.ClientResponseError():
            return f"a response that is no HTTP: {MASKER.text(error.message)}"[:200]
        case OSError() if error.strerror:
            return f"the connection broke: {error.strerror}"
    return f"the connection broke: {type(error).__name__}"
