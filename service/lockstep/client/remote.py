"""A running engine, by its API on the bus."""

import getpass
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET

from lockstep import bus
from lockstep.bus.settings import redacted
from lockstep.client import unreachable
from lockstep.client.paging import PAGE
from lockstep.model.errors import BusUnavailable, EngineError, Unavailable
from lockstep.settings.structs import Settings
from lockstep_schemas import api, migration
from lockstep_schemas.events import HEADER_ACTOR, Actor

REQUEST_SECONDS: Final = 15.0
"""For an answer: an engine that waits itself answers after 5 s; thrice that where it is busy."""
CANDIDATES: Final = 10
"""Of an ambiguous beginning of an id: so many are listed."""
SHORTEST: Final = 4
"""Characters of an id that stand for it, where no other begins so."""
FULL_ID: Final = 36  # characters of a UUID
_ID_PART: Final = re.compile(r"[0-9A-Fa-f][0-9A-Fa-f-]*")
_GIVEN: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""An id that the engine has given, which nobody types in full."""
_OLDEST: Final = "automations.list"
"""What every engine answers to, of whatever version."""

Reply = TypeVar("Reply", bound=msgspec.Struct)


class ApiRefused(EngineError):
    """The engine refused; `fault` is its answer. Programs see this code from old engines only."""

    code = "api.refused"
    advice = "Do what the message says."

    def __init__(self, fault: api.Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class NameAmbiguous(ApiRefused):
    """Several automations have the name that was given."""

    code = "automation.ambiguous"
    category = "conflict"
    advice = "Name one by its id."

    def __init__(self, message: str) -> None:
        super().__init__(api.Fault(code=self.category, error=self.code, message=message))


class NoRunYet(ApiRefused):
    """The newest run was asked for, and there is none."""

    code = "run.none_yet"
    category = "not_found"
    advice = "Publish an event that starts one, or `lockstep start` one."

    def __init__(self, automation: str | None, status: api.StatusFilter | None) -> None:
        of = "" if automation is None else f" of automation '{automation}'"
        which = "" if status is None else f" that is {status}"
        text = f"there is no run{of}{which}"
        super().__init__(api.Fault(code=self.category, error=self.code, message=text))


class IdAmbiguous(ApiRefused):
    """Several things have an id that begins with what was typed; the message lists them."""

    code = "id.ambiguous"
    category = "conflict"
    advice = "Type more of the id."

    def __init__(self, what: str, typed: str, candidates: Sequence[str]) -> None:
        shown = "".join(f"\n  {one}" for one in candidates[:CANDIDATES])
        more = "\n  and others" if len(candidates) > CANDIDATES else ""
        text = f"several {what} have an id that begins with '{typed}':{shown}{more}"
        super().__init__(api.Fault(code=self.category, error=self.code, message=text))


class ActInterrupted(EngineError):
    """Some of many things were dealt with, then the engine could not be asked any more."""

    code = "act.interrupted"
    advice = "Look what became of those that the message names before you say it again."


class ReplyUnreadable(EngineError):
    """The engine answered in a form that this version does not know; use that of the engine."""

    code = "api.reply_unreadable"
    advice = "Use the `lockstep` of the engine's version."


class Remote:
    """A running engine."""

    def __init__(self, connection: bus.Connection) -> None:
        self.connection = connection
        self._client = bus.ApiClient(connection)
        self._headers = {HEADER_ACTOR: msgspec.json.encode(whoami()).decode()}

    async def versions(self, automation_id: str) -> list[api.Version]:
        """Read all versions of an automation."""
        found: list[api.Version] = []
        after = 0
        while True:
            request = api.VersionsGet(automation_id, after)
            page = await self.call("automations.versions", request, api.Versions)
            found += page.items
            if page.next_after is UNSET:
                return found
            after = page.next_after

    async def run_id(self, typed: str) -> str:
        """Give the id of the run that is meant: its id, or the beginning of it.

        What no run has is given back; the engine says that there is none.

        Raises:
            IdAmbiguous: Several begin so.
        """
        if len(typed) < SHORTEST or len(typed) >= FULL_ID or not _ID_PART.fullmatch(typed):
            return typed
        request = api.RunsList(id=typed, limit=CANDIDATES + 1)
        found = (await self.call("runs.list", request, api.RunsPage)).items
        if len(found) > 1:
            lines = [f"{one.id}  {one.automation_name}, {one.status}" for one in found]
            raise IdAmbiguous("runs", typed, lines)
        return found[0].id if found else typed

    async def newest_run(
        self, automation: str | None, status: api.StatusFilter | None, *, whole: bool = False
    ) -> str:
        """Give the id of the newest run, or the newest of an automation; `whole` as there.

        Raises:
            ApiRefused: There is none.
        """
        of = None if automation is None else (await self.automation(automation, whole=whole)).id
        request = api.RunsList(automation_id=of, status=status, limit=1)
        found = (await self.call("runs.list", request, api.RunsPage)).items
        if not found:
            raise NoRunYet(automation, status)
        return found[0].id

    async def run(self, typed: str) -> api.RunDetail:
        """Read a run with all its steps, in as many pages as that takes.

        Raises: as `run_id`.
        """
        run_id = await self.run_id(typed)
        detail = await self.call("runs.get", api.RunGet(run_id), api.RunDetail)
        while detail.next_after is not UNSET:
            request = api.RunGet(run_id, detail.next_after)
            more = await self.call("runs.get", request, api.RunDetail)
            detail = msgspec.structs.replace(
                detail,
                steps=[*detail.steps, *more.steps],
                artifacts=[*detail.artifacts, *more.artifacts],
                next_after=more.next_after,
            )
        return detail

    async def ask(self, endpoint: str, request: msgspec.Struct) -> bytes:
        """Call an endpoint; give the body of the reply.

        Raises:
            Refused: The engine refuses.
            Unavailable: None answers, or it does not know this endpoint.
        """
        body = msgspec.json.encode(request)
        try:
            reply = await self._client.request(endpoint, body, REQUEST_SECONDS, self._headers)
        except bus.NoEngine as error:
            raise bus.NoEngine(await self._nobody(endpoint)) from error
        if reply.error_code:
            raise ApiRefused(_fault(reply))
        return reply.body

    async def _nobody(self, endpoint: str) -> str:
        """Say why nobody answers: no engine is there, or it is one that does not know the call."""
        connection = self.connection
        try:
            await self._client.request(_OLDEST, b"", REQUEST_SECONDS)
        except bus.NoEngine:
            subject = connection.names.api(endpoint)
            return unreachable.engine(connection.server, subject, connection.names.prefix)
        return unreachable.endpoint(endpoint, connection.server)

    async def call(self, endpoint: str, request: msgspec.Struct, kind: type[Reply]) -> Reply:
        """Call an endpoint; give its reply.

        Raises:
            Refused: The engine refuses.
            ReplyUnreadable: The reply is not of this version.
            Unavailable: None answers.
        """
        return read(endpoint, await self.ask(endpoint, request), kind)

    async def automations(self) -> list[api.Automation]:
        """List all automations, by creation."""
        found: list[api.Automation] = []
        cursor: str | None = None
        while True:
            request = api.AutomationsList(limit=PAGE, cursor=cursor)
            page = await self.call("automations.list", request, api.AutomationsPage)
            found += page.items
            if page.next_cursor is UNSET:
                return found
            cursor = page.next_cursor

    async def import_failures(self) -> list[migration.ImportFailure]:
        """List the subscriptions that failed and that nobody has acknowledged, oldest first."""
        found: dict[str, migration.ImportFailure] = {}  # pages overlap where some go meanwhile
        offset = 0
        while True:
            request = migration.FailuresList(limit=PAGE, offset=offset)
            page = await self.call("migration.failures", request, migration.Failures)
            found |= {one.id: one for one in page.items}
            offset += len(page.items)
            if not page.items or offset >= page.total:
                return list(found.values())

    async def automation(self, id_or_name: str, *, whole: bool = False) -> api.Automation:
        """Find an automation by its id, else by its name, else by the beginning of its id.

        With `whole` the beginning of an id that its author chose is not enough: `door` would stand
        for `door-2` where it is gone, and what is done then cannot be taken back.

        Raises:
            ApiRefused: There is none, or several have this name or begin so.
        """
        try:
            return await self.call("automations.get", api.ById(id_or_name), api.Automation)
        except ApiRefused as error:
            if error.fault.code != "not_found":
                raise
            every = await self.automations()
            named = [one for one in every if one.name == id_or_name]
            if not named and len(id_or_name) >= SHORTEST:
                named = [one for one in every if one.id.startswith(id_or_name)]
                if whole and not all(_GIVEN.fullmatch(one.id) for one in named):
                    raise _not_whole(error, named) from None
                if len(named) > 1:
                    lines = [f"{one.id}  {one.name}" for one in named]
                    raise IdAmbiguous("automations", id_or_name, lines) from None
            if len(named) == 1:
                return named[0]
            if not named:
                raise
            ids = ", ".join(one.id for one in named)
            text = f"{len(named)} automations are called '{id_or_name}': {ids}; name one by its id"
            raise NameAmbiguous(text) from None


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Remote]:
    """Connect to the bus of the settings, once and without patience.

    Raises:
        Unavailable: No server answers.
    """
    async with dialled(settings) as connection:
        yield Remote(connection)


@asynccontextmanager
async def dialled(
    settings: Settings, *, needs_jetstream: bool = False
) -> AsyncIterator[bus.Connection]:
    """Connect to the bus itself.

    Raises:
        Unavailable: No server answers.
        ServerUnfit: One does, and is of no use.
    """
    nats = msgspec.structs.replace(settings.nats, name="lockstep-cli")
    try:
        connection = await bus.connect(nats, patience_seconds=0, needs_jetstream=needs_jetstream)
    except Unavailable as error:
        servers = ", ".join(redacted(url) for url in nats.servers)
        reason = str(error).rpartition(f"{servers}: ")[2]
        raise BusUnavailable(unreachable.nats(servers, reason)) from error
    try:
        yield connection
    finally:
        await connection.close()


def _not_whole(error: ApiRefused, found: Sequence[api.Automation]) -> ApiRefused:
    """Refuse the beginning of an id that somebody chose."""
    ids = ", ".join(f"'{one.id}'" for one in found[:CANDIDATES])
    text = f"{error.fault.message}; {ids} begins so: here an id of one's own is written in full"
    return ApiRefused(msgspec.structs.replace(error.fault, message=text))


def read(what: str, body: bytes, kind: type[Reply]) -> Reply:
    """Read what an engine sent.

    Raises:
        ReplyUnreadable: It is not of this version.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise ReplyUnreadable(
            f"{what}: the engine is of another version than this command line: {error}"
        ) from error


def whoami() -> Actor:
    """Say who uses the command line, as the operating system knows him."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        login = None
    return Actor(type="user", id=login)


def _fault(reply: bus.ApiReply) -> api.Fault:
    try:
        return msgspec.json.decode(reply.body, type=api.Fault)
    except msgspec.DecodeError:
        return api.Fault(code="internal", message=reply.error or f"error {reply.error_code}")
