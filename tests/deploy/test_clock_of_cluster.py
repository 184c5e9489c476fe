"""The clock of the stream in a cluster, and of a server that does not let the engine ask."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from deploy.machines import DEPLOY, Bus, free_ports, make_secrets, nats_server
from deploy.test_identities import INBOX, engine
from lockstep import bus, store
from lockstep.bus import api, topology
from lockstep.bus.reading.unhandled import UnhandledEvents
from lockstep.model.events import Poison
from lockstep.ports.unhandled import HeldUp, Question
from lockstep.replicas import StreamClock
from lockstep.store.pool import Store
from patience import patience

ACCOUNTS = (DEPLOY / "nats/accounts.conf").read_text()
INFO = '"$JS.API.INFO", '
NONE = HeldUp(reason="")
STEP_DOWN = "STREAM.LEADER.STEPDOWN.LOCKSTEP_TRIGGERS"
ASKING = '"$JS.API.STREAM.INFO.LOCKSTEP_TRIGGERS", '


def replica(connection: bus.Connection, database: Store) -> StreamClock:
    """The clock of the stream as a replica has it."""
    stream = connection.names.triggers_stream
    told = bus.Lag(connection).told
    return StreamClock(stream, told, store.StreamClockStore(database), store.DatabaseClock())


@asynccontextmanager
async def replicated(tmp_path: Path, dsn: str) -> AsyncIterator[tuple[bus.Connection, StreamClock]]:
    """An engine on three servers, and its clock of the stream, which is known."""
    ports = free_ports(3)
    routes = {f"NATS_ROUTE_{i}": f"nats://127.0.0.1:{port}" for i, port in enumerate(ports, 1)}
    shared = make_secrets(tmp_path / "secrets")
    assert INFO in ACCOUNTS
    accounts = tmp_path / "accounts.conf"
    accounts.write_text(ACCOUNTS.replace(INFO, f'{INFO}"$JS.API.{STEP_DOWN}", ', 1))
    async with AsyncExitStack() as stack:
        servers: list[Bus] = []
        for number, port in enumerate(ports, 1):
            folder = tmp_path / f"n{number}"
            folder.mkdir()
            (folder / "secrets").symlink_to(tmp_path / "secrets")
            started = nats_server(
                folder, "cluster.conf", {**routes, "NATS_SERVER_NAME": f"n{number}"},
                words=("--cluster", f"nats://127.0.0.1:{port}"), more_files=[accounts],
            )  # fmt: skip
            servers.append(await stack.enter_async_context(started))
        database = await Store.connect(dsn, 1)
        stack.push_async_callback(database.close)
        who = {"user": "engine", "password": shared["nats_engine"], "replicas": 3}
        connection = await stack.enter_async_context(engine([one.url for one in servers], **who))
        clock = replica(connection, database)
        async with patience():
            while clock.known is None:  # a stream that was just made may have no leader yet
                await clock.look()
        yield connection, clock


async def test_another_leader_begins_the_measurement_anew(tmp_path: Path, dsn: str) -> None:
    async with replicated(tmp_path, dsn) as (connection, clock):
        before = clock.known
        assert before is not None
        assert before.leader in {"n1", "n2", "n3"}
        assert before.begun_because == "first"
        await api.call(connection, STEP_DOWN)
        async with patience():
            while (after := clock.known or before).leader == before.leader:
                await clock.look()
        assert after.leader in {"n1", "n2", "n3"} - {before.leader}
        assert (after.begun_because, after.was_ahead) == ("leader", before.offset.ahead)
        assert after.begun_at > before.begun_at


async def test_a_marker_bounds_what_is_asked_of_a_replicated_stream_and_nothing_of_it_is_left(
    tmp_path: Path, dsn: str
) -> None:
    async with replicated(tmp_path, dsn) as (connection, stream_clock):
        names, clock = connection.names, store.DatabaseClock()
        subject = names.trigger("orders.came")
        await bus.Publisher(connection).publish(subject, b"{}", {})
        events = UnhandledEvents(
            connection, names, clock, stream_clock, lambda message: Poison(message, "unread")
        )
        before, asked = clock.now() - timedelta(hours=1), partial(Question, event_id="orders.came")
        early, late = asked(id=UUID(int=1), until=before), asked(id=UUID(int=2), until=clock.now())
        found: Mapping[UUID, HeldUp] = {}
        async with patience():
            # Beyond the error of the clock, and once the leader is known here too.
            while not (found := await events.held_up([early, late])).get(late.id, NONE).events:
                await asyncio.sleep(0.05)
        assert set(found) == {late.id}
        state = (await api.call(connection, f"STREAM.INFO.{names.triggers_stream}"))["state"]
        assert state["messages"] == 1
        assert state["last_seq"] >= 2, "there was a marker"
        assert await topology.missing(connection) == []


async def test_without_the_right_to_ask_it_is_said_which_one_is_missing(
    tmp_path: Path, dsn: str
) -> None:
    accounts = tmp_path / "accounts.conf"
    begin = ACCOUNTS.index("      {\n        user: engine")
    block = ACCOUNTS[begin : ACCOUNTS.index("    ]\n    exports:")]
    assert ASKING in block
    mute = block.replace("user: engine", "user: mute").replace(ASKING, "")
    accounts.write_text(ACCOUNTS.replace(block, block + mute))
    async with nats_server(tmp_path / "bus", more_files=[accounts]) as server:
        password = server.passwords["nats_engine"]
        settings = bus.BusSettings(
            servers=[server.url], inbox_prefix=INBOX, user="mute", password=password
        )
        async with engine([server.url], user="engine", password=password) as able:
            connection, database = await bus.connect(settings), await Store.connect(dsn, 1)
            try:
                clock = replica(connection, database)
                await clock.look()
                assert clock.known is None
                assert clock.doubt is not None
                assert "publish to $JS.API.STREAM.INFO.LOCKSTEP_TRIGGERS?" in clock.doubt
                await replica(able, database).look()
            finally:
                await connection.close()
                await database.close()
