"""Whole processes are killed with SIGKILL; every run ends once, as if nothing had happened."""

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest

from crash.automations import ALL, STATUS, expected, payload
from engine.engine_fixture import rows
from lockstep import bus
from lockstep.catalog import Recorder
from lockstep.embedded import Servers
from patience import patience, until
from processes import RunEvents, call, dev_servers, environment, lockstep, talking, until_ended

EVENTS = 1000
AT_ONCE = 64


async def publish(connection: bus.Connection, numbers: range) -> None:
    """Publish the events of some numbers, each to one of the three automations."""
    publisher, names, queue = bus.Publisher(connection), list(ALL), iter(numbers)

    async def some() -> None:
        for n in queue:
            subject = connection.names.trigger(f"crash.{names[n % 3]}")
            await publisher.publish(subject, json.dumps(payload(n)).encode(), {})

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())


def check_runs(found: RunEvents, record_file: Path) -> None:
    """Every event has its run, ended as expected; nothing was done twice but what was cut off."""
    found.check()
    names = list(ALL)
    ends = Counter(
        (e[0].data.trigger_event_id.removeprefix("crash."), e[-1].type.rpartition(".")[2])
        for e in found.by_run.values()
    )
    wanted = Counter((names[n % 3], STATUS[names[n % 3]]) for n in range(EVENTS))
    assert ends == wanted
    calls = [call for call in Recorder.read(record_file) if call.action == "test.record"]
    values = {call.idempotency_key: call.value for call in calls}
    recorded: Counter[str] = Counter(str(value) for value in values.values())
    assert recorded == sum((expected(names[n % 3], n) for n in range(EVENTS)), Counter())
    # I3: a call that is repeated has the same key and the same config.
    assert all(values[call.idempotency_key] == call.value for call in calls)


def called(record_file: Path) -> int:
    """How many actions were called by now."""
    return record_file.read_bytes().count(b"\n") if record_file.exists() else 0


async def under_way(record_file: Path) -> None:
    """Wait until the work is well under way."""
    await until(lambda: called(record_file) >= 100)


async def test_an_engine_killed_in_the_middle_of_1000_events_goes_on_without_loss_or_double(
    tmp_path: Path,
) -> None:
    record_file, folder = tmp_path / "calls.jsonl", tmp_path / ".lockstep"
    env = environment(
        ENGINE__STUB_ACTIONS="true", ENGINE__STUB_RECORD_FILE=record_file, ENGINE__MAX_WALKS=20
    )
    async with lockstep("dev", "--no-samples", env=env, cwd=tmp_path) as process:
        url = (await dev_servers(folder))["nats_url"]
        async with talking(url) as connection:
            for name, raw in ALL.items():
                await call(connection, "automations.create", name=name, definition=raw)
            await publish(connection, range(EVENTS))
            await under_way(record_file)
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        before = called(record_file)
        (folder / "dev.json").unlink()
    async with lockstep("dev", "--no-samples", env=env, cwd=tmp_path):
        url = (await dev_servers(folder))["nats_url"]
        found = await until_ended(url, EVENTS)
    assert before < called(record_file), "the kill came too late to mean anything"
    check_runs(found, record_file)


@pytest.mark.parametrize("killed", [False, True], ids=["in peace", "one is killed"])
async def test_two_replicas_share_the_work_and_every_event_is_handled_once_in_effect(
    servers: Servers, dsn: str, tmp_path: Path, killed: bool
) -> None:
    record_file, prefix = tmp_path / "calls.jsonl", f"k{uuid4().hex[:10]}"
    env = environment(
        NATS__SERVERS=servers.nats_url,
        NATS__PREFIX=prefix,
        NATS__ACK_WAIT_SECONDS="3",
        POSTGRES__DSN=dsn,
        ENGINE__CATALOG="open",
        ENGINE__STUB_ACTIONS="true",
        ENGINE__STUB_RECORD_FILE=record_file,
        ENGINE__MAX_WALKS=20,
        ENGINE__BATCH_SIZE=16,
        ENGINE__STALE_SECONDS=5,
    )
    async with (
        lockstep("serve", env=env, cwd=tmp_path) as first,
        lockstep("serve", env=env, cwd=tmp_path),
        talking(servers.nats_url, prefix) as connection,
    ):
        async with patience():
            while (await rows(dsn, "select count(*) from workers"))[0][0] < 2:
                await asyncio.sleep(0.05)
        for name, raw in ALL.items():
            await call(connection, "automations.create", name=name, definition=raw)
        await publish(connection, range(EVENTS))
        owners = set()
        if killed:
            await under_way(record_file)
            first.kill()
        else:
            async with patience():
                while len(owners) < 2:
                    owners |= {row[0] for row in await rows(dsn, OWNERS)}
        found = await until_ended(servers.nats_url, EVENTS, prefix)
    check_runs(found, record_file)
    await check_tables(dsn)


OWNERS = "select distinct owner from runs where owner is not null"


async def check_tables(dsn: str) -> None:
    """The tables after all runs have ended: one row a run, no frames, nothing unsent."""
    (counts,) = await rows(
        dsn,
        """
        select (select count(*) from runs) as runs,
               (select count(*) from runs where finished_at is null) as active,
               (select count(*) from run_frames) as frames,
               (select count(*) from run_steps where finished_at is null) as open_steps,
               (select count(*) from (
                   select from run_steps group by run_id, action_path having count(*) > 1
               ) as twice) as doubles
        """,
    )
    assert dict(counts) == {
        "runs": EVENTS, "active": 0, "frames": 0, "open_steps": 0, "doubles": 0,
    }  # fmt: skip
