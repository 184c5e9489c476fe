"""What would have ended every replica: it is met, told, and the others go their way."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from bus.helpers import Server
from deploy.identities import write_operator_mode
from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from engine.test_children import SLEEP, starting
from engine.test_language import record
from lockstep import bus
from lockstep.bus import api
from lockstep.embedded import Servers
from lockstep.model.errors import Unavailable
from lockstep.telemetry import Health
from patience import until

Json = dict[str, Any]

LIMITED = """
accounts {
  A { jetstream { max_mem: 5000000, max_file: 5000000 }, users: [ { user: a, password: a } ] }
}
"""
BIG = "{{ 'a' * 1048000 }}"
REFUSES = """
    create function refuses() returns trigger language plpgsql as
    $$ begin raise exception 'this row cannot be changed'; end $$
"""
NEVER_CANCELLED = """
    create trigger never_cancelled before update on runs for each row
      when (new.status = 'cancelled' and new.id = '{}') execute function refuses()
"""


def failing(only: EngineFixture) -> list[str]:
    """The services that do not do their work."""
    return [name for name, works in only.engine.services().items() if not works]


async def statuses(only: EngineFixture, automation_id: str) -> dict[str, str]:
    """The runs of an automation, by id."""
    found = await only.call("runs.list", automation_id=automation_id)
    return {run["id"]: run["status"] for run in found["items"]}


@pytest.mark.parametrize("end", ["stop", "fail", "skip"])
async def test_a_run_event_that_no_bus_takes_ends_neither_the_engine_nor_other_runs(
    servers: Servers, dsn: str, end: str
) -> None:
    ways: dict[str, Json] = {
        "stop": {"stop": {"error": True, "reason": BIG}},
        "fail": {"action": "test.fail", "config": {"reason": BIG}},
        "skip": {"stop": {"reason": BIG}},
    }
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings) as only:
        big = await only.automation([ways[end]])
        good = await only.automation([record("x")])
        for _ in range(3):
            await only.publish(big.event, {})
        for number in range(1, 6):
            await only.publish(good.event, {})
            assert len(await only.ended(good.id, number)) == number
        wanted = ["success" if end == "skip" else "failed"] * 3

        async def all_ended() -> bool:
            return [*(await statuses(only, big.id)).values()] == wanted

        await until(all_ended)
        assert failing(only) == []


async def test_a_child_that_cannot_be_cancelled_keeps_no_other_from_being_so(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings) as only:
        child = await only.automation([SLEEP])
        parent = await only.automation([starting(child.id, wait=True)])
        for _ in range(3):
            await only.publish(parent.event, {})

        async def asleep() -> bool:
            found = await statuses(only, child.id)
            return [*found.values()] == ["waiting"] * 3

        await until(asleep)
        stubborn = next(iter(await statuses(only, child.id)))
        await rows(dsn, REFUSES)
        await rows(dsn, NEVER_CANCELLED.format(UUID(stubborn)))
        for run in await statuses(only, parent.id):
            await only.call("runs.cancel", id=run)

        async def others_are() -> bool:
            found = await statuses(only, child.id)
            return sorted(found.values()) == ["cancelled", "cancelled", "waiting"]

        await until(others_are)
        assert failing(only) == []
        await rows(dsn, "drop trigger never_cancelled on runs")

        async def all_are() -> bool:
            return {*(await statuses(only, child.id)).values()} == {"cancelled"}

        await until(all_are)


async def test_a_token_that_expires_and_is_renewed_loses_no_walk(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    config, credentials, signer = write_operator_mode(tmp_path, {})
    (tmp_path / "operator.conf").write_text(config)
    server = Server(tmp_path, "-c", str(tmp_path / "operator.conf"))
    server.start()
    signer.write(credentials, seconds=4)
    try:
        settings = settings_of(server.url, dsn, f"c{uuid4().hex[:10]}")
        nats = msgspec.structs.replace(settings.nats, credentials_file=str(credentials))
        settings = msgspec.structs.replace(settings, nats=nats)
        async with engine_fixture(settings) as only:
            walk = await only.automation([{"action": "test.slow", "config": {"seconds": 6}}])
            good = await only.automation([record("x")])
            await only.publish(walk.event, {})
            connection = only.connection
            await until(lambda: not connection.connected)
            signer.write(credentials)
            await until(lambda: connection.healthy)
            assert (await good.run()).recorded == ["x"]
            (run,) = await only.ended(walk.id, 1)
            assert (await walk.seen(run)).status == "success"
            assert failing(only) == []
            assert await only.call("automations.list")
    finally:
        server.kill()


async def test_an_account_whose_storage_is_full_holds_everything_up_and_loses_nothing(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    (tmp_path / "nats.conf").write_text(LIMITED)
    server = Server(tmp_path, "-c", str(tmp_path / "nats.conf"))
    server.start()
    try:
        settings = settings_of(server.url, dsn, f"c{uuid4().hex[:10]}")
        who = msgspec.structs.replace(settings.nats, user="a", password="a")
        settings = msgspec.structs.replace(settings, nats=who)
        async with engine_fixture(settings) as only:
            good = await only.automation([record("x"), {"delay": {"seconds": 1}}, record("y")])
            connection = only.connection
            ballast = {"name": "BALLAST", "subjects": ["ballast"], "storage": "memory"}
            await api.call(connection, "STREAM.CREATE.BALLAST", ballast)
            for _ in range(3):
                await only.publish(good.event, {})
            size = 500_000
            while size > 10:
                try:
                    await bus.Publisher(connection).publish("ballast", b"x" * size, {})
                except Unavailable:
                    size //= 2

            async def all_ended() -> bool:
                return [*(await statuses(only, good.id)).values()] == ["success"] * 3

            await until(all_ended)
            assert failing(only) == []
            await api.call(connection, "STREAM.DELETE.BALLAST")
            assert len(await only.ended(good.id, 3)) == 3
    finally:
        server.kill()


@pytest.mark.parametrize("what", ["RUNS", "TRIGGERS", "DEAD", "group", "alarms", "bucket"])
async def test_what_vanishes_of_the_bus_is_named_and_made_again(
    servers: Servers, dsn: str, what: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings) as only:
        names, connection = only.connection.names, only.connection
        good = await only.automation([record("x")])
        assert (await good.run()).recorded == ["x"]
        delays = names.bucket_stream(names.delays_bucket)
        gone = {
            "group": f"CONSUMER.DELETE.{names.triggers_stream}.{names.consumer()}",
            "alarms": f"CONSUMER.DELETE.{delays}.engine",
            "bucket": f"STREAM.DELETE.{names.bucket_stream(names.workers_bucket)}",
        }.get(what, f"STREAM.DELETE.{names.runs_stream.removesuffix('RUNS')}{what}")
        seen: list[str] = []
        told = only.assembly.loops.upkeep.faults

        async def is_whole() -> bool:
            seen.extend(told())
            return await bus.missing(connection) == []

        await api.call(connection, gone)
        await until(is_whole)
        await until(lambda: not told())
        await only.publish(good.event, {})
        assert len(await only.ended(good.id, 2)) == 2
        assert failing(only) == []


async def test_what_vanishes_and_is_others_to_make_is_named_until_it_is_there(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    theirs = msgspec.structs.replace(settings.nats, manage_bus=False)
    operator = await bus.connect(settings.nats)
    await bus.apply(operator)
    settings = msgspec.structs.replace(settings, nats=theirs)
    async with engine_fixture(settings) as only:
        good = await only.automation([record("x")])
        await api.call(operator, f"STREAM.DELETE.{operator.names.runs_stream}")
        await only.publish(good.event, {})
        await until(lambda: only.engine.lacking() == [f"stream {operator.names.runs_stream}"])
        health = Health()
        health.takes_events(only.engine, only.assembly.loops.heartbeat)
        assert f"stream {operator.names.runs_stream}" in health.missing
        status = await only.call("status")
        assert any("bus apply" in problem for problem in status["problems"])
        await bus.apply(operator)
        await until(lambda: not only.engine.lacking())
        assert len(await only.ended(good.id, 1)) == 1
    await operator.close()


async def test_a_schedule_in_a_zone_that_this_host_lacks_holds_up_no_other(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    automations: list[str] = []
    async with engine_fixture(settings) as before:
        for zone in ("Europe/Berlin", "Europe/Paris", "Europe/Rome"):
            config = {"cronPattern": "0 3 * * *", "timezone": zone}
            trigger = {"event": "automation.cron", "config": config}
            stored = await before.automation([record("x")], triggers=[trigger])
            automations.append(stored.id)
    await rows(
        dsn,
        "update automation_versions set definition = replace(definition::text, $1, $2)::json",
        "Europe/Paris",
        "Mars/Olympus",
    )
    async with engine_fixture(settings) as only:
        await rows(dsn, "update timers set due_at = clock_timestamp() - interval '1 minute'")

        async def others_have_run() -> bool:
            found = [len(await statuses(only, one)) for one in automations]
            return found[0] >= 1 and found[2] >= 1 and not found[1]

        await until(others_have_run)
        assert failing(only) == []


async def test_a_run_that_this_version_cannot_read_holds_up_no_other(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings) as only:
        odd = await only.automation([SLEEP, record("odd")])
        good = await only.automation([{"delay": {"seconds": 1}}, record("x")])
        await only.publish(odd.event, {})
        await only.heard(odd.id, "waiting")
        (run,) = await statuses(only, odd.id)
        actor = b'{"type":"from the future"}'
        await rows(dsn, "update runs set actor = $1 where id = $2", actor, UUID(run))
        await only.make_due(run)
        for number in range(1, 4):
            await only.publish(good.event, {})
            assert len(await only.ended(good.id, number)) == number
        assert failing(only) == []
