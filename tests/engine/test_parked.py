"""What a replica cannot compile or read is put aside for one that can; the others go on."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from databases import on_server
from engine.engine_fixture import EngineFixture, Plugin, Stored, engine_fixture, rows, settings_of
from engine.test_language import record
from lockstep.catalog import Registry
from lockstep.embedded import Servers
from lockstep.model.types import ActionContext, ActionResult
from lockstep.settings.structs import Settings
from patience import until

Json = dict[str, Any]


async def _sent(_: ActionContext) -> ActionResult:
    return ActionResult()


def _mailer(registry: Registry) -> None:
    registry.add_action("send", _sent)
    registry.add_filter("loud", lambda value: str(value).upper())
    registry.trigger("came", bus=True)


MAILER: Mapping[str, Plugin] = {"mailer": _mailer}
SEND: Json = {"action": "mailer.send", "config": {}}
LOUD = "trigger.payload.word | loud == 'GO'"


def _settings(servers: Servers, dsn: str, **parts: Any) -> Settings:
    return settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}", stale_seconds=60, **parts)


async def parked(opened: EngineFixture, **wanted: object) -> list[Json]:
    """What is parked, as the API lists it."""
    found: list[Json] = (await opened.call("parked.list", **wanted))["items"]
    return found


async def tried(opened: EngineFixture) -> None:
    """Let a replica try what others have parked, as it does every few seconds."""
    await opened.assembly.loops.parked.sweep()


async def kinds(opened: EngineFixture) -> Counter[str]:
    """How much is parked, by kind."""
    return Counter(one["kind"] for one in await parked(opened, limit=200))


async def ended(dsn: str, automation: Stored, runs: int, status: str = "success") -> None:
    """Wait until so many runs of an automation have ended, all of them like this."""
    query = "select status from runs where automation_id = $1 and finished_at is not null"

    async def enough() -> bool:
        return len(await rows(dsn, query, automation.id)) >= runs

    await until(enough, f"{runs} ends")
    found = [row["status"] for row in await rows(dsn, query, automation.id)]
    assert found == [status] * runs


@pytest.mark.parametrize(
    ("what", "fields", "actions"),
    [
        ("filter", {"triggers": [{"event": "p.came", "filter": LOUD}]}, [record("x")]),
        ("action", {"triggers": [{"event": "p.came"}]}, [SEND]),
        ("inner action", {"triggers": [{"event": "p.came"}]}, [{"sequence": [SEND]}]),
        ("condition", {"triggers": [{"event": "p.came"}], "conditions": [LOUD]}, [record("x")]),
    ],
)
async def test_an_event_is_kept_for_an_automation_that_cannot_be_compiled_and_others_have_it(
    servers: Servers, dsn: str, what: str, fields: Json, actions: list[Json]
) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings, plugins=MAILER) as able:
        asks = await able.automation(actions, **fields)
        other = await able.automation([record("y")], event="p.came")
    async with engine_fixture(settings) as unable:
        for number in range(3):
            await unable.publish("p.came", {"word": "go", "number": number}, key=f"k{number}")
        await ended(dsn, other, 3)
        items = await parked(unable, kind="event")
        assert [(one["automation_id"], one["event"]) for one in items] == [(asks.id, "p.came")] * 3
        assert all("mailer.send" in one["reason"] or "loud" in one["reason"] for one in items)
        detail = await unable.call("parked.show", id=items[0]["id"])
        assert detail["row"]["body"] == '{"word": "go", "number": 0}'
        await tried(unable)
        assert await kinds(unable) == {"event": 3, "automation": 1}
        assert (await unable.call("status"))["parked"] == {"event": 3, "automation": 1}
        async with engine_fixture(settings, plugins=MAILER) as able:
            await tried(able)
            await ended(dsn, asks, 3)
            assert await kinds(able) == {"automation": 1}, "one replica still cannot"
    keys = await rows(dsn, "select context_key from runs where automation_id = $1", asks.id)
    assert sorted(row["context_key"] for row in keys) == ["k0", "k1", "k2"]
    async with engine_fixture(settings, plugins=MAILER) as able:
        await tried(able)
        assert await kinds(able) == {}, what


async def test_an_event_of_a_type_that_one_replica_does_not_know_is_taken_by_the_other(
    servers: Servers, dsn: str
) -> None:
    settings = _settings(servers, dsn, catalog="strict")
    async with engine_fixture(settings, is_open=False, plugins=MAILER) as able:
        asks = await able.automation([record("x")], event="mailer.came")
    async with engine_fixture(settings, is_open=False) as unable:
        await unable.publish("mailer.came", {})
        await until(lambda: _parked_number(dsn, 1))
        assert (await unable.call("dead.list"))["items"] == []
        # An event that nobody asks for is what it was: unknown.
        await unable.publish("mailer.went", {})
        await until(lambda: _letters(unable, 1))
        async with engine_fixture(settings, is_open=False, plugins=MAILER) as able:
            await tried(able)
            await ended(dsn, asks, 1)


async def _parked_number(dsn: str, number: int) -> bool:
    return (await rows(dsn, "select count(*) from parked where kind = 'event'"))[0][0] == number


async def _letters(opened: EngineFixture, number: int) -> bool:
    return len((await opened.call("dead.list"))["items"]) == number


async def test_a_sleeping_run_waits_for_a_replica_that_can_compile_its_automation(
    servers: Servers, dsn: str
) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings, plugins=MAILER) as able:
        asleep = await able.automation([record("a"), {"delay": {"seconds": 600}}, SEND])
        await able.publish(asleep.event, {})
        run_id = (await able.heard(asleep.id, "waiting")).data.run_id
    async with engine_fixture(settings) as unable:
        other = await unable.automation([record("y")])
        await unable.make_due(run_id)
        await until(lambda: _is_parked(dsn, run_id))
        run = (await unable.call("runs.get", id=run_id))["run"]
        assert run["status"] == "waiting"
        assert "action 'mailer.send'" in run["waiting_for"]
        assert (await other.run()).status == "success"
        (row,) = await rows(dsn, "select owner, finished_at from runs where id = $1", UUID(run_id))
        assert tuple(row) == (None, None)
        async with engine_fixture(settings, plugins=MAILER) as able:
            await tried(able)
            await ended(dsn, asleep, 1)
            assert await parked(able, kind="run") == []
    steps = await rows(
        dsn,
        "select action_path, status from run_steps where run_id = $1 order by seq",
        UUID(run_id),
    )
    assert [tuple(step) for step in steps] == [(f"actions[{n}]", "success") for n in range(3)]


async def _is_parked(dsn: str, run_id: str) -> bool:
    return bool(await rows(dsn, "select from parked where id = $1", f"run:{run_id}"))


async def test_holds_and_schedules_wait_for_a_replica_that_can_compile_their_automation(
    servers: Servers, dsn: str
) -> None:
    settings = _settings(servers, dsn)
    cron = {"event": "automation.cron", "config": {"cronPattern": "* * * * * *"}}
    async with engine_fixture(settings, plugins=MAILER) as able:
        held = await able.automation(
            [SEND], triggers=[{"event": "p.held", "for": {"seconds": 3600}}]
        )
        await able.publish("p.held", {})
        await until(lambda: _timers(dsn, 1))
    async with engine_fixture(settings, plugins=MAILER) as able:
        ticks = await able.automation([SEND], triggers=[cron], max_runs=1000)
    begun = len(await rows(dsn, "select from runs where automation_id = $1", ticks.id))
    async with engine_fixture(settings) as unable:
        await on_server(dsn, "update timers set due_at = now() - interval '1 s'")
        unable.assembly.loops.wakeups.look()
        await unable.assembly.loops.wakeups.triggers.sweep()
        await until(lambda: _parked_timers(dsn, 2))
        found = await parked(unable, kind="timer")
        assert {one["automation_id"] for one in found} == {held.id, ticks.id}
        async with engine_fixture(settings, plugins=MAILER) as able:
            await tried(able)
            await ended(dsn, held, 1)
            await until(lambda: _more_runs(dsn, ticks, begun))


async def _timers(dsn: str, number: int) -> bool:
    return len(await rows(dsn, "select from timers")) == number


async def _parked_timers(dsn: str, number: int) -> bool:
    return len(await rows(dsn, "select from timers where parked_at is not null")) == number


async def _more_runs(dsn: str, automation: Stored, than: int) -> bool:
    return len(await rows(dsn, "select from runs where automation_id = $1", automation.id)) > than


async def test_an_event_is_kept_for_a_wait_whose_filter_cannot_be_compiled(
    servers: Servers, dsn: str
) -> None:
    settings = _settings(servers, dsn)
    wait = {
        "wait_for_trigger": {
            "event": "p.answer",
            "filter": "trigger.payload.word | loud == 'YES'",
            "timeout_seconds": 3600,
        }
    }
    async with engine_fixture(settings, plugins=MAILER) as able:
        waits = await able.automation([wait, record("{{ wait.payload.word }}")])
        await able.publish(waits.event, {})
        await able.heard(waits.id, "waiting")
        await until(lambda: _armed(dsn))
    async with engine_fixture(settings) as unable:
        await unable.publish("p.answer", {"word": "no"}, key="")
        await unable.publish("p.answer", {"word": "yes"}, key="")
        await until(lambda: _parked_number(dsn, 2))
        async with engine_fixture(settings, plugins=MAILER) as able:
            await tried(able)
            await ended(dsn, waits, 1)
            assert await parked(able, kind="event") == []
        assert [one.value for one in able.recorder.records] == ["yes"]


async def _armed(dsn: str) -> bool:
    return bool(await rows(dsn, "select from waits where kind = 'event' and state = 'armed'"))


async def test_an_event_that_was_parked_too_long_becomes_a_dead_letter_for_that_automation_alone(
    servers: Servers, dsn: str
) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings, plugins=MAILER) as able:
        asks = await able.automation([SEND], event="p.late")
        other = await able.automation([record("y")], event="p.late")
    async with engine_fixture(settings) as unable:
        await unable.publish("p.late", {"n": 1}, key="k")
        await ended(dsn, other, 1)
        hours = settings.parked.hours + 1
        await on_server(
            dsn, f"update parked_events set parked_at = now() - interval '{hours} hours'"
        )
        await tried(unable)
        assert await parked(unable, kind="event") == []
        (letter,) = (await unable.call("dead.list"))["items"]
        assert "parked for more than 72 hours" in letter["reason"]
        async with engine_fixture(settings, plugins=MAILER) as able:
            await able.call("dead.retry", ids=[letter["id"]])
            await until(lambda: _parked_or_run(dsn, asks))
            await tried(able)
            await ended(dsn, asks, 1)
    found = await rows(dsn, "select automation_id from runs order by automation_id")
    assert sorted(row[0] for row in found) == sorted([asks.id, other.id]), "nobody had it twice"


async def _parked_or_run(dsn: str, automation: Stored) -> bool:
    return await _more_runs(dsn, automation, 0) or await _parked_number(dsn, 1)


async def test_a_discarded_event_becomes_a_dead_letter(servers: Servers, dsn: str) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings, plugins=MAILER) as able:
        await able.automation([SEND], event="p.gone")
        await able.automation([SEND], event="p.gone")
    async with engine_fixture(settings) as unable:
        await unable.publish("p.gone", {"n": 1})
        await until(lambda: _parked_number(dsn, 2))
        ids = [one["id"] for one in await parked(unable, kind="event")]
        assert await unable.call("parked.discard", ids=ids) == {"done": 2, "failed": []}
        letters = (await unable.call("dead.list"))["items"]
        assert len(letters) == 2, "one for each automation"
        assert await parked(unable, kind="event") == []
        refused = await unable.ask("parked.discard", ids=ids)
        assert refused.error_code == "404"


@pytest.mark.parametrize("by", ["id", "name"])
async def test_a_step_that_starts_what_cannot_be_compiled_here_is_done_by_another_replica(
    servers: Servers, dsn: str, by: str
) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings, plugins=MAILER) as able:
        kid = await able.automation([SEND])
        name = (await able.call("automations.get", id=kid.id))["name"]
    config = {"automation": kid.id if by == "id" else name, "wait": True}
    start = {"action": "automation.start", "id": "kid", "config": config}
    async with engine_fixture(settings) as unable:
        parent = await unable.automation([record("a"), start, record("b")])
        await unable.publish(parent.event, {})
        await until(lambda: _run_parked(dsn))
        (item,) = await parked(unable, kind="run")
        assert item["automation_id"] == parent.id
        assert "actions[1]: automation" in item["reason"]
        assert "mailer.send" in item["reason"]
        async with engine_fixture(settings, plugins=MAILER) as able:
            await tried(able)
            await ended(dsn, parent, 1)
            await ended(dsn, kid, 1)
            assert await parked(able, kind="run") == []
            said = [*unable.recorder.records, *able.recorder.records]
            assert [one.value for one in said] == ["a", "b"]


async def test_a_branch_beside_it_ends_its_action_before_the_run_is_put_aside(
    servers: Servers, dsn: str
) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings, plugins=MAILER) as able:
        kid = await able.automation([SEND])
    start = {"action": "automation.start", "id": "kid", "config": {"automation": kid.id}}
    slow = {"action": "test.slow", "config": {"seconds": 0.3}}
    beside = {"sequence": [slow, record("x"), record("y")]}
    async with engine_fixture(settings) as unable:
        both = await unable.automation([{"parallel": [start, beside]}, record("z")])
        await unable.publish(both.event, {})
        await until(lambda: _run_parked(dsn))
        async with engine_fixture(settings, plugins=MAILER) as able:
            await tried(able)
            await ended(dsn, both, 1)
            said = [*unable.recorder.records, *able.recorder.records]
    assert Counter(one.value for one in said) == {"x": 1, "y": 1, "z": 1}
    attempts = await rows(
        dsn, "select attempts from run_steps where action_path like '%sequence[0]'"
    )
    assert [row["attempts"] for row in attempts] == [1]


async def _run_parked(dsn: str) -> bool:
    return bool(await rows(dsn, "select from parked where kind = 'run'"))


async def test_who_asks_by_hand_for_what_cannot_be_compiled_here_is_told_to_ask_again(
    servers: Servers, dsn: str
) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings, plugins=MAILER) as able:
        asks = await able.automation([SEND])
        (past,) = [(await asks.run()).detail.run.id]
    async with engine_fixture(settings) as unable:
        for endpoint, request in [
            ("runs.start", {"automation_id": asks.id}),
            ("runs.retry", {"id": past, "from": "start"}),
        ]:
            refused = await unable.ask(endpoint, **request)
            assert refused.error_code == "503"
            assert b'"automation.elsewhere"' in refused.body
            assert b"mailer.send" in refused.body


@pytest.mark.parametrize("column", ["headers = '{'", "delivery = 'damaged'"])
async def test_a_parked_event_that_cannot_be_read_keeps_no_other_from_being_tried(
    servers: Servers, dsn: str, column: str
) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings, plugins=MAILER) as able:
        asks = await able.automation([SEND], event="p.odd")
    async with engine_fixture(settings) as unable:
        for number in range(3):
            await unable.publish("p.odd", {"number": number})
        await until(lambda: _parked_number(dsn, 3))
    oldest = "(select id from parked_events order by parked_at limit 1)"
    await on_server(dsn, f"update parked_events set {column} where id = {oldest}")
    async with engine_fixture(settings, plugins=MAILER) as able:
        await tried(able)
        await ended(dsn, asks, 2)
        (item,) = await parked(able, kind="event")
        assert "mailer.send" not in item["reason"], "why it cannot be read"
        if "headers" in column:
            assert await able.call("parked.discard", ids=[item["id"]]) == {"done": 1, "failed": []}
        else:
            hours = settings.parked.hours + 1
            await on_server(
                dsn, f"update parked_events set parked_at = now() - interval '{hours} hours'"
            )
            await tried(able)
        assert await parked(able, kind="event") == []
        (letter,) = (await able.call("dead.list"))["items"]
        assert letter["reason"]
