"""A stored definition that somebody has damaged: people see it, and all beside it goes on."""

import pytest

from engine.engine_fixture import engine_fixture, rows
from engine.test_language import record
from engine.test_parked import _settings, ended, kinds, tried
from engine.test_replicas import handled
from lockstep.embedded import Servers

DEEP = "[" * 100_000 + "]" * 100_000
DAMAGES = {"cut": '{"name": "x', "list": "[1]", "null": "null", "text": '"x"', "deep": DEEP}
DAMAGE = "update automation_versions set definition = $1 where automation_id = $2 and version = $3"


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damaged_version_is_listed_with_its_text_and_keeps_no_other_from_it(
    servers: Servers, dsn: str, name: str
) -> None:
    text = DAMAGES[name]
    async with engine_fixture(_settings(servers, dsn)) as opened:
        one = await opened.automation([record("x")])
        for value in ("y", "z"):
            shown = await opened.call("automations.get", id=one.id)
            changed = {**shown["definition"], "actions": [record(value)]}
            await opened.call("automations.update", id=one.id, definition=changed)
        await rows(dsn, DAMAGE, text, one.id, 2)
        items = (await opened.call("automations.versions", id=one.id))["items"]
        assert [item["version"] for item in items] == [1, 2, 3]
        assert items[1]["definition"] == {"unreadable": text}
        assert [items[n]["definition"]["actions"] for n in (0, 2)] == [[record("x")], [record("z")]]


async def test_an_automation_with_a_damaged_definition_is_mended_by_a_new_one_and_can_be_disabled(
    servers: Servers, dsn: str
) -> None:
    trigger = {"event": "d.came", "for": {"hours": 1}}
    async with engine_fixture(_settings(servers, dsn)) as opened:
        one = await opened.automation([record("x")], triggers=[trigger], event="d.came")
        definition = (await opened.call("automations.get", id=one.id))["definition"]
        await opened.publish("d.came", {})
        await handled(opened)
        assert len(await rows(dsn, "select from timers")) == 1
        await rows(dsn, DAMAGE, "{", one.id, 1)
        await opened.call("automations.update", id=one.id, definition=definition)
        assert await rows(dsn, "select from timers") == []
        shown = await opened.call("automations.get", id=one.id)
        assert (shown["version"], shown["definition"]) == (2, definition)
        await rows(dsn, DAMAGE, "{", one.id, 2)
        disabled = await opened.call("automations.toggle", id=one.id, enabled=False)
        assert (disabled["version"], disabled["status"]) == (2, "disabled")
        refused = await opened.ask("automations.toggle", id=one.id, enabled=True)
        assert refused.error_code == "400", refused.body
        renamed = await opened.call("automations.update", id=one.id, name="another")
        assert renamed["name"] == "another"


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damaged_definition_is_shown_and_parks_its_events_alone(
    servers: Servers, dsn: str, name: str
) -> None:
    text = DAMAGES[name]
    settings = _settings(servers, dsn)
    async with engine_fixture(settings) as opened:
        one = await opened.automation([record("x")], event="p.came")
        other = await opened.automation([record("y")], event="p.came")
        await rows(dsn, DAMAGE, text, one.id, 1)
        await rows(dsn, "update automations set updated_by = '{' where id = $1", one.id)
    async with engine_fixture(settings) as opened:
        await opened.publish("p.came", {})
        await ended(dsn, other, 1)
        assert (await opened.call("automations.get", id=one.id))["definition"] == {
            "unreadable": text
        }
        listed = (await opened.call("automations.list"))["items"]
        assert [found["id"] for found in listed] == [one.id, other.id]
        await tried(opened)
        assert (await kinds(opened))["automation"] == 1
        assert (await opened.call("automations.versions", id=one.id))["items"][0]["version"] == 1
