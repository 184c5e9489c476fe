"""A row that cannot be read, in each table that a loop reads: two replicas go on beside it."""

from uuid import UUID, uuid4

import msgspec
import pytest

from databases import on_server
from engine.engine_fixture import EngineFixture, Stored, engine_fixture, rows, settings_of
from engine.test_language import record
from engine.test_parked import ended, parked, tried
from lockstep.embedded import Servers
from patience import until

NAP = {"delay": {"seconds": 600}}
ROBOT = "convert_to('{\"type\": \"robot\"}', 'utf8')"
PARKED = "select id from parked"


async def _parked_ids(dsn: str) -> set[str]:
    return {row["id"] for row in await rows(dsn, PARKED)}


async def _is_parked(dsn: str, name: str) -> bool:
    return name in await _parked_ids(dsn)


async def _asleep(opened: EngineFixture) -> tuple[Stored, str]:
    automation = await opened.automation([NAP, record("after")])
    await opened.publish(automation.event, {})
    return automation, (await opened.heard(automation.id, "waiting")).data.run_id


@pytest.mark.parametrize(
    ("damage", "mend", "says"),
    [
        (f"update runs set actor = {ROBOT}", "update runs set actor = '{}'", "robot"),
        (
            "update runs set trigger_payload = '{'",
            "update runs set trigger_payload = '{}'",
            "truncated",
        ),
    ],
)
async def test_a_run_that_cannot_be_read_is_parked_and_goes_on_when_it_can(
    servers: Servers, dsn: str, damage: str, mend: str, says: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}", stale_seconds=60)
    async with engine_fixture(settings) as one, engine_fixture(settings) as two:
        automation, run_id = await _asleep(one)
        await on_server(dsn, damage)
        await one.make_due(run_id)
        await two.make_due(run_id)
        name = f"run:{run_id}"
        await until(lambda: _is_parked(dsn, name))
        await tried(one)
        await tried(two)
        (item,) = await parked(one, kind="run")
        assert (item["id"], item["automation_id"]) == (name, automation.id)
        assert says in item["reason"]
        other = await two.automation([record("y")])
        await two.publish(other.event, {})
        await ended(dsn, other, 1)
        await on_server(dsn, mend)
        assert await one.call("parked.retry", ids=[name]) == {"done": 1, "failed": []}
        await tried(one)
        await ended(dsn, automation, 1)
        assert await parked(one) == []


async def test_a_parked_run_is_cancelled_where_it_is_discarded(servers: Servers, dsn: str) -> None:
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}", stale_seconds=60)
    async with engine_fixture(settings) as one:
        automation, run_id = await _asleep(one)
        await on_server(dsn, f"update runs set actor = {ROBOT}")
        await one.make_due(run_id)
        name = f"run:{run_id}"
        await until(lambda: _is_parked(dsn, name))
        assert (await one.call("parked.discard", ids=[name]))["done"] == 1
        await ended(dsn, automation, 1, "cancelled")
        assert await one.ended(automation.id, 1) == [run_id]
        assert await parked(one) == []


async def test_ops_hear_of_a_parked_run_that_is_discarded_though_its_state_is_gone(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}", stale_seconds=60)
    async with engine_fixture(settings) as one:
        automation, run_id = await _asleep(one)
        await on_server(dsn, f"update runs set actor = {ROBOT}")
        await one.make_due(run_id)
        name = f"run:{run_id}"
        await until(lambda: _is_parked(dsn, name))
        await on_server(dsn, "delete from run_frames")
        assert (await one.call("parked.discard", ids=[name]))["done"] == 1
        assert await one.ended(automation.id, 1) == [run_id]


async def test_a_wait_of_a_kind_to_come_is_parked_and_fails_its_run_where_it_is_discarded(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}", stale_seconds=60)
    async with engine_fixture(settings) as one:
        automation, run_id = await _asleep(one)
        _, beside = await _asleep(one)
        await on_server(dsn, "alter table waits drop constraint waits_kind_check")
        await rows(
            dsn, "update waits set kind = 'approval' where run_id = $1 returning id", UUID(run_id)
        )
        await on_server(dsn, "update waits set due_at = now() - interval '1 minute'")
        await one.assembly.loops.wakeups.waits.sweep()
        await until(lambda: _kind_parked(dsn, "wait"))
        (item,) = await parked(one, kind="wait")
        assert "of kind 'approval'" in item["reason"]
        await until(lambda: _has_ended(dsn, beside))
        assert (await one.call("parked.discard", ids=[item["id"]]))["done"] == 1
        await ended(dsn, automation, 1, "failed")


async def _kind_parked(dsn: str, kind: str) -> bool:
    return any(name.startswith(f"{kind}:") for name in await _parked_ids(dsn))


async def _has_ended(dsn: str, run_id: str) -> bool:
    query = "select from runs where id = $1 and finished_at is not null"
    return bool(await rows(dsn, query, UUID(run_id)))


async def test_a_hold_that_cannot_be_read_is_parked_and_is_gone_where_it_is_discarded(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}", stale_seconds=60)
    async with engine_fixture(settings) as one:
        trigger = {"event": "p.held", "for": {"seconds": 3600}}
        held = await one.automation([record("x")], triggers=[trigger])
        for key in ("a", "b"):
            await one.publish("p.held", {}, key=key)
        await until(lambda: _timers(dsn, 2))
        damage = "update timers set event = '{' where context_key = 'a'"
        await on_server(dsn, damage)
        await on_server(dsn, "update timers set due_at = now() - interval '1 minute'")
        await one.assembly.loops.wakeups.triggers.sweep()
        await ended(dsn, held, 1)
        (item,) = await parked(one, kind="timer")
        assert (await one.call("parked.discard", ids=[item["id"]]))["done"] == 1
        assert await _timers(dsn, 0)


async def _timers(dsn: str, number: int) -> bool:
    return len(await rows(dsn, "select from timers")) == number


async def test_a_run_event_that_the_bus_refuses_is_parked_and_replaced_by_a_warning(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}", stale_seconds=60)
    async with engine_fixture(settings) as one:
        automation = await one.automation([record("x")])
        await one.publish(automation.event, {})
        (run_id,) = await one.ended(automation.id, 1)
        told = one.events[automation.id][-1]
        body = msgspec.json.encode(msgspec.structs.replace(told, id=f"{run_id}:100"))
        await rows(
            dsn,
            "insert into outbox (topic, seq, subject, message_id, body, created_at) values"
            " ($1, 100, 'no subject', $1 || ':100', $2, now() - interval '1 minute')",
            run_id, body,
        )  # fmt: skip
        await one.assembly.hearing.reporter.sweep()
        await until(lambda: _is_parked(dsn, f"outbox:{run_id}:100"))
        (item,) = await parked(one, kind="outbox")
        assert item["run_id"] == run_id
        assert (await one.call("parked.discard", ids=[item["id"]]))["done"] == 1
        warning = await one.heard(automation.id, "warning")
        assert "discarded by an operator" in (warning.data.reason or "")
        assert await parked(one) == []


async def test_a_definition_that_cannot_be_read_stops_no_other_automation(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}", stale_seconds=60)
    async with engine_fixture(settings) as one:
        broken = await one.automation([record("x")], event="p.broken")
    whole = await rows(dsn, "select definition from automation_versions")
    await on_server(dsn, "update automation_versions set definition = left(definition, -1)")
    async with engine_fixture(settings) as one:
        other = await one.automation([record("y")], event="p.broken")
        await one.publish("p.broken", {})
        await ended(dsn, other, 1)
        await tried(one)
        kinds = {item["kind"]: item["automation_id"] for item in await parked(one)}
        assert kinds == {"event": broken.id, "automation": broken.id}
        await rows(
            dsn, "update automation_versions set definition = $1 where automation_id = $2",
            whole[0]["definition"], broken.id,
        )  # fmt: skip
        assert (await one.call("parked.retry", ids=[f"automation:{broken.id}"]))["done"] == 1
        await one.assembly.knowledge.index.refresh()
        await tried(one)
        await ended(dsn, broken, 1)
        assert await parked(one) == []
