"""Parked events: many at once, tried as soon as somebody can, kept for nobody who is gone."""

from engine.engine_fixture import engine_fixture, rows
from engine.test_language import record
from engine.test_parked import LOUD, MAILER, _settings, ended, tried
from lockstep import store
from lockstep.embedded import Servers
from lockstep.engine.serve import open_store
from lockstep.settings.structs import Settings

MANY = 330


async def number_parked(dsn: str) -> int:
    """How many events are parked."""
    return int((await rows(dsn, "select count(*) from parked_events"))[0][0])


async def add_many(settings: Settings, number: int) -> None:
    """Store automations that only a replica with the plug-in can compile."""
    definition = {
        "name": "many",
        "triggers": [{"event": "p.came", "filter": LOUD}],
        "actions": [record("x")],
        "mode": "parallel",
        "max_runs": 1000,
    }
    opened = await open_store(settings)
    try:
        await store.AutomationStore(opened).insert_many(
            [(f"many{n}", "many", definition) for n in range(number)]
        )
    finally:
        await opened.close()


async def test_a_large_event_is_kept_for_hundreds_of_automations_and_others_have_it_at_once(
    servers: Servers, dsn: str
) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings) as unable:
        other = await unable.automation([record("y")], event="p.came")
        await add_many(settings, MANY)
        await unable.publish("p.came", {"word": "go", "pad": "x" * 880_000})
        await unable.publish("p.came", {"word": "no"})
        await ended(dsn, other, 2)
        assert await number_parked(dsn) == 2 * MANY
        stored = "select sum(octet_length(body)) from parked_events"
        assert (await rows(dsn, stored))[0][0] < 1_000_000, "not repeated for each"
        async with engine_fixture(settings, plugins=MAILER) as able:
            for _ in range(2 * MANY // 100 + 1):
                await tried(able)
            assert await number_parked(dsn) == 0
            begun = "select count(*) from runs where automation_id like 'many%'"
            assert (await rows(dsn, begun))[0][0] == MANY
