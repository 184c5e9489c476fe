"""What `deploy/BACKUP.md` says of backups: each statement, on real dumps and snapshots."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import nats
import pytest
from nats.aio.msg import Msg

from databases import database, on_server
from deploy.machines import DEPLOY
from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from lockstep.embedded import Servers, packages
from lockstep.settings.structs import PostgresSettings, Settings
from patience import LIMIT_SECONDS, patience

Json = dict[str, Any]
STREAMS = ("triggers_stream", "runs_stream", "dead_stream")


def program(name: str) -> Path:
    """Find a program of PostgreSQL."""
    return packages.postgres_programs() / name


class Site:
    """A database and streams of their own, which are backed up and restored."""

    def __init__(self, servers: Servers, dsn: str, folder: Path) -> None:
        made = settings_of(servers.nats_url, dsn, f"b{uuid4().hex[:12]}")
        # Streams in memory have no snapshots.
        self.settings: Settings = msgspec.structs.replace(
            made, nats=msgspec.structs.replace(made.nats, storage="file")
        )
        self.servers, self.folder = servers, folder
        self.databases: list[str] = []

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[EngineFixture]:
        """Let a replica work."""
        async with engine_fixture(self.settings) as opened:
            yield opened

    @asynccontextmanager
    async def bus(self) -> AsyncIterator[nats.aio.client.Client]:
        """Be an administrator of NATS."""
        client = await nats.connect(self.servers.nats_url)
        try:
            yield client
        finally:
            await client.close()

    async def dump(self) -> Path:
        """Back the database up, as the page says."""
        file = self.folder / uuid4().hex
        dsn = self.settings.postgres.dsn
        await self._do("pg_dump", "--format=custom", f"--file={file}", f"--dbname={dsn}")
        return file

    async def restore(self, file: Path) -> None:
        """Restore into a database that is new."""
        name = f"b_{uuid4().hex}"
        await on_server(self.servers.postgres_dsn, f"create database {name}")
        self.databases.append(name)
        dsn = database(self.servers.postgres_dsn, name)
        await self._do("pg_restore", "--exit-on-error", f"--dbname={dsn}", str(file))
        self.settings = msgspec.structs.replace(self.settings, postgres=PostgresSettings(dsn=dsn))

    async def _do(self, name: str, *words: str) -> None:
        await asyncio.to_thread(
            subprocess.run, [program(name), *words], check=True, timeout=LIMIT_SECONDS
        )

    async def publish(self, event: str, payload: Json, **headers: str) -> None:
        """Publish an event while no replica works."""
        async with self.bus() as client:
            subject = f"{self.settings.nats.prefix}.trigger.{event}"
            await client.jetstream().publish(subject, json.dumps(payload).encode(), headers=headers)

    async def lose_bus(self) -> None:
        """Delete all streams and buckets."""
        async with self.bus() as client:
            js = client.jetstream()
            prefix = self.settings.nats.prefix
            for info in await js.streams_info():
                name = info.config.name or ""
                if name.startswith((f"{prefix.upper()}_", f"KV_{prefix}_")):
                    await js.delete_stream(name)

    async def wait(self, query: str, *arguments: object) -> None:
        """Wait until a query gives true."""
        async with patience():
            while not (await rows(self.settings.postgres.dsn, query, *arguments))[0][0]:
                await asyncio.sleep(0.02)

    async def count(self, query: str, *arguments: object) -> int:
        return int((await rows(self.settings.postgres.dsn, query, *arguments))[0][0])


@pytest.fixture
async def site(servers: Servers, dsn: str, tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(servers, dsn, tmp_path)
    yield made
    await made.lose_bus()
    for name in made.databases:
        await on_server(servers.postgres_dsn, f"drop database {name} with (force)")


async def snapshot(client: nats.aio.client.Client, stream: str) -> tuple[Json, list[bytes]]:
    """Back a stream up, as `nats stream backup` does. Source: ADR-37, `nats stream backup`."""
    chunks: list[bytes] = []
    done = asyncio.get_running_loop().create_future()

    async def take(message: Msg) -> None:
        if not message.data:
            done.set_result(None)
            return
        chunks.append(message.data)
        if message.reply:
            await message.respond(b"")

    inbox = client.new_inbox()
    listening = await client.subscribe(inbox, cb=take)
    request = json.dumps({"deliver_subject": inbox}).encode()
    reply = await client.request(
        f"$JS.API.STREAM.SNAPSHOT.{stream}", request, timeout=LIMIT_SECONDS
    )
    about: Json = json.loads(reply.data)
    assert "error" not in about, about
    async with patience():
        await done
    await listening.unsubscribe()
    return about, chunks


async def put_back(
    client: nats.aio.client.Client, stream: str, saved: tuple[Json, list[bytes]]
) -> None:
    """Restore a stream, as `nats stream restore` does."""
    about, chunks = saved
    await client.jetstream().delete_stream(stream)
    request = json.dumps({"config": about["config"], "state": about["state"]}).encode()
    reply = await client.request(f"$JS.API.STREAM.RESTORE.{stream}", request, timeout=LIMIT_SECONDS)
    where = json.loads(reply.data)
    assert "error" not in where, where
    for chunk in (*chunks, b""):
        reply = await client.request(where["deliver_subject"], chunk, timeout=LIMIT_SECONDS)
    assert "error" not in json.loads(reply.data)


SLEEP = [
    {"delay": {"seconds": 2}},
    {"id": "r", "action": "test.record", "config": {"value": "woken"}},
]
ASLEEP = "select count(*) = $1 from runs where status = 'waiting' and owner is null"
ENDED = "select count(*) = $1 from runs where status = 'success'"


async def test_a_dump_of_a_working_engine_is_enough_to_go_on_with_an_empty_bus(
    site: Site,
) -> None:
    wait = {"wait_for_trigger": {"event": "backup.answer", "timeout_seconds": 600}}
    async with site.engine() as opened:
        asleep = await opened.automation(SLEEP)
        waiting = await opened.automation([wait])
        for one in (asleep, waiting):
            await opened.publish(one.event, {})
        await site.wait(ASLEEP, 2)
        dump = await site.dump()
    await site.restore(dump)
    await site.lose_bus()
    async with site.engine() as opened:
        await site.wait(ENDED, 1)
        assert [call.value for call in opened.recorder.records] == ["woken"]
        await opened.publish("backup.answer", {})
        await site.wait(ENDED, 2)
        await opened.publish(asleep.event, {})
        await site.wait(ENDED, 3)


async def test_a_bus_that_is_lost_takes_events_that_nobody_took_and_dead_letters_with_it(
    site: Site,
) -> None:
    async with site.engine() as opened:
        automation = await opened.automation(SLEEP)
        await opened.publish(automation.event, {})
        await opened.publish(automation.event, b"no JSON")
        await site.wait(ASLEEP, 1)
        async with patience():
            while not (await opened.call("dead.list"))["items"]:
                await asyncio.sleep(0.02)
    await site.publish(automation.event, {})
    await site.lose_bus()
    async with site.engine() as opened:
        await site.wait(ENDED, 1)
        assert (await opened.call("dead.list"))["items"] == []
    assert await site.count("select count(*) from runs") == 1


async def test_events_of_a_stream_that_is_older_than_the_database_start_no_second_run(
    site: Site,
) -> None:
    async with site.engine() as opened:
        automation = await opened.automation(
            [{"id": "r", "action": "test.record", "config": {"value": "x"}}]
        )
    stream = opened.connection.names.triggers_stream
    for number in range(3):
        await site.publish(automation.event, {"n": number})
    async with site.bus() as client:
        saved = await snapshot(client, stream)
    async with site.engine():
        await site.wait(ENDED, 3)
    async with site.bus() as client:
        await put_back(client, stream, saved)
        assert (await client.jetstream().stream_info(stream)).state.messages == 3
    async with site.engine() as opened:
        await opened.publish(automation.event, {"n": 3})
        await site.wait(ENDED, 4)
        async with site.bus() as client, patience():
            while (await client.jetstream().stream_info(stream)).state.messages:
                await asyncio.sleep(0.02)
    assert await site.count("select count(*) from runs") == 4


async def test_a_run_goes_on_from_where_an_older_database_has_it_with_the_same_keys(
    site: Site,
) -> None:
    async with site.engine() as opened:
        automation = await opened.automation(SLEEP)
        await opened.publish(automation.event, {})
        await site.wait(ASLEEP, 1)
    dump = await site.dump()
    async with site.engine() as opened:
        await site.wait(ENDED, 1)
        (first,) = opened.recorder.records
    await site.restore(dump)
    async with site.engine() as opened:
        await site.wait(ENDED, 1)
        (again,) = opened.recorder.records
    assert again.idempotency_key == first.idempotency_key
    assert again.run_id == first.run_id


async def test_runs_and_automations_that_are_newer_than_the_database_are_gone(site: Site) -> None:
    async with site.engine() as opened:
        old = await opened.automation(SLEEP)
    dump = await site.dump()
    async with site.engine() as opened:
        new = await opened.automation(SLEEP)
        for one in (old, new):
            await opened.publish(one.event, {})
        await site.wait(ASLEEP, 2)
        items = (await opened.call("runs.list"))["items"]
        letters = (await opened.call("dead.list"))["items"]
    await site.restore(dump)
    await site.publish(old.event, {"after": "the backup"})
    async with site.engine() as opened:
        # The alarms of the runs that are gone go off, and wake nobody.
        await site.wait(ENDED, 1)
        assert await site.count("select count(*) from runs") == 1, "of the event not yet taken"
        for run in items:
            assert (await opened.ask("runs.get", id=run["id"])).error_code == "404"
        assert (await opened.ask("automations.get", id=new.id)).error_code == "404"
        assert (await opened.call("dead.list"))["items"] == letters


async def test_dead_letters_stay_when_the_database_is_restored(site: Site) -> None:
    async with site.engine() as opened:
        automation = await opened.automation(SLEEP)
        dump = await site.dump()
        await opened.publish(automation.event, b"no JSON")
        async with patience():
            while not (items := (await opened.call("dead.list"))["items"]):
                await asyncio.sleep(0.02)
    await site.restore(dump)
    async with site.engine() as opened:
        assert (await opened.call("dead.list"))["items"] == items


async def test_buckets_that_are_lost_are_filled_again_and_no_wake_is_missed(site: Site) -> None:
    async with site.engine() as opened:
        automation = await opened.automation(SLEEP)
        await opened.publish(automation.event, {})
        await site.wait(ASLEEP, 1)
        prefix = site.settings.nats.prefix
        async with site.bus() as client:
            for bucket in ("delays", "waits", "workers"):
                await client.jetstream().delete_stream(f"KV_{prefix}_{bucket}")
        await site.wait(ENDED, 1)
    async with site.engine() as opened:
        await opened.publish(automation.event, {})
        await site.wait(ENDED, 2)


def test_every_statement_of_the_page_names_a_test_that_is_here() -> None:
    page = (DEPLOY / "BACKUP.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    here = {name for name in globals() if name.startswith("test_")}
    assert here - named == {"test_every_statement_of_the_page_names_a_test_that_is_here"}
    assert named - here == set()
