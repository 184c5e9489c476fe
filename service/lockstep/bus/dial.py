"""One attempt to connect: options, credentials, and what went wrong in words."""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import nats.errors
from msgspec import Struct

from lockstep.bus.settings import BusSettings, redacted
from lockstep.bus.wire import Wire
from lockstep.model.errors import ServerUnfit, SettingError, Unavailable

NEEDED: Final = (2, 12)
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


async def dial(settings: BusSettings, hooks: Hooks) -> Wire:
    """Try every server of the settings once or twice.

    Raises:
        Unavailable: None answers.
        ServerUnfit: One answers, and refuses our credentials or breaks off TLS, or is too old.
        SettingError: A file is missing, a URL is none.
    """
    options = _options(settings)
    faults: list[Exception] = []
    dialling = True

    async def note(error: Exception) -> None:
        if dialling:
            faults.append(error)
        else:
            await hooks.error(error)

    wire = Wire()
    try:
        await wire.connect(
            servers=settings.servers,
            error_cb=note,
            disconnected_cb=hooks.lost,
            reconnected_cb=hooks.back,
            closed_cb=hooks.closed,
            **options,
        )
    except (nats.errors.Error, OSError) as error:
        raise _explained(settings, [*faults, error]) from error
    except asyncio.CancelledError:
        await wire.close()
        raise
    dialling = False
    # Once it has been connected it tries for ever.
    wire.options["max_reconnect_attempts"] = -1
    return wire


def check_version(wire: Wire, server: str) -> str:
    """Refuse a server that is too old.

    Raises:
        ServerUnfit: It is, or its version cannot be read.
    """
    version = wire.connected_server_version
    found = repr(version).removeprefix("<nats server v").removesuffix(">")
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


def _explained(settings: BusSettings, faults: list[Exception]) -> Exception:
    servers = ", ".join(redacted(url) for url in settings.servers)
    for fault in faults:
        text = str(fault).removeprefix("nats: ").strip("'")
        if isinstance(fault, ssl.SSLError):
            return ServerUnfit(f"TLS with NATS at {servers} failed: {text}; see tls_ca_file")
        if "authorization" in text.lower() or "authentication" in text.lower():
            return ServerUnfit(
                f"NATS at {servers} refuses us ({text}): see user, password, token, "
                "nkey_seed_file and credentials_file"
            )
        if "invalid" in text and "url" in text:
            return SettingError(f"servers: one of {servers} is no address of a NATS server")
    named = next((fault for fault in faults if isinstance(fault, OSError)), faults[-1])
    reason = str(named) or type(named).__name__
    return Unavailable(f"no NATS server answers at {servers}: {reason}")
