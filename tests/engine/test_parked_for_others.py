"""Parked events: many at once, tried as soon as somebody can, kept for nobody who is gone."""

import msgspec
import pytest

from databases import on_server
from engine.engine_fixture import Stored, engine_fixture, rows
from engine.test_language import record
from engine.test_parked import LOUD, MAILER, _settings, ended, parked, tried
from lockstep import store
from lockstep.embedded import Servers
from lockstep.engine.serve import open_store
from lockstep.settings.structs import Settings
from patience import until

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


async def _asking(settings: Settings) -> Stored:
    """Store an automation whose filter only a replica with the plug-in has."""
    async with engine_fixture(settings, plugins=MAILER) as able:
        return await able.automation([record("x")], triggers=[{"event": "p.came", "filter": LOUD}])


@pytest.mark.parametrize("tries", [1, 0])
async def test_an_event_for_an_automation_that_was_disabled_when_it_was_tried_is_tried_again(
    servers: Servers, dsn: str, tries: int
) -> None:
    """Also by a replica that has not seen yet that it is enabled."""
    settings = _settings(servers, dsn)
    asks = await _asking(settings)
    async with engine_fixture(settings) as unable:
        await unable.publish("p.came", {"word": "go"})
        await until(lambda: _number(dsn, 1))
        await unable.call("automations.toggle", id=asks.id, enabled=False)
        async with engine_fixture(settings, plugins=MAILER) as able:
            for _ in range(tries):
                await tried(able)
            (item,) = await parked(able, kind="event")
            assert "loud" in item["reason"], "why it was parked, as before"
            await unable.call("automations.toggle", id=asks.id, enabled=True)
            await tried(able)
            await ended(dsn, asks, 1)
            assert await parked(able, kind="event") == []


async def test_events_for_disabled_automations_keep_no_other_from_being_tried(
    servers: Servers, dsn: str
) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings) as unable:
        await add_many(settings, 120)
        await unable.publish("p.came", {"word": "go"})
        await until(lambda: _number(dsn, 120))
        await on_server(dsn, "update automations set status = 'disabled' where id <> 'many7'")
        newest = "update parked_events set parked_at = now() where automation_id = 'many7'"
        await on_server(dsn, newest)
    async with engine_fixture(settings, plugins=MAILER) as able:
        await tried(able)
        assert await number_parked(dsn) == 119
        begun = await rows(dsn, "select automation_id from runs")
        assert [row["automation_id"] for row in begun] == ["many7"]


async def test_a_changed_automation_has_its_parked_events_tried_again_by_those_that_had_failed(
    servers: Servers, dsn: str
) -> None:
    """Which replica can judge them depends on what it says, whatever they have found before."""
    settings = _settings(servers, dsn)
    asks = await _asking(settings)
    async with engine_fixture(settings) as unable:
        await unable.publish("p.came", {"word": "go"})
        await until(lambda: _number(dsn, 1))
        async with engine_fixture(settings, plugins=MAILER) as able:
            mark = "update parked_events set parked_tried = array(select id from workers)"
            await on_server(dsn, mark)
            await tried(able)
            assert await number_parked(dsn) == 1
            await able.call("automations.update", id=asks.id, name="another")
            await tried(able)
            await ended(dsn, asks, 1)


WAIT = {
    "wait_for_trigger": {
        "event": "p.answer",
        "filter": "trigger.payload.word | loud == 'YES'",
        "timeout_seconds": 3600,
    }
}


@pytest.mark.parametrize("over", ["cancelled", "timed out", "lost"])
@pytest.mark.parametrize("is_old", [False, True])
async def test_an_event_for_a_wait_that_is_over_is_forgotten_and_no_dead_letter(
    servers: Servers, dsn: str, over: str, is_old: bool
) -> None:
    settings = _settings(servers, dsn)
    soon = msgspec.structs.replace(settings.engine, expire_hold_max_seconds=1.0)
    settings = msgspec.structs.replace(settings, engine=soon)  # it came in time, and is not handled
    async with engine_fixture(settings, plugins=MAILER) as able:
        waits = await able.automation([WAIT, {"delay": {"seconds": 600}}, record("x")])
        for _ in range(2):
            await able.publish(waits.event, {})
        await until(lambda: _armed(dsn, 2))
    async with engine_fixture(settings) as unable:
        await unable.publish("p.answer", {"word": "no"}, key="")
        await until(lambda: _number(dsn, 2))
        await tried(unable)
        assert await number_parked(dsn) == 2, "kept while they wait"
        (first, kept) = [row["id"] for row in await rows(dsn, "select id from runs order by id")]
        if over == "cancelled":
            await unable.call("runs.cancel", id=str(first))
        elif over == "timed out":
            await unable.make_due(str(first))
            await until(lambda: _armed(dsn, 1))
        else:
            await rows(dsn, "delete from waits where run_id = $1", first)
        if is_old:
            old = "update parked_events set parked_at = now() - interval '100 days' where wait_id"
            await on_server(dsn, f"{old} not in (select id from waits where run_id = '{kept}')")
        await tried(unable)
        left = "select run_id from waits join parked_events e on e.wait_id = waits.id"
        assert [row["run_id"] for row in await rows(dsn, left)] == [kept]
        assert await number_parked(dsn) == 1
        assert (await unable.call("dead.list"))["items"] == []


async def _armed(dsn: str, number: int) -> bool:
    armed = "select from waits where kind = 'event' and state = 'armed'"
    return len(await rows(dsn, armed)) == number


async def _number(dsn: str, number: int) -> bool:
    return await number_parked(dsn) == number
