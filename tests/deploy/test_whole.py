"""Everybody does its work, each as its own user, with the least rights."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg

from deploy.clients import User, connected
from deploy.machines import Bus, Database, nats_server
from patience import LIMIT_SECONDS, patience
from processes import environment

Json = dict[str, Any]

AUTOMATION = """\
id: orders
name: Orders
definition:
  name: Orders
  triggers:
    - event: orders.created
  mode: parallel
  max_runs: 10
  actions:
    - id: mail
      action: mailer.send
      config: {to: "{{ trigger.payload.to }}"}
      retry: {attempts: 5, delay_seconds: 1}
    - id: digest
      action: mailer.digest
      config: {}
    - delay: {seconds: 1}
    - wait_for_trigger: {event: orders.paid, timeout_seconds: 60}
    - action: nats.publish
      config: {subject: lockstep.trigger.orders.done, payload: {}}
"""


class Engine:
    """A `lockstep serve` with user `engine`, and all that it has logged."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[Json] = []
        self._more = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr
        assert self.process.stdout
        streams = (self.process.stderr, self.process.stdout)
        await asyncio.gather(*(self._read_one(stream) for stream in streams))

    async def _read_one(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            with suppress(json.JSONDecodeError):
                async with self._more:
                    self.lines.append(json.loads(line))
                    self._more.notify_all()

    async def said(self, name: str) -> Json:
        """Wait for a log line of this name."""
        async with patience(), self._more:
            await self._more.wait_for(lambda: self.found(name))
        return self.found(name)[0]

    def found(self, name: str) -> list[Json]:
        """Give the log lines of this name."""
        return [line for line in self.lines if line.get("event") == name]

    @property
    def troubles(self) -> list[Json]:
        """Give what is no information, but for the event that is broken."""
        levels, fine = {"info", "debug"}, "event.dead_lettered"
        return [one for one in self.lines if one["level"] not in levels and one["event"] != fine]


@asynccontextmanager
async def serving(env: Mapping[str, str], folder: Path) -> AsyncIterator[Engine]:
    """Run a replica until it takes events."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", "serve",
        env={**env, "LOCKSTEP_LOG__LEVEL": "info", "LOCKSTEP_LOG__FORMAT": "json"},
        cwd=folder, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    engine = Engine(process)
    try:
        await engine.said("engine.started")
        yield engine
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        async with patience():
            await process.wait()
            await engine._reading


async def run(*words: str, env: Mapping[str, str], cwd: Path) -> str:
    """Run a command of `lockstep` that must succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", *words, env=dict(env), cwd=cwd, stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode == 0, err.decode() + out.decode()
    return out.decode()


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    async with nats_server(tmp_path / "bus") as started:
        yield started


def as_user(bus: Bus, name: str, **more: object) -> dict[str, str]:
    """Settings of a user of the bus."""
    return environment(
        NATS__SERVERS=bus.url, NATS__USER=name, NATS__PASSWORD=bus.passwords[f"nats_{name}"],
        NATS__INBOX_PREFIX=f"_INBOX_{name}", **more,
    )  # fmt: skip


async def provide(user: User) -> None:
    """Be the service `mailer`: one action answered at once, one later."""

    async def register(action: Json) -> None:
        body = json.dumps({**action, "owner": "mailer"}).encode()
        reply = await user.client.request(
            "lockstep.api.catalog.actions.register", body, timeout=LIMIT_SECONDS
        )
        assert json.loads(reply.data) == {"success": True}

    async def send(message: Msg) -> None:
        await message.respond(b'{"success": true}')

    async def digest(message: Msg) -> None:
        key = json.loads(message.data)["idempotency_key"]
        await message.respond(b'{"accepted": true}')
        body = json.dumps({"idempotency_key": key, "success": True}).encode()
        reply = await user.client.request(
            "lockstep.trigger.lockstep.action.done", body, timeout=LIMIT_SECONDS
        )
        assert "stream" in json.loads(reply.data)

    await user.client.subscribe("lockstep.action.mailer.send", "mailer", cb=send)
    await user.client.subscribe("lockstep.action.mailer.digest", "mailer", cb=digest)
    await register({"id": "mailer.send"})
    await register({"id": "mailer.digest", "timeout_seconds": 60})


async def publish(user: User, event: str, body: bytes) -> None:
    """Publish an event; the stream has it then."""
    reply = await user.client.request(f"lockstep.trigger.{event}", body, timeout=LIMIT_SECONDS)
    assert "stream" in json.loads(reply.data)


class Watch:
    """What `ops` hears of runs: of each id once, for a subscriber may hear an event again."""

    def __init__(self) -> None:
        self.events: dict[str, str] = {}
        self._more = asyncio.Condition()

    async def read(self, message: Msg) -> None:
        async with self._more:
            event = json.loads(message.data)
            self.events[event["id"]] = event["type"].rpartition(".")[2]
            self._more.notify_all()

    async def until(self, what: str, times: int) -> None:
        """Wait until a run event was told so often."""
        async with patience(), self._more:
            await self._more.wait_for(lambda: [*self.events.values()].count(what) >= times)


async def test_everybody_does_its_work_with_the_rights_that_it_has(
    bus: Bus, database: Database, tmp_path: Path
) -> None:
    owner = environment(POSTGRES__DSN=database.dsn("owner"))
    await run("db", "migrate", env=owner, cwd=tmp_path)
    engine = as_user(
        bus, "engine", POSTGRES__DSN=database.dsn("engine"), ENGINE__CATALOG="open",
        NATS__ACK_WAIT_SECONDS=2,
    )  # fmt: skip
    operator = as_user(bus, "operator")
    (tmp_path / "orders.yaml").write_text(AUTOMATION)
    async with AsyncExitStack() as stack:
        replica = await stack.enter_async_context(serving(engine, tmp_path))
        users = {
            name: await stack.enter_async_context(connected(bus, name))
            for name in ("publisher", "ops", "provider")
        }
        watch = Watch()
        await users["ops"].client.subscribe("lockstep.run.>", cb=watch.read)
        await users["ops"].client.flush()
        await provide(users["provider"])
        await run("apply", "orders.yaml", env=operator, cwd=tmp_path)
        await publish(users["publisher"], "orders.created", b'{"to": "ann"}')
        await watch.until("waiting", 3)  # for the digest, the delay, the event
        async with serving(engine, tmp_path) as second:
            await publish(users["publisher"], "orders.paid", b"{}")
            await watch.until("succeeded", 1)
            # The first one is gone, and what it had is adopted.
            await publish(users["publisher"], "orders.created", b'{"to": "ann"}')
            await watch.until("waiting", 6)
            replica.process.kill()
            await publish(users["publisher"], "orders.paid", b"{}")
            await watch.until("succeeded", 2)
            await operate(bus, operator, users, tmp_path)
        for one in (replica, second):
            assert one.troubles == []
        for user in users.values():
            assert user.refused == []
        await read_history(users["ops"])


async def operate(
    bus: Bus, operator: Mapping[str, str], users: Mapping[str, User], folder: Path
) -> None:
    """What an operator does with runs, dead letters and automations."""
    await publish(users["publisher"], "orders.broken", b"no JSON")

    async def listed(what: str, least: int) -> list[Json]:
        async with patience():
            while True:
                out = await run(what, "list", "--json", env=operator, cwd=folder)
                items: list[Json] = json.loads(out)["items"]
                if len(items) >= least:
                    return items

    letter = str((await listed("dead", 1))[0]["id"])
    await run("dead", "show", letter, env=operator, cwd=folder)
    await run("dead", "retry", letter, env=operator, cwd=folder)
    again = str((await listed("dead", 1))[0]["id"])
    assert again != letter
    await run("dead", "discard", again, env=operator, cwd=folder)
    runs = await listed("runs", 2)
    assert [one["status"] for one in runs] == ["success", "success"]
    await run("runs", "show", runs[0]["id"], env=operator, cwd=folder)
    await publish(users["publisher"], "orders.created", b'{"to": "bob"}')
    runs = await listed("runs", 3)
    await run("cancel", runs[0]["id"], env=operator, cwd=folder)
    await run("toggle", "Orders", "--off", env=operator, cwd=folder)
    async with connected(bus, "operator") as user:
        pong = await user.client.request("$SRV.PING.lockstep", b"", timeout=LIMIT_SECONDS)
        assert json.loads(pong.data)["name"] == "lockstep"


async def read_history(ops: User) -> None:
    """Read the run events of the past, one after the other."""
    at, told = 1, []
    while True:
        request = {"seq": at, "next_by_subj": "lockstep.run.>"}
        subject = "JS.lockstep.API.STREAM.MSG.GET.LOCKSTEP_RUNS"
        reply = json.loads(
            (
                await ops.client.request(
                    subject, json.dumps(request).encode(), timeout=LIMIT_SECONDS
                )
            ).data
        )
        if "error" in reply:
            assert reply["error"]["err_code"] == 10037  # no message found
            break
        told.append(reply["message"]["subject"].rpartition(".")[2])
        at = reply["message"]["seq"] + 1
    assert (told.count("started"), told.count("succeeded"), told.count("cancelled")) == (3, 2, 1)
