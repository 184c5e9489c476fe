"""One thing waits for one thing: nobody holds a connection and waits for another one."""

import asyncio
from uuid import uuid4

import msgspec

from engine.engine_fixture import engine_fixture, settings_of
from lockstep.embedded import Servers
from lockstep.settings.structs import PostgresSettings
from patience import patience

STARTS = 32  # at once, and far more than connections


async def test_starts_at_once_after_a_change_of_an_automation_hold_up_neither_each_other_nor_beats(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"o{uuid4().hex[:10]}")
    settings = msgspec.structs.replace(settings, postgres=PostgresSettings(dsn=dsn, pool_size=4))
    async with engine_fixture(settings) as engine:
        stored = await engine.automation([])
        for name in ("one", "two", "three"):
            await engine.call("automations.update", id=stored.id, name=name)
            async with patience():
                replies = await asyncio.gather(
                    *(engine.ask("runs.start", automation_id=stored.id) for _ in range(STARTS))
                )
            refused = {reply.body.decode() for reply in replies if reply.error_code}
            assert not refused
        assert engine.assembly.loops.heartbeat.is_steady
