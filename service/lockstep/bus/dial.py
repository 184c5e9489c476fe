"""One attempt to connect: options, credentials, and what went wrong in words."""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import nats.errors
import structlog
from msgspec import Struct

from lockstep.bus.settings import BusSettings, redacted
from lockstep.bus.wire import Wire
from lockstep.model.errors import (
    BusUnavailable,
    EngineError,
    ServerUnfit,
    SettingError,
    Unavailable,
)

log = structlog.get_logger()

NEEDED: Final = (2, 12)  # the first that has schedules of messages, which alarms are
_LIMIT_SECONDS: Final = 10.0
"""For each server; nats-py gives it two attempts of 2 s to connect and 2 s to greet."""
_RENEWED: Final = ("user", "password", "token", "tls")  # the other files nats-py reads itself
_FILES: Final = (
    "nkey_seed_file",
    "credentials_file",
    "tls_ca_file",
    "tls_cert_file",
    "tls_key_file",
)


class Hooks(Struct, frozen=True):
    """Whom the client tells what; none of them may raise."""

    error: Callable[[Exception], Awaitable[None]]
    lost: Callable[[], Awaitable[None]]
    back: Callable[[], Awaitable[None]]
    closed: Callable[[], Awaitable[None]]


async def dial(settings: BusSettings, hooks: Hooks, fresh: Callable[[], BusSettings]) -> Wire:
    """Try every server of the settings, in any order, once or twice each.

    `fresh` gives the settings as they are at each later attempt.

    Raises:
        Unavailable: None answers that may do so later.
        ServerUnfit: All that answer refuse our credentials or break off TLS.
        SettingError: A file is missing or of no use.
    """
    options = _options(settings)
    faults: list[EngineError] = []
    for url in random.sample(settings.servers, len(settings.servers)):
        try:
            wire = await _dial_one(url, options, hooks, fresh)
        except (Unavailable, ServerUnfit) as fault:
            faults.append(fault)
            continue
        wire.know(settings.servers)
        # Once it has been connected it tries for ever.
        wire.options["max_reconnect_attempts"] = -1
        return wire
    # One that is only away is worth waiting for, whatever is wrong with the others.
    raise next((fault for fault in faults if isinstance(fault, Unavailable)), faults[0])


async def _dial_one(
    url: str, options: dict[str, Any], hooks: Hooks, fresh: Callable[[], BusSettings]
) -> Wire:
    faults: list[Exception] = []
    hopeless = asyncio.Event()
    dialling = True

    async def note(error: Exception) -> None:
        if not dialling:
            await hooks.error(error)
            return
        faults.append(error)
        if isinstance(_explained(url, faults), ServerUnfit):
            hopeless.set()

    wire = Wire(partial(_fresh, fresh))
    connecting = asyncio.create_task(
        wire.connect(
            servers=[url],
            error_cb=note,
            disconnected_cb=hooks.lost,
            reconnected_cb=hooks.back,
            closed_cb=hooks.closed,
            **options,
        ),
        name="bus.dial",
    )
    giving_up = asyncio.create_task(hopeless.wait(), name="bus.dial.hopeless")
    try:
        # Not awaited to its end: after a TLS failure nats-py waits for ever for the socket.
        await asyncio.wait(
            {connecting, giving_up},
            timeout=_LIMIT_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not connecting.done():
            raise _explained(url, faults)
        connecting.result()
    except (nats.errors.Error, OSError) as error:
        raise _explained(url, [*faults, error]) from error
    finally:
        connecting.cancel()
        giving_up.cancel()
        await asyncio.wait({connecting, giving_up}, timeout=1)
    dialling = False
    return wire


def version_of(wire: Wire) -> str:
    """Give the version of the server, as it tells it."""
    return repr(wire.connected_server_version).removeprefix("<nats server v").removesuffix(">")


def check_version(wire: Wire, server: str) -> str:
    """Refuse a server that is too old.

    Raises:
        ServerUnfit: It is, or its version cannot be read.
    """
    version, found = wire.connected_server_version, version_of(wire)
    needed = ".".join(map(str, NEEDED))
    try:
        fit = (version.major, version.minor) >= NEEDED
    except ValueError:
        raise ServerUnfit(
            f"NATS at {server} says version {found!r}; Lockstep needs NATS {needed} or newer"
        ) from None
    if not fit:
        raise ServerUnfit(
            f"NATS {found} at {server} is too old: Lockstep needs NATS {needed} or newer"
        )
    return found


def _fresh(settings: Callable[[], BusSettings]) -> dict[str, Any]:
    """Give who we are now; while files are being written, who we were."""
    try:
        options = _options(settings())
    except SettingError as error:
        log.warning("bus.credentials_unread", error=error)
        return {}
    return {name: value for name in _RENEWED if (value := options[name]) is not None}


def _options(settings: BusSettings) -> dict[str, Any]:
    for field in _FILES:
        path = getattr(settings, field)
        if path and not Path(path).is_file():
            raise SettingError(f"{field}: there is no file {path}")
    if (settings.nkey_seed_file or settings.credentials_file) and find_spec("nkeys") is None:
        raise SettingError("nkey_seed_file and credentials_file need the package `nkeys`")
    return {
        "name": settings.name,
        "inbox_prefix": settings.inbox_prefix,
        "max_reconnect_attempts": 1,  # while dialling: then it gives up and says why
        "reconnect_time_wait": random.uniform(0.2, 0.4),  # noqa: S311 - spreads the replicas
        "ping_interval": 5,
        "max_outstanding_pings": 2,
        "user": settings.user or None,
        "password": settings.password or None,
        "token": settings.token or None,
        "nkeys_seed": settings.nkey_seed_file or None,
        "user_credentials": settings.credentials_file or None,
        "tls": _tls(settings),
    }


def _tls(settings: BusSettings) -> ssl.SSLContext | None:
    if not (settings.tls_ca_file or settings.tls_cert_file):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca_file or None)
        if settings.tls_cert_file:
            context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file or None)
    except (ssl.SSLError, OSError) as error:
        raise SettingError(
            "tls_ca_file, tls_cert_file, tls_key_file: "
            f"cannot be used as certificates and key: {error}"
        ) from error
    return context


def _explained(url: str, faults: list[Exception]) -> EngineError:
    server = redacted(url)
    for fault in faults:
        text = str(fault).removeprefix("nats: ").strip("'")
        if isinstance(fault, ssl.SSLError):
            return ServerUnfit(f"TLS with NATS at {server} failed: {text}; see tls_ca_file")
        if "authorization" in text.lower() or "authentication" in text.lower():
            return ServerUnfit(
                f"NATS at {server} refuses us ({text}): see user, password, token, "
                "nkey_seed_file and credentials_file"
            )
    named = [fault for fault in faults if isinstance(fault, OSError)] or faults[-1:]
    reason = (str(named[0]) or type(named[0]).__name__) if named else "no greeting"
    return BusUnavailable(f"no NATS server answers at {server}: {reason}")
