"""The endpoints `automations.*`."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

import msgspec
import structlog
from msgspec import UNSET

from lockstep.control.demands import (
    disarmings,
    has_timers,
    holding,
    looks_back,
    wanted_schedules,
)
from lockstep.control.errors import (
    AutomationExists,
    AutomationNotFound,
    InvalidDefinition,
    InvalidRequest,
    StaleVersion,
    check_automation_id,
)
from lockstep.control.fitting import check_fits, fitting, position
from lockstep.model.errors import Unavailable
from lockstep.model.ids import uuid7
from lockstep.model.outbox import EventRow
from lockstep.model.runs import Ended, Ending
from lockstep.model.texts import path_text
from lockstep.model.timers import DisarmedHold
from lockstep.model.waits import Due
from lockstep.ports.cancel import Terminator
from lockstep.ports.clock import Clock
from lockstep.ports.listeners import Listener
from lockstep_schemas.api import (
    Automation,
    AutomationCreate,
    AutomationsList,
    AutomationsPage,
    AutomationToggle,
    AutomationUpdate,
    ById,
    Issue,
    Success,
    ValidateRequest,
    Validation,
    Version,
    Versions,
    VersionsGet,
)
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import AutomationEvent, AutomationEventData

log = structlog.get_logger()


class AutomationChange(Protocol):
    """A transaction that changes one automation."""

    async def lock(self, automation_id: str) -> Automation | None:
        """Lock it against other changes until the end of the transaction."""
        ...

    async def lock_alone(self, automation_id: str) -> Automation | None:
        """Lock it against launches and timers too: it goes, or its timers change."""
        ...

    async def begin_import(self, subscription_id: str) -> bool:
        """Lock the import of a subscription; say whether it has no automation yet."""
        ...

    async def insert(self, new: Automation, config_versions: Mapping[str, int]) -> bool:
        """Insert it; say whether its id was free."""
        ...

    async def update(
        self, new: Automation, config_versions: Mapping[str, int], *, new_version: bool
    ) -> None:
        """Write it."""
        ...

    async def delete(self, automation_id: str, ending: Ending) -> list[Ended]:
        """Take it away, end its active runs, give those."""
        ...

    async def keep_holds(
        self, automation_id: str, trigger_ids: Sequence[str]
    ) -> Sequence[DisarmedHold]:
        """Disarm the holds of all other triggers, drop what is kept for them; give both."""
        ...

    async def set_schedules(
        self, automation_id: str, wanted: Sequence[tuple[UUID, str, str, datetime]], now: datetime
    ) -> list[Due]:
        """Let these be its schedules; give those that are new."""
        ...

    async def look_back(self, automation_id: str, version: int, events: Sequence[str]) -> None:
        """Have events kept that the waits of a version look back on."""
        ...

    async def raise_revision(self) -> int:
        """Put the change in force for all later events."""
        ...

    async def add_events(self, events: Sequence[EventRow]) -> None:
        """Put events into the outbox."""
        ...


class AutomationStore(Protocol):
    """The stored automations."""

    def change(self) -> AbstractAsyncContextManager[AutomationChange]:
        """Begin a change."""
        ...

    async def get(self, automation_id: str) -> Automation | None:
        """One of them."""
        ...

    async def page(
        self, wanted: AutomationsList, after: int | None
    ) -> tuple[list[Automation], int, list[int]]:
        """A page by creation, how many there are, and the position of each."""
        ...

    async def versions(self, automation_id: str) -> list[Version]:
        """All its versions."""
        ...

    async def forget_history(self, automation_id: str) -> None:
        """Delete the finished runs of one that is no more."""
        ...


class Checker(Protocol):
    """The one engine of validation."""

    async def refresh(self) -> None:
        """Let it know all types that were registered until now."""
        ...

    async def definition(self, raw: Json) -> Validation:
        """Judge a definition; others have their turn meanwhile."""
        ...

    def config_versions(self, raw: Json) -> Mapping[str, int]:
        """Say of which version the configs in a valid definition are, by action."""
        ...

    async def source(self, text: str) -> Validation:
        """Judge the YAML or JSON text of one, with lines and columns."""
        ...


class AutomationEndpoints:
    """Creates, changes and lists automations."""

    def __init__(
        self,
        store: AutomationStore,
        checker: Checker,
        terminator: Terminator,
        listener: Listener,
        clock: Clock,
        prefix: str,
    ) -> None:
        self._store, self._checker = store, checker
        self._terminator, self._listener = terminator, listener
        self._clock, self._prefix = clock, prefix

    async def list(self, request: AutomationsList, _: Actor | None) -> AutomationsPage:
        """By creation. A cursor is the position of the last automation of the page before."""
        after = position(request.cursor)
        if after is not None:
            request = msgspec.structs.replace(request, offset=0)
        found, total, positions = await self._store.page(request, after)
        items = fitting(found)
        goes_on = len(items) < len(found) or len(items) == request.limit
        cursor = str(positions[len(items) - 1]) if goes_on else UNSET
        return AutomationsPage(items, total, request.limit, request.offset, cursor)

    async def get(self, request: ById, _: Actor | None) -> Automation:
        """One automation."""
        check_automation_id(request.id)
        found = await self._store.get(request.id)
        if found is None:
            raise AutomationNotFound(request.id)
        return found

    async def create(self, request: AutomationCreate, actor: Actor | None) -> Automation:
        """Store an automation; it is in force for every event published after the reply."""
        new = await self._new(request, actor)
        async with self._store.change() as change:
            created = await self._insert(change, new)
        self._created(created)
        return new

    async def create_imported(
        self, request: AutomationCreate, subscription_id: str, actor: Actor | None
    ) -> bool:
        """See `control.migration.AutomationCreator`."""
        new = await self._new(request, actor)
        async with self._store.change() as change:
            if not await change.begin_import(subscription_id):
                return False
            created = await self._insert(change, new)
        self._created(created)
        return True

    async def _new(self, request: AutomationCreate, actor: Actor | None) -> Automation:
        await self._check(request.definition)
        now = self._clock.now()
        new = Automation(
            id=request.id or str(uuid7()),
            name=request.name,
            description=request.description,
            status=request.status,
            group=request.group,
            definition=request.definition,
            version=1,
            managed_by=request.managed_by,
            updated_by=actor,
            created_at=now,
            updated_at=now,
        )
        check_fits(new, "automation")
        return new

    async def _insert(
        self, change: AutomationChange, new: Automation
    ) -> tuple[EventRow, Sequence[Due]]:
        versions = self._checker.config_versions(new.definition)
        if not await change.insert(new, versions):
            raise AutomationExists(f"automation '{new.id}' exists already; update it")
        await change.look_back(new.id, new.version, looks_back(new))
        now = new.created_at
        ticking = await change.set_schedules(new.id, wanted_schedules(new, now), now)
        return await self._announce(change, new, "created"), ticking

    def _created(self, created: tuple[EventRow, Sequence[Due]]) -> None:
        """Let all hear of an automation, now that it is committed."""
        event, ticking = created
        self._listener.reported([event])
        self._listener.armed((), (), ticking)

    async def update(self, request: AutomationUpdate, actor: Actor | None) -> Automation:
        """Change the fields that are given; running runs keep their version."""
        check_automation_id(request.id)
        if request.definition is not UNSET:
            await self._check(request.definition)
        async with self._store.change() as change:
            before = await change.lock(request.id)
            if before is None:
                raise AutomationNotFound(request.id)
            expected = request.expected_version
            if expected is not None and expected != before.version:
                raise StaleVersion(
                    f"automation '{before.id}' has version {before.version}, not {expected}; "
                    "read it again and repeat the change",
                )
            after = self._changed(before, request, actor)
            check_fits(after, "automation")
            is_new = after.version != before.version
            versions = self._checker.config_versions(after.definition) if is_new else {}
            if has_timers(before) or has_timers(after):
                await change.lock_alone(after.id)
            await change.update(after, versions, new_version=is_new)
            if is_new:
                await change.look_back(after.id, after.version, looks_back(after))
            disarmed = await change.keep_holds(after.id, holding(before, after))
            now = after.updated_at
            ticking = await change.set_schedules(after.id, wanted_schedules(after, now), now)
            event = await self._announce(change, after, "updated")
        self._listener.reported([event])
        self._listener.armed((), [one.id for one in disarmed if one.id is not None], ticking)
        self._tell_of(disarmed, after)
        return after

    def _tell_of(self, disarmed: Sequence[DisarmedHold], after: Automation) -> None:
        """Let all hear why what was armed starts nothing."""
        if not disarmed:
            return
        decisions = disarmings(disarmed, after)
        log.info(
            "holds.disarmed",
            automation_id=after.id,
            version=after.version,
            events=len(disarmed),
            told=len(decisions),
        )
        self._listener.judged(decisions)

    async def toggle(self, request: AutomationToggle, actor: Actor | None) -> Automation:
        """Enable or disable; waiting and queued runs go on."""
        status: Literal["enabled", "disabled"] = "enabled" if request.enabled else "disabled"
        return await self.update(AutomationUpdate(id=request.id, status=status), actor)

    async def delete(self, request: ById, actor: Actor | None) -> Success:
        """Cancel its runs, then take it away with its history."""
        check_automation_id(request.id)
        ending = self._terminator.cancelling("the automation was deleted")
        async with self._store.change() as change:
            before = await change.lock_alone(request.id)
            if before is None:
                raise AutomationNotFound(request.id)
            ended = await change.delete(request.id, ending)
            await change.add_events([self._terminator.event(one, ending) for one in ended])
            gone = msgspec.structs.replace(before, updated_by=actor)
            event = await self._announce(change, gone, "deleted")
        self._listener.reported([event])
        await self._terminator.announce(ended)
        try:
            await self._store.forget_history(request.id)
        except Unavailable as error:  # it is deleted; housekeeping forgets what is left of it
            log.warning("service.delayed", error=error)
        return Success()

    async def versions(self, request: VersionsGet, actor: Actor | None) -> Versions:
        """All versions, oldest first, with the runs that are pinned to them."""
        await self.get(ById(request.id), actor)
        every = await self._store.versions(request.id)
        left = [one for one in every if one.version > request.after]
        items = fitting(left)
        return Versions(items, items[-1].version if len(items) < len(left) else UNSET)

    async def validate(self, request: ValidateRequest, _: Actor | None) -> Validation:
        """Say every fault of a definition, and what may be meant otherwise."""
        await self._checker.refresh()
        if request.source is not UNSET:
            if request.definition is not UNSET:
                raise InvalidRequest("give `definition` or `source`, not both")
            return await self._checker.source(request.source)
        if request.definition is UNSET:
            raise InvalidRequest("give `definition`, or its text as `source`")
        return await self._checker.definition(request.definition)

    async def _check(self, definition: Json) -> None:
        await self._checker.refresh()
        verdict = await self._checker.definition(definition)
        if not verdict.valid:
            raise InvalidDefinition(_first_fault(verdict.errors), verdict.errors)

    def _changed(
        self, before: Automation, request: AutomationUpdate, actor: Actor | None
    ) -> Automation:
        fields = ("name", "description", "status", "group", "managed_by", "definition")
        given = {name: getattr(request, name) for name in fields}
        changes = {name: value for name, value in given.items() if value is not UNSET}
        definition: JsonObject = changes.get("definition", before.definition)
        version = before.version + (definition != before.definition)
        return msgspec.structs.replace(
            before, **changes, version=version, updated_by=actor, updated_at=self._clock.now()
        )

    async def _announce(
        self,
        change: AutomationChange,
        automation: Automation,
        what: Literal["created", "updated", "deleted"],
    ) -> EventRow:
        """Put the event of a change into the outbox; its seq is the revision that it brings."""
        revision = await change.raise_revision()
        topic = f"automation:{automation.id}"
        event = AutomationEvent(
            id=f"{automation.id}:{revision}",
            source=f"/{self._prefix}/{automation.id}",
            type=f"lockstep.automation.{what}",
            subject=automation.id,
            time=self._clock.now(),
            data=AutomationEventData(
                automation_id=automation.id,
                name=automation.name,
                version=automation.version,
                status=automation.status,
                actor=automation.updated_by or Actor(),
            ),
        )
        subject = f"{self._prefix}.automation.{automation.id}.{what}"
        body = msgspec.json.encode(event)
        row = EventRow(topic, revision, subject, event.id, body, event.time)
        await change.add_events([row])
        return row


def _first_fault(issues: Sequence[Issue]) -> str:
    first = issues[0]
    place = path_text(first.path) or "definition"
    more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
    return f"the definition is refused: {place}: {first.message}{more}"
