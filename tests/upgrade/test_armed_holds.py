"""What the version before has armed keeps its due time, and both versions may arm and disarm."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from databases import database, on_server
from engine.engine_fixture import EngineFixture, Stored, engine_fixture, rows, settings_of
from lockstep.embedded import Servers
from lockstep.model.decisions import digest
from lockstep.store.migrate import migrate
from patience import until
from upgrade.test_schema_grows import SCHEMA, STATEMENTS

TRIGGER = {
    "id": "held", "for": {"hours": 1}, "filter": "trigger.payload.on",
    "cancel_filter": "not trigger.payload.on",
}  # fmt: skip
RECORD = {"id": "r", "action": "test.record", "config": {"value": "{{ trigger.payload.n }}"}}
Json = dict[str, Any]


@pytest.fixture
async def older(servers: Servers) -> AsyncIterator[str]:
    """A database of the version before."""
    name = f"u_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name}")
    dsn = database(servers.postgres_dsn, name)
    await migrate(dsn, until=SCHEMA)
    yield dsn
    await on_server(servers.postgres_dsn, f"drop database {name} with (force)")


async def arm_as_before(dsn: str, key: str, at: datetime, due_at: datetime, n: int) -> UUID:
    """Arm a hold by the statement of the version before."""
    event: Json = {
        "id": "u.held", "payload": {"on": True, "n": n}, "delivery": f"S:{n}:0", "message_id": None,
        "context_key": key, "actor": {"type": "system", "id": "x"}, "hop": 0,
        "time": at.isoformat(), "sequence": 1,
    }  # fmt: skip
    timer_id = uuid4()
    values = [
        timer_id, "u1", "held", digest(key), key, json.dumps(event).encode(),
        at + timedelta(seconds=5), due_at,
    ]  # fmt: skip
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(STATEMENTS["arm_holds"], *([value] for value in values))
    finally:
        await connection.close()
    return timer_id


async def database_time(dsn: str) -> datetime:
    """The one clock."""
    ((now,),) = await rows(dsn, "select clock_timestamp()")
    assert isinstance(now, datetime)
    return now


async def stored(engine: EngineFixture) -> Stored:
    """Store the automation of these holds."""
    definition = {
        "name": "u1", "triggers": [{"event": "u.held", **TRIGGER}], "actions": [RECORD],
        "mode": "parallel", "max_runs": 100,
    }  # fmt: skip
    await engine.call("automations.create", id="u1", name="u1", definition=definition)
    return Stored(engine, "u1", "u.held")


async def held(dsn: str) -> Mapping[str, tuple[UUID, datetime]]:
    """The holds that stand, by key."""
    found = await rows(dsn, "select id, context_key, due_at from timers")
    return {row["context_key"]: (row["id"], row["due_at"]) for row in found}


async def handled(dsn: str, key: str, number: int) -> None:
    """Wait until so many events are kept for a key."""

    async def enough() -> bool:
        kept = await rows(dsn, "select from hold_events where context_key = $1", key)
        return len(kept) == number

    await until(enough)


async def over(engine: EngineFixture, dsn: str) -> None:
    """Let the time of all holds be over."""
    found = await rows(dsn, "update timers set due_at = clock_timestamp() returning id")
    await engine.assembly.pipelines.timers.ring([row["id"] for row in found])


async def test_a_hold_of_the_version_before_keeps_its_due_time_and_fires(
    servers: Servers, older: str
) -> None:
    now = await database_time(older)
    due_at = now + timedelta(hours=3)
    kept = await arm_as_before(older, "kept", now - timedelta(minutes=1), due_at, 1)
    gone = await arm_as_before(older, "gone", now - timedelta(minutes=1), due_at, 2)
    await migrate(older)
    settings = settings_of(servers.nats_url, older, f"u{uuid4().hex[:12]}")
    async with engine_fixture(settings) as engine:
        automation = await stored(engine)
        assert await held(older) == {"kept": (kept, due_at), "gone": (gone, due_at)}
        await engine.publish("u.held", {"on": True, "n": 3}, key="kept")
        await engine.publish("u.held", {"on": False}, key="gone")
        await handled(older, "kept", 1)
        await handled(older, "gone", 2)
        assert await held(older) == {"kept": (kept, due_at)}
        await over(engine, older)
        (run_id,) = await engine.ended(automation.id, 1)
        seen = await automation.seen(run_id)
        assert (seen.status, seen.recorded) == ("success", ["1"])
        assert (await held(older), await rows(older, "select from timers")) == ({}, [])


async def test_what_the_version_before_arms_and_ends_meanwhile_counts(
    servers: Servers, dsn: str
) -> None:
    now = await database_time(dsn)
    settings = settings_of(servers.nats_url, dsn, f"u{uuid4().hex[:12]}")
    async with engine_fixture(settings) as engine:
        automation = await stored(engine)
        for n in (1, 2):
            await engine.publish("u.held", {"on": True, "n": n}, key="k")
        await handled(dsn, "k", 1)
        # A replica of the version before handles an event that cancels, and one that arms.
        ((timer_id, _),) = (await held(dsn)).values()
        connection = await asyncpg.connect(dsn)
        await connection.execute(STATEMENTS["drop_timers"], [timer_id])
        await connection.close()
        ((second,),) = await rows(dsn, "select time from hold_events")
        due_at = now + timedelta(hours=3)
        at = second + timedelta(microseconds=1)
        theirs = await arm_as_before(dsn, "k", at, due_at, 3)
        await engine.publish("u.held", {"on": True, "n": 4}, key="k")
        await until(lambda: last_is_kept(dsn))
        assert await held(dsn) == {"k": (theirs, due_at)}
        await over(engine, dsn)
        (run_id,) = await engine.ended(automation.id, 1)
        assert (await automation.seen(run_id)).recorded == ["3"]
        assert await rows(dsn, "select from hold_events") == []


async def last_is_kept(dsn: str) -> bool:
    """Whether the last event is what is kept, and it alone."""
    kept = await rows(dsn, "select from hold_events where event like '%\"n\":4%'::bytea")
    return len(kept) == 1
