"""What is odder than a death is done to two replicas under load: then all is as undisturbed."""

import asyncio
import functools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import nats
import pytest
from nats.js.errors import APIError

from bus.helpers import Server
from crash.fleet import ENDED
from deploy.identities import write_operator_mode
from doubt.lab import Lab, open_lab
from doubt.scenarios import STATUS_OF, has, has_none, nap, record, start
from doubt.trials import check, check_events
from lockstep.embedded import Servers
from patience import until

Json = dict[str, Any]
RUNS: Final = 30  # of each automation
LOAD: Final = ("load", "parent", "kid")
EVERY_SECONDS: Final = 0.15  # an event, for some seconds in which the harm is done
FULL_SECONDS: Final = 10.0
AWAY_SECONDS: Final = 3.0
LIMITED: Final = """
accounts {{
  A {{
    jetstream {{ max_mem: 1000000, max_file: 30000000 }}
    users: [ {{ user: a, password: a }} ]
  }}
}}
no_auth_user: a
jetstream {{ store_dir: {store} }}
"""


@dataclass
class Pair:
    """Two replicas under load, and who harms them."""

    lab: Lab
    more: Json = field(default_factory=dict)  # of the payload
    calm: asyncio.Event = field(default_factory=asyncio.Event)  # events are published while it is

    async def load(self) -> None:
        """Publish events, each until it is acknowledged."""
        for n in range(RUNS):
            await self.calm.wait()
            for name in ("load", "parent"):
                await self.lab.insist(functools.partial(self.lab.tell, name, n, **self.more))
            await asyncio.sleep(EVERY_SECONDS)

    async def pause(self) -> None:
        """Publish nothing more, and wait until all that was published is handled."""
        self.calm.clear()
        stream = self.lab.connection.names.triggers_stream

        async def handled() -> bool:
            info = await self.lab.ask_jetstream(f"CONSUMER.INFO.{stream}.engine")
            return not info["num_pending"] and not info["num_ack_pending"]

        await self.lab.until(handled)


@asynccontextmanager
async def open_pair(
    url: str,
    dsn: str,
    folder: Path,
    credentials: str = "",
    more: Mapping[str, str] | None = None,
    **settings: object,
) -> AsyncIterator[Pair]:
    """Start two replicas, with `more` in their environment, and store what they walk."""
    async with open_lab(url, dsn, folder, credentials=credentials, **settings) as lab:
        lab.env.update(more or {})
        for _ in range(2):
            await lab.start_known()
        await lab.automation("load", [record("a"), nap(0.3), record("b")])
        kid = await lab.automation("kid", [record("kid")])
        says = {"value": "{{ artifacts.kid.child.status }}"}
        await lab.automation(
            "parent",
            [start(kid, wait=True), {"id": "says", "action": "test.record", "config": says}],
        )
        yield Pair(lab)


async def harmed(pair: Pair, harm: Callable[[Pair], Awaitable[None]]) -> None:
    """Do harm in the middle of the load, and wait until all runs of the load have ended well."""
    pair.calm.set()
    async with asyncio.TaskGroup() as group:
        group.create_task(pair.load())
        await has(pair.lab, ENDED, RUNS // 3)
        await harm(pair)
        pair.calm.set()
    for name in LOAD:
        await has(pair.lab, STATUS_OF, RUNS, name, "success")


async def judge(lab: Lab) -> None:
    """Judge what has come of the load when all runs have ended."""
    await has_none(lab, "select count(*) from runs where finished_at is null")
    await has_none(lab, "select count(*) from outbox")
    assert all(process.returncode is None for process in lab.replicas), "a replica has ended"
    told = await check(lab)
    ends: Counter[tuple[str, str]] = Counter()
    calls: Counter[tuple[str, str]] = Counter()
    for what, count in told.items():
        if what[0] in LOAD:
            wanted = calls if what[-1].endswith("calls") else ends
            wanted[what[0], what[-1] if wanted is calls else what[2]] += count
    assert ends == {(name, "success"): RUNS for name in LOAD}
    assert calls == {
        ("load", "1 calls"): 2 * RUNS,
        **{(n, "1 calls"): RUNS for n in ("parent", "kid")},
    }


async def huge(pair: Pair) -> None:
    """A run event of 2 MB is asked for."""
    text = "{{ trigger.payload.text }}"
    await pair.lab.automation("huge", [{"action": "test.fail", "config": {"reason": 3 * text}}])
    await pair.lab.tell("huge", 0, text="x" * 700_000)
    await has(pair.lab, STATUS_OF, 1, "huge", "failed")


async def read_only(pair: Pair) -> None:
    """The database is read-only for a while; whoever connects meanwhile has it so for longer."""
    name = await pair.lab.value("select current_database()")
    mode = f'alter database "{name}" set default_transaction_read_only ='
    await pair.lab.rows(f"{mode} on")
    await pair.lab.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and application_name like 'lockstep%'"
    )
    await asyncio.sleep(AWAY_SECONDS)
    await pair.lab.rows(f"{mode} off")


async def groups(pair: Pair) -> None:
    """The consumer groups are deleted."""
    names = pair.lab.connection.names
    for stream in (names.triggers_stream, *pair.lab.bucket_streams):
        await pair.lab.ask_jetstream(f"CONSUMER.DELETE.{stream}.engine")


async def buckets(pair: Pair) -> None:
    """The streams of all that sleeps are deleted."""
    for stream in pair.lab.bucket_streams:
        await pair.lab.ask_jetstream(f"STREAM.DELETE.{stream}")


async def streams(pair: Pair) -> None:
    """All streams are deleted; events that were not handled would be lost with them."""
    names = pair.lab.connection.names
    await pair.pause()
    for stream in (names.triggers_stream, names.runs_stream, *pair.lab.bucket_streams):
        await pair.lab.ask_jetstream(f"STREAM.DELETE.{stream}")


async def burning(pair: Pair) -> None:
    """A filter burns all the time that it has, on every event."""
    pair.more["list"] = [f"word {number * 7919 % 5000}" for number in range(3000)]
    costly = "(trigger.payload.list | sort | reverse | list | sort | join | length) > 0"
    trigger = {"event": "doubt.load", "filter": costly}
    await pair.lab.automation("burning", [record("x")], triggers=[trigger])


HARMS: Final = [huge, read_only, groups, buckets, streams, burning]


@pytest.mark.parametrize("harm", HARMS, ids=lambda one: one.__name__)
async def test_what_is_done_to_two_replicas_under_load_leaves_no_run_behind(
    servers: Servers, dsn: str, tmp_path: Path, harm: Callable[[Pair], Awaitable[None]]
) -> None:
    async with open_pair(servers.nats_url, dsn, tmp_path) as pair:
        await harmed(pair, harm)
        await judge(pair.lab)
        if harm is not streams:  # with the stream goes what was told before
            await check_events(pair.lab)


async def test_a_bus_that_is_full_for_a_while_leaves_no_run_behind(
    dsn: str, tmp_path: Path
) -> None:
    config = tmp_path / "limited.conf"
    config.write_text(LIMITED.format(store=tmp_path / "store"))
    server = Server(tmp_path, "-c", str(config), jetstream=False)
    server.start()

    async def full(pair: Pair) -> None:
        client = await nats.connect(server.url)
        try:
            js = client.jetstream()
            await js.add_stream(name="JUNK", subjects=["junk"])
            with suppress(APIError):
                while True:
                    await js.publish("junk", b"x" * 500_000)
            await asyncio.sleep(FULL_SECONDS)
            await js.delete_stream("JUNK")
        finally:
            await client.close()

    try:
        async with open_pair(server.url, dsn, tmp_path) as pair:
            await harmed(pair, full)
            await judge(pair.lab)
            await check_events(pair.lab)
    finally:
        server.kill()


async def test_credentials_that_expire_and_are_renewed_leave_no_run_behind(
    dsn: str, tmp_path: Path
) -> None:
    config, credentials, signer = write_operator_mode(tmp_path, {})
    (tmp_path / "operator.conf").write_text(config)
    server = Server(tmp_path, "-c", str(tmp_path / "operator.conf"))
    server.start()

    async def expiring(pair: Pair) -> None:
        """The next connections have a token that ends soon, and a while later a new one."""
        signer.write(credentials, seconds=3)
        server.kill()
        server.start()
        await until(lambda: pair.lab.connection.healthy)
        await asyncio.sleep(2 * AWAY_SECONDS)
        signer.write(credentials)

    try:
        async with open_pair(server.url, dsn, tmp_path, credentials=str(credentials)) as pair:
            await harmed(pair, expiring)
            await judge(pair.lab)
            await check_events(pair.lab)
    finally:
        server.kill()
