"""Talking to a running engine over the bus."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import structlog

from lockstep import bus
from lockstep.config import Settings, load
from lockstep.model.errors import EngineError
from lockstep_schemas.api import Fault
from lockstep_schemas.base import Json

REQUEST_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 3.0

Made = TypeVar("Made")


class RequestRefused(EngineError):
    """The engine refused a request; the message is its own."""

    code = "api.refused"

    def __init__(self, fault: Fault) -> None:
        lines = [fault.message]
        for issue in fault.issues or []:
            place = ".".join(str(part) for part in issue.path)
            hint = f" ({issue.hint})" if issue.hint else ""
            lines.append(f"  {place or 'request'}: {issue.message}{hint}")
        super().__init__("\n".join(lines))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Options:
    """What was said before the command."""

    config: Path | None = None
    nats_url: str | None = None

    def settings(self) -> Settings:
        """Read the settings. Raises SettingError."""
        overrides: dict[str, object] = {}
        if self.nats_url:
            overrides["nats.servers"] = [self.nats_url]
        return load(self.config, overrides=overrides).settings


@dataclass(frozen=True, slots=True)
class Session:
    """A connection to the bus, and the API of the engines on it."""

    connection: bus.Connection

    async def call(self, endpoint: str, **request: object) -> Json:
        """Call an endpoint; give its reply as JSON.

        Raises:
            RequestRefused: The engine says no, and why.
            Unavailable: No engine answers.
        """
        client = bus.Client(self.connection)
        reply = await client.request(endpoint, msgspec.json.encode(request), REQUEST_SECONDS)
        if reply.error_code:
            raise RequestRefused(msgspec.json.decode(reply.body, type=Fault))
        return msgspec.json.decode(reply.body)

    async def all_automations(self) -> list[Json]:
        """Give all automations, page by page."""
        items: list[Json] = []
        while True:
            page = await self.call("automations.list", limit=200, offset=len(items))
            items += page["items"]
            if not page["items"] or len(items) >= page["total"]:
                return items


@asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[Session]:
    """Connect for the time of a command; give up soon where no server is."""
    nats = msgspec.structs.replace(settings.nats, name="lockstep-cli")
    connection = await bus.connect(nats, patience_seconds=PATIENCE_SECONDS, needs_jetstream=False)
    try:
        yield Session(connection)
    finally:
        await connection.close()


def run(work: Callable[[Session], Coroutine[Any, Any, Made]], options: Options) -> Made:
    """Do something with a session, from a command; what is logged meanwhile is not for people."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    settings = options.settings()

    async def talk() -> Made:
        async with session(settings) as opened:
            return await work(opened)

    return asyncio.run(talk())
