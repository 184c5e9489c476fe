"""Triggers with a set-up: run once over all replicas, anew after each change, fenced when lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from engine.engine_fixture import EngineFixture, Stored, engine_fixture, rows, settings_of
from engine.test_language import record
from lockstep.catalog import Registry
from lockstep.embedded import Servers
from lockstep.pipeline.setups import Fire, FireRefused, Identity
from patience import patience, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


class Every(msgspec.Struct, frozen=True):
    """What an automation says of the folder."""

    folder: str
    broken: bool = False


@dataclass
class Watching:
    """A plug-in that watches folders: who is watched by which engine, and how it went."""

    name: str
    running: dict[tuple[str, str], Fire] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def register(self, registry: Registry) -> None:
        """Bring the trigger, with a coroutine as its set-up, and one with a plain function."""
        registry.trigger(
            "changed", config=Every, setup=self.set_up, context_key="/file",
            payload={"type": "object", "required": ["file"]},
        )  # fmt: skip
        registry.trigger("plain", setup=self.plain)

    async def set_up(self, config: Every, identity: Identity, fire: Fire, logger: Any) -> Any:
        """Note it; refuse what is broken."""
        assert isinstance(config, Every)
        if config.folder in self.broken:
            self.log.append(f"broken {config.folder}")
            raise OSError("no such folder")
        key = identity.automation_id, config.folder
        self.running[key] = fire
        self.log.append(f"up {config.folder}")

        async def down() -> None:
            self.running.pop(key, None)
            self.log.append(f"down {config.folder}")

        return down

    def plain(self, config: Json, identity: Identity, fire: Fire, logger: Any) -> Any:
        """Fire from the thread that it runs in."""
        fire.from_thread({"said": identity.automation_name}, message_id="once")


@dataclass
class Replicas:
    """Two engines that know the same plug-in, each with what it runs."""

    rooms: list[EngineFixture]
    watching: list[Watching]
    dsn: str

    def runs(self, folder: str) -> list[int]:
        """Say which replicas watch a folder."""
        return [
            number
            for number, one in enumerate(self.watching)
            if any(name == folder for _, name in one.running)
        ]

    def fire(self, folder: str) -> Fire:
        """What the one that watches a folder calls."""
        found = [
            f for one in self.watching for (_, name), f in one.running.items() if name == folder
        ]
        assert len(found) == 1
        return found[0]


@pytest_asyncio.fixture(loop_scope="session")
async def replicas(servers: Servers, dsn: str) -> AsyncIterator[Replicas]:
    """Two replicas on a database of their own."""
    settings = settings_of(servers.nats_url, dsn, f"s{uuid4().hex[:10]}", stale_seconds=60)
    async with AsyncExitStack() as stack:
        watching = [Watching("first"), Watching("second")]
        rooms = [
            await stack.enter_async_context(
                engine_fixture(settings, plugins={"files": one.register})
            )
            for one in watching
        ]
        yield Replicas(rooms, watching, dsn)


async def watched(engine_fixture: EngineFixture, folder: str, **fields: object) -> Stored:
    """Store an automation that watches a folder."""
    trigger = {"event": "files.changed", "config": {"folder": folder}, **fields}
    actions = [record("{{ trigger.payload.file }}")]
    definition = {
        "name": folder, "triggers": [trigger], "actions": actions, "mode": "parallel",
        "max_runs": 100,
    }  # fmt: skip
    made = await engine_fixture.call("automations.create", name=folder, definition=definition)
    return Stored(engine_fixture, made["id"], "files.changed")


async def test_a_set_up_runs_on_one_replica_and_what_it_fires_starts_a_run_once(
    replicas: Replicas,
) -> None:
    first = replicas.rooms[0]
    stored = await watched(first, "/a", filter="trigger.payload.file != 'no'")
    await until(lambda: len(replicas.runs("/a")) == 1)
    fire = replicas.fire("/a")
    await fire({"file": "x"}, message_id="m1")
    await fire({"file": "x"}, message_id="m1")
    await fire({"file": "no"})
    await fire({"file": "y"}, context_key="k")
    await first.ended(stored.id, 2)
    found = await rows(
        replicas.dsn,
        "select context_key, convert_from(trigger_payload, 'utf8') from runs order by position",
    )
    assert [tuple(row) for row in found] == [("x", '{"file":"x"}'), ("k", '{"file":"y"}')]
    with pytest.raises(FireRefused, match="file"):
        await fire({"other": 1})


async def test_a_change_tears_down_and_sets_up_anew_and_the_old_one_is_refused(
    replicas: Replicas,
) -> None:
    first = replicas.rooms[0]
    stored = await watched(first, "/a")
    await until(lambda: len(replicas.runs("/a")) == 1)
    old = replicas.fire("/a")
    definition = (await first.call("automations.get", id=stored.id))["definition"]
    definition["triggers"][0]["config"] = {"folder": "/b"}
    await first.call("automations.update", id=stored.id, definition=definition)
    await until(lambda: len(replicas.runs("/b")) == 1 and not replicas.runs("/a"))
    await first.call("automations.toggle", id=stored.id, enabled=False)
    await until(lambda: not replicas.runs("/b"))
    leases = "select count(*) from sources"
    async with patience():
        while (await rows(replicas.dsn, leases))[0][0]:
            await asyncio.sleep(0.02)
    with pytest.raises(FireRefused, match="another replica"):
        await old({"file": "late"})
    await first.call("automations.toggle", id=stored.id, enabled=True)
    await until(lambda: len(replicas.runs("/b")) == 1)
    await first.call("automations.delete", id=stored.id)
    await until(lambda: not replicas.runs("/b"))
    log = [line for one in replicas.watching for line in one.log]
    assert sorted(log) == sorted(["up /a", "down /a", "up /b", "down /b", "up /b", "down /b"])


async def test_set_ups_are_spread_and_taken_over_when_a_replica_ends(replicas: Replicas) -> None:
    first, second = replicas.rooms
    folders = [f"/{number}" for number in range(6)]
    for folder in folders:
        await watched(first, folder)
    await until(lambda: all(len(replicas.runs(folder)) == 1 for folder in folders))
    await until(lambda: [len(one.running) for one in replicas.watching] == [3, 3])
    second.engine.stop()
    await until(lambda: len(replicas.watching[0].running) == 6)
    assert not replicas.watching[1].running


async def test_a_replica_that_was_taken_for_dead_fires_nothing_more(replicas: Replicas) -> None:
    await watched(replicas.rooms[0], "/a")
    await until(lambda: len(replicas.runs("/a")) == 1)
    fire = replicas.fire("/a")
    other = uuid4()
    await rows(replicas.dsn, "update sources set owner = $1", other)
    with pytest.raises(FireRefused):
        await fire({"file": "x"})
    # Nobody knows that worker: its lease is free, and the set-up is made anew.
    await until(
        lambda: (
            sum(one.log.count("up /a") for one in replicas.watching) == 2
            and len(replicas.runs("/a")) == 1
        )
    )
    await replicas.fire("/a")({"file": "y"})


async def test_a_set_up_that_raises_is_tried_again_and_others_go_on(replicas: Replicas) -> None:
    for one in replicas.watching:
        one.broken.add("/broken")
    await watched(replicas.rooms[0], "/broken")
    await watched(replicas.rooms[0], "/good")
    await until(lambda: len(replicas.runs("/good")) == 1)
    log = [*replicas.watching[0].log, *replicas.watching[1].log]
    assert "broken /broken" in log
    for one in replicas.watching:
        one.broken.clear()
    await until(lambda: len(replicas.runs("/broken")) == 1)


async def test_a_plain_function_is_called_in_a_thread_and_may_fire_from_there(
    replicas: Replicas,
) -> None:
    first = replicas.rooms[0]
    stored = await first.automation([record("{{ trigger.payload.said }}")], event="files.plain")
    (run_id,) = await first.ended(stored.id, 1)
    detail = await first.call("runs.get", id=run_id)
    assert detail["run"]["status"] == "success"
