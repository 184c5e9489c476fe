"""What is said where nobody answers: what was tried, which setting says so, what to do now."""

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

SOURCES: Final = ContextVar[Mapping[str, str]]("sources", default=MappingProxyType({}))
"""Where the settings of this command come from; those that are not named have their default."""


def nats(servers: str, reason: str) -> str:
    """No NATS server is there."""
    return (
        f"no NATS server answers at {servers} ({_setting('nats.servers')}): {reason}; start one "
        "with `lockstep dev`, or name another with `lockstep --nats-url URL`"
    )


def engine(server: str, subject: str, prefix: str) -> str:
    """NATS is there, but no engine."""
    return (
        f"NATS at {server} ({_setting('nats.servers')}) is there, but no Lockstep engine answers "
        f"on {subject} (prefix '{prefix}': {_setting('nats.prefix')}); start one with "
        "`lockstep serve`, or set nats.prefix to that of the engine"
    )


def endpoint(name: str, server: str) -> str:
    """An engine is there that does not know a call."""
    return (
        f"the engine at {server} does not know the call `{name}`: it is older than this command "
        "line; update the engine, or use the `lockstep` of its version"
    )


def postgres(dsn: str, reason: str) -> str:
    """PostgreSQL is not there, or refuses us."""
    return (
        f"{reason}; {_setting('postgres.dsn')}: {dsn}; start PostgreSQL there, or set "
        "postgres.dsn to another (LOCKSTEP_POSTGRES__DSN)"
    )


def _setting(name: str) -> str:
    source = SOURCES.get().get(name, "default")
    return f"{name}, by default" if source == "default" else f"{name}, from {source}"
