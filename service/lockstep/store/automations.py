"""Automations in PostgreSQL: stored, changed, listed."""

from collections.abc import AsyncIterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg
import msgspec

from lockstep.model.automations import Head, StoredDefinition
from lockstep.model.outbox import EventRow
from lockstep.model.runs import Ended, Ending
from lockstep.model.timers import DisarmedHold
from lockstep.model.waits import Due
from lockstep.store.imports import begin_import
from lockstep.store.outbox import add_events
from lockstep.store.parked import UNREADABLE, shown
from lockstep.store.pool import Store
from lockstep.store.queries import like, query
from lockstep.store.triggers import keep_holds
from lockstep.store.waits import end_runs
from lockstep_schemas.api import Automation, AutomationsList, Version
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.events import Actor

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

FORGET_AT_ONCE: Final = 1000  # runs with their steps: mostly far from the 10 s of a statement

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_actor = msgspec.json.Decoder(Actor).decode
_versions = msgspec.json.Decoder(dict[str, int]).decode


class AutomationChange:
    """See `control.automations.AutomationChange`."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def lock(self, automation_id: str) -> Automation | None:
        """Lock an automation against other changes, and read it."""
        await self._connection.execute(*query("automations/lock", id=automation_id))
        return await _read(self._connection, automation_id)

    async def lock_alone(self, automation_id: str) -> Automation | None:
        """Lock an automation against all others, launches and timers too, and read it."""
        await self._connection.execute(*query("automations/lock_alone", id=automation_id))
        return await _read(self._connection, automation_id)

    async def begin_import(self, subscription_id: str) -> bool:
        """See `control.automations.AutomationChange`."""
        return await begin_import(self._connection, subscription_id)

    async def insert(self, new: Automation, config_versions: Mapping[str, int]) -> bool:
        """Insert an automation with its first version; say whether its id was free."""
        version = await self._connection.fetchval(
            *query(
                "automations/insert",
                id=new.id,
                name=new.name,
                description=new.description,
                status=new.status,
                group=new.group,
                managed_by=new.managed_by,
                actor=_actor_text(new.updated_by),
                now=new.created_at,
                definition=_encode(new.definition).decode(),
                config_versions=_versions_text(config_versions),
            )
        )
        return version is not None

    async def update(
        self, new: Automation, config_versions: Mapping[str, int], *, new_version: bool
    ) -> None:
        """Write the head, and the definition where it is a new version."""
        if new_version:
            await self._connection.execute(
                *query(
                    "automations/insert_version",
                    automation_id=new.id,
                    version=new.version,
                    definition=_encode(new.definition).decode(),
                    now=new.updated_at,
                    config_versions=_versions_text(config_versions),
                )
            )
        await self._connection.execute(
            *query(
                "automations/update",
                id=new.id,
                name=new.name,
                description=new.description,
                status=new.status,
                group=new.group,
                managed_by=new.managed_by,
                version=new.version,
                actor=_actor_text(new.updated_by),
                now=new.updated_at,
            )
        )

    async def delete(self, automation_id: str, ending: Ending) -> list[Ended]:
        """Take an automation away and end its active runs; give those as they were."""
        await self._connection.execute(*query("automations/delete", id=automation_id))
        await self._connection.execute(*query("timers/drop_of", automation_id=automation_id))
        rows = await self._connection.fetch(*query("runs/active_of", automation_id=automation_id))
        return await end_runs(self._connection, [row["id"] for row in rows], ending)

    async def keep_holds(
        self, automation_id: str, trigger_ids: Sequence[str]
    ) -> list[DisarmedHold]:
        """See `control.automations.AutomationChange`."""
        return await keep_holds(self._connection, automation_id, trigger_ids)

    async def set_schedules(
        self, automation_id: str, wanted: Sequence[tuple[UUID, str, str, datetime]], now: datetime
    ) -> list[Due]:
        """Let these be the schedules of an automation; what is as before keeps its time."""
        rows = await self._connection.fetch(
            *query("timers/sync_schedules", automation_id=automation_id, schedules=wanted, now=now)
        )
        return [Due(row["id"], "schedule", row["due_at"]) for row in rows]

    async def look_back(self, automation_id: str, version: int, events: Sequence[str]) -> None:
        """See `control.automations.AutomationChange`."""
        if events:
            await self._connection.execute(
                *query(
                    "automations/look_back",
                    automation_id=automation_id,
                    version=version,
                    events=events,
                )
            )

    async def raise_revision(self) -> int:
        """Let every batch of events from now on reload. The last lock of the transaction."""
        return int(await self._connection.fetchval(*query("catalog/raise_revision")))

    async def add_events(self, events: Sequence[EventRow]) -> None:
        """Put events into the outbox."""
        await add_events(self._connection, events)


class AutomationStore:
    """What matching and the control API need of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @asynccontextmanager
    async def change(self) -> AsyncIterator[AutomationChange]:
        """Begin a change; it is in force for every event published after the block ends."""
        async with self._store.answered() as connection:
            yield AutomationChange(connection)

    async def insert_many(self, some: Sequence[tuple[str, str, Json]]) -> None:
        """Insert enabled automations, each with id, name and definition, in one change."""
        rows = [(one, name, _encode(raw).decode()) for one, name, raw in some]
        async with self._store.transaction() as connection:
            await connection.execute(*query("automations/insert_many", automations=rows))
            await connection.fetchval(*query("catalog/raise_revision"))

    async def revision(self) -> int:
        """See `ports.matching.AutomationSource`."""
        async with self._store.connection() as connection:
            return int(await connection.fetchval(*query("catalog/read_revision")))

    async def heads(self) -> tuple[int, Sequence[Head]]:
        """See `ports.matching.AutomationSource`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("catalog/heads"))
        heads = [
            Head(
                id=row["id"],
                name=row["name"],
                enabled=row["status"] == "enabled",
                version=row["version"],
                position=row["position"],
            )
            for row in rows
            if row["id"] is not None
        ]
        return rows[0]["revision"], heads

    async def looked_back(self) -> Set[str]:
        """See `ports.matching.AutomationSource`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("catalog/looked_back"))
        return frozenset(row["event_id"] for row in rows)

    async def definitions(
        self, keys: Sequence[tuple[str, int]]
    ) -> Mapping[tuple[str, int], StoredDefinition]:
        """See `ports.matching.AutomationSource`."""
        if not keys:
            return {}
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("catalog/definitions", versions=keys))
        return {(row["automation_id"], row["version"]): _stored(row) for row in rows}

    async def get(self, automation_id: str) -> Automation | None:
        """One automation."""
        async with self._store.connection() as connection:
            return await _read(connection, automation_id)

    async def page(
        self, wanted: AutomationsList, after: int | None
    ) -> tuple[list[Automation], int, list[int]]:
        """A page by creation, how many there are in all, and the position of each."""
        where = {
            "status": wanted.status,
            "group": wanted.group,
            "managed_by": wanted.managed_by,
            "event_named": None if wanted.event is None else _named(wanted.event),
            "text_like": like(wanted.text),
        }
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query(
                    "automations/list",
                    **where,
                    limit=wanted.limit,
                    offset=wanted.offset,
                    after=after,
                )
            )
            total = await connection.fetchval(*query("automations/count", **where))
        return [_automation(row) for row in rows], total, [row["position"] for row in rows]

    async def versions(self, automation_id: str) -> list[Version]:
        """All versions, oldest first."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("automations/versions", automation_id=automation_id)
            )
        return [
            Version(
                version=row["version"],
                definition=_definition(row["definition"]),
                created_at=row["created_at"],
                active_runs=row["active_runs"],
            )
            for row in rows
        ]

    async def forget_history(self, automation_id: str) -> None:
        """Delete the finished runs of an automation that is no more, in small batches."""
        gone = FORGET_AT_ONCE
        while gone == FORGET_AT_ONCE:
            async with self._store.connection() as connection:
                gone = await connection.fetchval(
                    *query(
                        "automations/forget_history",
                        automation_id=automation_id,
                        limit=FORGET_AT_ONCE,
                    )
                )


def _named(event: str) -> str:
    """Give what stands in the JSON of a definition that names such an event."""
    if event.endswith("*"):
        return f'"event":"{event.removesuffix("*")}'
    return f'"event":{_encode(event).decode()}'


async def _read(connection: "Connection", automation_id: str) -> Automation | None:
    row = await connection.fetchrow(*query("automations/get", id=automation_id))
    return _automation(row) if row else None


def _stored(row: asyncpg.Record) -> StoredDefinition:
    """Read a definition; one that is no JSON stays a text, which nobody can compile."""
    try:
        versions = _versions(row["config_versions"]) if row["config_versions"] else {}
        return StoredDefinition(_decode(row["definition"]), versions)
    except UNREADABLE:
        return StoredDefinition(row["definition"], {})


def _actor_text(actor: Actor | None) -> str | None:
    return None if actor is None else _encode(actor).decode()


def _automation(row: asyncpg.Record) -> Automation:
    return Automation(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        status=row["status"],
        group=row["group_name"],
        definition=_definition(row["definition"]),
        version=row["version"],
        managed_by=row["managed_by"],
        updated_by=shown(row["updated_by"], _actor),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _definition(text: str) -> JsonObject:
    """Give a definition; one that is damaged as its text, so it can be seen, changed, deleted."""
    found = shown(text, _decode)
    return found if isinstance(found, dict) else {"unreadable": text}


def _versions_text(config_versions: Mapping[str, int]) -> str | None:
    """Keep what is no 1, for which nothing stands."""
    later = {name: number for name, number in config_versions.items() if number > 1}
    return _encode(later).decode() if later else None
