"""What sleeps is woken by the server, once, whatever happens to it or to us."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import nats
import pytest
from nats.js.kv import KeyValue

from bus.helpers import Connecting, Server, settle_all, take
from lockstep.bus import api, headers, topology
from lockstep.bus.buckets import Bucket, as_uuid
from lockstep.bus.connection import Connection, connect
from lockstep.bus.delivery import Delivery
from lockstep.bus.names import ENGINE, Kind
from lockstep.bus.publisher import Publisher
from lockstep.bus.puller import Puller
from lockstep.model.errors import Unavailable
from lockstep.model.verdicts import Accept
from patience import LIMIT_SECONDS, briefly, patience, until

HALF_A_SECOND = timedelta(seconds=0.5)


def now() -> datetime:
    return datetime.now(UTC)


def wakes(bucket: Bucket, connection: Connection) -> Puller:
    return Puller(connection, stream=bucket.stream, consumer=ENGINE)


async def subjects(connection: Connection, bucket: Bucket) -> set[str]:
    """All that the stream of a bucket holds."""
    answer = await api.call(connection, f"STREAM.INFO.{bucket.stream}", {"subjects_filter": ">"})
    return set(answer["state"].get("subjects") or [])


def woken(message: Delivery) -> str:
    return message.subject.rpartition(".")[2]


@pytest.fixture
async def key_value(server: Server, prefix: str) -> AsyncIterator[KeyValue]:
    """The bucket of delays as other programs see it."""
    client = await nats.connect(server.url)
    yield await client.jetstream().key_value(f"{prefix}_delays")
    await client.close()


@pytest.mark.parametrize("kind", ["delay", "wait"])
async def test_a_key_with_a_time_wakes_a_second_after_it_and_is_gone(
    connection: Connection, kind: Kind
) -> None:
    bucket, key = Bucket(connection, kind), str(uuid4())
    due_at = now() - HALF_A_SECOND
    await bucket.put(key, b"body", due_at)
    async with wakes(bucket, connection) as puller:
        (message,) = await take(puller, 1)
        late = message.stored_at_ns / 1e9 - due_at.timestamp()
        assert message.subject == connection.names.wake(kind, key)
        assert message.data == b"body"
        assert 1.0 <= late < 4.0  # 1.0 to 1.3 when the machine is idle
        await settle_all(puller, [message], Accept())
    assert await bucket.keys() == set()


async def test_a_key_whose_time_is_long_past_wakes_soon(connection: Connection) -> None:
    bucket = Bucket(connection, "delay")
    keys = [str(uuid4()), str(uuid4())]
    await bucket.put(keys[0], b"", now() - timedelta(days=400))
    await bucket.put(keys[1], b"", datetime.min.replace(tzinfo=UTC))
    async with wakes(bucket, connection) as puller:
        messages = await take(puller, 2)
        assert {woken(message) for message in messages} == set(keys)


async def test_a_time_that_the_server_cannot_count_to_does_not_wake_at_once(
    connection: Connection,
) -> None:
    bucket = Bucket(connection, "delay")
    far = [datetime.max.replace(tzinfo=UTC), datetime(2263, 1, 1, tzinfo=UTC)]
    keys = [uuid4() for _ in far]
    for key, due_at in zip(keys, far, strict=True):
        await bucket.put(str(key), b"", due_at)
    await proof_of_a_wake(connection, bucket)
    assert await bucket.keys() == set(keys)


async def proof_of_a_wake(connection: Connection, bucket: Bucket) -> None:
    """Wait until the server has woken what was due before now, and see that it is one key only."""
    key = str(uuid4())
    await bucket.put(key, b"proof", now() - HALF_A_SECOND)
    async with wakes(bucket, connection) as puller:
        (message,) = await take(puller, 1)
        assert woken(message) == key
        assert (puller.queued, message.pending) == (0, 0)
        await settle_all(puller, [message], Accept())


async def test_a_removed_key_never_wakes_and_leaves_a_mark_that_goes_by_itself(
    connection: Connection,
) -> None:
    bucket, key = Bucket(connection, "delay"), str(uuid4())
    for _ in "ab":
        await bucket.put(key, b"body", now() - HALF_A_SECOND)
        await bucket.remove(key)
        assert await marks(connection, bucket) == {key: "60"}
    await bucket.remove(key)
    await proof_of_a_wake(connection, bucket)
    assert await marks(connection, bucket) == {key: "60"}


@pytest.mark.parametrize("kind", ["delay", "wait"])
async def test_who_watches_sees_keys_come_and_go(
    connection: Connection, server: Server, prefix: str, kind: Kind
) -> None:
    """Such as were never written, and those that the server has taken away when it woke."""
    bucket = Bucket(connection, kind)
    scheduled, plain, woken_key, unknown = (str(uuid4()) for _ in range(4))
    await bucket.put(plain, b"plain", None)
    async with watched(server, bucket.name) as changes, wakes(bucket, connection) as puller:
        await bucket.put(scheduled, b"scheduled", now() + timedelta(hours=1))
        await bucket.put(woken_key, b"woken", now() - HALF_A_SECOND)
        await settle_all(puller, await take(puller, 1), Accept())
        for key in (plain, scheduled, woken_key, unknown):
            await bucket.remove(key)
        seen = [await anext(changes) for _ in range(7)]
    assert seen == [
        (plain, b"plain", None),
        (scheduled, b"scheduled", None),
        (woken_key, b"woken", None),
        *((key, b"", "PURGE") for key in (plain, scheduled, woken_key, unknown)),
    ]


async def marks(connection: Connection, bucket: Bucket) -> dict[str, str]:
    """What stands for removed keys, and for how many seconds."""
    found = {}
    for subject in await subjects(connection, bucket):
        answer = await api.call(
            connection, f"STREAM.MSG.GET.{bucket.stream}", {"last_by_subj": subject}
        )
        head = headers.unpack(b64decode(answer["message"].get("hdrs", "")))
        if "KV-Operation" in head:
            found[subject.rpartition(".")[2]] = head["Nats-TTL"]
    return found


@asynccontextmanager
async def watched(
    server: Server, bucket: str
) -> AsyncIterator[AsyncIterator[tuple[str, bytes | None, str | None]]]:
    """What another program sees that watches a bucket: key, value, and how it went."""
    client = await nats.connect(server.url)
    watcher = await (await client.jetstream().key_value(bucket)).watchall()

    async def changes() -> AsyncIterator[tuple[str, bytes | None, str | None]]:
        while True:
            async with patience():
                entry = await watcher.updates(timeout=LIMIT_SECONDS)
            if entry is not None:  # else that was all that was there
                yield entry.key, entry.value or b"", entry.operation

    try:
        yield changes()
    finally:
        await watcher.stop()
        await client.close()


async def test_a_key_without_a_time_stays(connection: Connection) -> None:
    bucket, key = Bucket(connection, "wait"), uuid4()
    await bucket.put(str(key), b"body", None)
    await proof_of_a_wake(connection, bucket)
    assert await bucket.keys() == {key}


async def test_a_schedule_that_is_written_again_moves(connection: Connection) -> None:
    bucket = Bucket(connection, "delay")
    sooner, later, never = (str(uuid4()) for _ in range(3))
    await bucket.put(sooner, b"old", now() + timedelta(hours=1))
    await bucket.put(later, b"old", now() - HALF_A_SECOND)
    await bucket.put(never, b"old", now() - HALF_A_SECOND)
    await bucket.put(sooner, b"new", now() - HALF_A_SECOND)
    await bucket.put(later, b"new", now() + timedelta(hours=1))
    await bucket.put(never, b"new", None)
    async with wakes(bucket, connection) as puller:
        (message,) = await take(puller, 1)
        assert (woken(message), message.data) == (sooner, b"new")
        await settle_all(puller, [message], Accept())
    await proof_of_a_wake(connection, bucket)
    assert await bucket.keys() == {UUID(later), UUID(never)}


async def test_keys_are_told_and_what_is_no_key_of_ours_is_not(connection: Connection) -> None:
    bucket = Bucket(connection, "delay")
    assert await bucket.keys() == set()
    keys = [uuid4() for _ in range(5)]
    later = now() + timedelta(hours=1)
    await asyncio.gather(*(bucket.put(str(key), b"", later) for key in keys[:3]))
    await asyncio.gather(*(bucket.put(str(key), b"", None) for key in keys[3:]))
    for odd in ("odd", keys[0].hex, f"{keys[0]}.more"):
        await bucket.put(odd, b"", None)
    assert await bucket.keys() == set(keys)


async def test_more_keys_than_the_server_tells_at_once(connecting: Connecting) -> None:
    connection = await connecting(storage="memory")
    await topology.apply(connection)
    bucket, count = Bucket(connection, "delay"), 100_050
    for number in range(count):
        connection.post(connection.names.key(bucket.name, str(UUID(int=number))), b"")
        if number % 10_000 == 0:
            await connection.settled()
    await bucket.put(str(uuid4()), b"", None)  # behind all of them
    assert len(await bucket.keys()) == count + 1


async def test_hundreds_are_written_and_removed_at_once(connection: Connection) -> None:
    bucket = Bucket(connection, "wait")
    keys = [uuid4() for _ in range(640)]
    due_at = now() + timedelta(hours=1)
    for start in range(0, len(keys), 64):
        some = keys[start : start + 64]
        await asyncio.gather(*(bucket.put(str(key), b"x", due_at) for key in some))
    assert await bucket.keys() == set(keys)
    for start in range(0, len(keys), 64):
        await asyncio.gather(*(bucket.remove(str(key)) for key in keys[start : start + 64]))
    assert (await marks(connection, bucket)).keys() == {str(key) for key in keys}


async def test_other_programs_see_what_sleeps(connection: Connection, key_value: KeyValue) -> None:
    bucket, keys = Bucket(connection, "delay"), [str(uuid4()), str(uuid4())]
    await bucket.put(keys[0], b"scheduled", now() + timedelta(hours=1))
    await bucket.put(keys[1], b"plain", None)
    assert set(await key_value.keys()) == set(keys)
    assert [(await key_value.get(key)).value for key in keys] == [b"scheduled", b"plain"]


async def test_a_bucket_that_is_missing_is_a_passing_fault(connecting: Connecting) -> None:
    connection = await connecting(publish_timeout_seconds=0.5)
    bucket, key = Bucket(connection, "delay"), str(uuid4())
    with pytest.raises(Unavailable, match="`lockstep bus apply` creates"):
        await bucket.put(key, b"", None)
    with pytest.raises(Unavailable, match="_delays: stream not found; `lockstep bus apply`"):
        await bucket.keys()
    await bucket.remove(key)
    await topology.apply(connection)
    await bucket.put(key, b"", None)
    assert await bucket.keys() == {UUID(key)}


async def test_wakes_arrive_again_when_a_deleted_bucket_is_made_anew(
    connection: Connection,
) -> None:
    bucket = Bucket(connection, "delay")
    async with wakes(bucket, connection) as puller:
        await bucket.put(str(uuid4()), b"0", now() - timedelta(seconds=2))
        await settle_all(puller, await take(puller, 1), Accept())
        for round_ in range(2):
            await api.call(connection, f"STREAM.DELETE.{bucket.stream}")
            if round_:  # it is away for longer than the first attempts
                with pytest.raises(TimeoutError):
                    async with briefly(2):
                        await puller.batch(1)
            await topology.apply(connection)
            await bucket.put(str(uuid4()), b"1", now() - timedelta(seconds=2))
            messages = await take(puller, 1)
            await settle_all(puller, messages, Accept())


async def test_a_schedule_outlives_a_kill_of_the_server(mortal: Server, prefix: str) -> None:
    connection = await connect(mortal.settings(prefix))
    try:
        await topology.apply(connection)
        bucket = Bucket(connection, "delay")
        sooner, later = str(uuid4()), str(uuid4())
        async with wakes(bucket, connection) as puller:
            await bucket.put(sooner, b"", now() - HALF_A_SECOND)
            await bucket.put(later, b"", now() + timedelta(hours=1))
            mortal.kill()
            await until(lambda: not connection.connected)
            mortal.start()
            (message,) = await take(puller, 1)
            assert woken(message) == sooner
        assert await bucket.keys() == {UUID(later)}
    finally:
        await connection.close()


async def test_a_publisher_of_events_cannot_set_an_alarm(connection: Connection) -> None:
    """The stream of events has schedules off; only that of a bucket takes them."""
    subject = connection.names.trigger("a")
    head = {"Nats-Schedule": "@at 2030-01-01T00:00:00Z", "Nats-Schedule-Target": f"{subject}.b"}
    with pytest.raises(Exception, match="10188"):
        await Publisher(connection).publish(subject, b"", head)


def test_only_what_str_writes_is_a_uuid() -> None:
    one = uuid4()
    assert as_uuid(str(one)) == one
    for text in ("", "odd", one.hex, str(one).upper(), f"{{{one}}}", f"urn:uuid:{one}"):
        assert as_uuid(text) is None
