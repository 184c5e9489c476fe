"""A worker that is gone is told to the others, soon, and through restarts of the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import nats
import pytest
from nats.js.errors import NoKeysError
from structlog.testing import capture_logs

from bus.helpers import Connecting, Server
from lockstep.bus import api, topology
from lockstep.bus.connection import Connection, connect
from lockstep.bus.errors import JetStreamRefused
from lockstep.bus.worker_keys import Expiries, WorkerKeys
from lockstep.model.errors import ServerUnfit, Unavailable
from patience import LIMIT_SECONDS, patience, until


async def told(watch: Expiries) -> UUID:
    """The next that is told."""
    async with patience():
        return await anext(watch)


async def all_of(watch: Expiries) -> list[UUID]:
    """All that is told until the watch ends."""
    return [worker_id async for worker_id in watch]


async def consumers(connection: Connection) -> int:
    stream = connection.names.bucket_stream(connection.names.workers_bucket)
    answer = await api.call(connection, f"STREAM.INFO.{stream}")
    count: int = answer["state"]["consumer_count"]
    return count


@asynccontextmanager
async def ready(server: Server, prefix: str) -> AsyncIterator[Connection]:
    connection = await connect(server.settings(prefix))
    try:
        await topology.apply(connection)
        yield connection
    finally:
        await connection.close()


async def test_a_key_that_expires_is_told_and_one_that_is_renewed_is_not(
    connection: Connection,
) -> None:
    keys = WorkerKeys(connection)
    alive, gone = uuid4(), uuid4()
    loop = asyncio.get_running_loop()
    async with keys.expiries() as watch:
        began = loop.time()
        await keys.renew(alive, b"1", 3)
        await keys.renew(gone, b"1", 4)
        await keys.renew(alive, b"2", 3600)
        assert await told(watch) == gone, "the other was renewed before its time was over"
        assert loop.time() - began >= 3.99
        await keys.drop(gone)  # behind what the server might still tell of the other
        assert await told(watch) == gone


async def test_a_key_that_is_dropped_is_told_at_once_to_all(connecting: Connecting) -> None:
    connection, other = await connecting(), await connecting()
    await topology.apply(connection)
    keys, worker_id = WorkerKeys(connection), uuid4()
    await keys.renew(worker_id, b"1", 60)
    async with keys.expiries() as mine, WorkerKeys(other).expiries() as theirs:
        await keys.drop(worker_id)
        assert await told(mine) == worker_id
        assert await told(theirs) == worker_id
    client = await nats.connect(connection.settings.servers[0])
    try:
        bucket = await client.jetstream().key_value(keys.name)
        with pytest.raises(NoKeysError):
            await bucket.keys()
        await keys.renew(worker_id, b"back", 60)
        assert await bucket.keys() == [str(worker_id)]
        assert (await bucket.get(str(worker_id))).value == b"back"
    finally:
        await client.close()


async def test_only_what_happens_from_now_on_is_told(connection: Connection) -> None:
    keys = WorkerKeys(connection)
    before, after = uuid4(), uuid4()
    await keys.drop(before)
    async with keys.expiries() as watch:
        await keys.drop(after)
        assert await told(watch) == after


async def test_a_watch_that_ends_leaves_no_consumer_and_wakes_its_reader(
    connection: Connection,
) -> None:
    keys = WorkerKeys(connection)
    async with keys.expiries() as watch:
        assert await consumers(connection) == 1
        reading = asyncio.create_task(all_of(watch))
        await connection.settled()
    assert await asyncio.wait_for(reading, LIMIT_SECONDS) == []

    async def none_left() -> bool:
        return await consumers(connection) == 0

    await until(none_left)
    assert watch not in connection.listeners


async def test_the_watch_goes_on_after_a_kill_of_the_server(mortal: Server, prefix: str) -> None:
    async with ready(mortal, prefix) as connection, WorkerKeys(connection).expiries() as watch:
        keys = WorkerKeys(connection)
        seen, unseen, later = uuid4(), uuid4(), uuid4()
        await keys.drop(seen)
        assert await told(watch) == seen
        await keys.renew(unseen, b"", 1)
        mortal.kill()
        await until(lambda: not connection.connected)
        mortal.start()
        await until(lambda: connection.connected)
        assert await told(watch) == unseen  # it expired while nobody could tell

        async def dropped() -> bool:
            try:
                await keys.drop(later)
            except Unavailable:
                return False
            return True

        await until(dropped)
        assert await told(watch) == later


async def test_what_happened_without_a_consumer_is_told_right_after_a_reconnect(
    connection: Connection,
) -> None:
    """A restart of the server ends the consumer; here it is done by hand, to be sure of when."""
    keys, meanwhile = WorkerKeys(connection, silence=3600), uuid4()  # none is noticed
    async with keys.expiries() as watch:
        await keys.drop(uuid4())
        await told(watch)
        await api.call(connection, f"CONSUMER.DELETE.{keys.stream}.{watch._consumer}")
        await keys.drop(meanwhile)
        await connection.wire.force_reconnect()
        assert await told(watch) == meanwhile


async def test_the_watch_goes_on_when_the_bucket_was_away(connection: Connection) -> None:
    keys, later = WorkerKeys(connection), uuid4()
    async with keys.expiries() as watch:
        await keys.drop(uuid4())
        await told(watch)
        await api.call(connection, f"STREAM.DELETE.{keys.stream}")
        with capture_logs() as logs:
            await until(lambda: [line for line in logs if line["event"] == "subscription.lost"])
        await topology.apply(connection)

        async def watched() -> bool:
            return await consumers(connection) == 1

        await until(watched)
        await keys.drop(later)
        assert await told(watch) == later


async def test_the_watch_survives_reconnects_and_keeps_one_consumer(
    connection: Connection,
) -> None:
    keys = WorkerKeys(connection)
    async with keys.expiries() as watch:
        for _ in range(3):
            count = connection.wire.stats["reconnects"]
            await connection.wire.force_reconnect()
            await until(lambda: connection.wire.stats["reconnects"] > count)  # noqa: B023
            worker_id = uuid4()
            await keys.drop(worker_id)
            assert await told(watch) == worker_id

        async def one_left() -> bool:
            return await consumers(connection) == 1

        # The server forgets one of which nobody learnt, as the connection broke, after 30 s.
        await until(one_left)


async def test_the_first_thing_that_happens_is_told_also_when_the_consumer_got_lost(
    connecting: Connecting,
) -> None:
    connection, other = await connecting(), await connecting()
    await topology.apply(connection)
    worker_id = uuid4()
    async with WorkerKeys(connection).expiries() as watch:
        stream = WorkerKeys(connection).stream
        (name,) = (await api.call(other, f"CONSUMER.NAMES.{stream}"))["consumers"]
        await api.call(other, f"CONSUMER.DELETE.{stream}.{name}")
        await WorkerKeys(other).drop(worker_id)
        await connection.wire.force_reconnect()
        assert await told(watch) == worker_id


async def test_the_reader_learns_that_the_connection_is_over(connecting: Connecting) -> None:
    connection = await connecting()
    await topology.apply(connection)
    async with WorkerKeys(connection).expiries() as watch:
        reading = asyncio.create_task(told(watch))
        await connection.settled()
        await connection.close()
        with pytest.raises(Unavailable, match="closed by us"):
            await reading


async def test_what_cannot_be_is_refused(connecting: Connecting) -> None:
    connection = await connecting(publish_timeout_seconds=0.5)
    keys = WorkerKeys(connection)
    with pytest.raises(ServerUnfit, match=r"stream not found; `lockstep bus apply` creates it"):
        async with keys.expiries():
            pytest.fail("there is no bucket")
    assert not connection.listeners
    with pytest.raises(Unavailable, match="no stream"):
        await keys.renew(uuid4(), b"", 4)
    await topology.apply(connection)
    with pytest.raises(JetStreamRefused, match="10165"):
        await keys.renew(uuid4(), b"", 0)
