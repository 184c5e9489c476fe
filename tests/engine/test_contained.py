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
from lockstep.embedded import Servers
from patience import until

Json = dict[str, Any]

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
