"""What is in a stream is found, and live messages are followed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bus.helpers import Connecting
from lockstep.bus import api
from lockstep.bus.connection import Connection
from lockstep.bus.follow import follow
from lockstep.bus.publisher import Publisher
from lockstep.bus.reading.lookup import find, stored
from lockstep.model.errors import ServerUnfit
from patience import until


def ago(**what: float) -> datetime:
    return datetime.now(UTC) - timedelta(**what)


async def fill(connection: Connection, count: int) -> None:
    publisher = Publisher(connection)
    await asyncio.gather(
        *(
            publisher.publish(
                connection.names.run(f"a{i % 2}", "started"), b"x" * 100, {"Nats-Msg-Id": f"r:{i}"}
            )
            for i in range(count)
        )
    )


async def test_a_message_is_found_by_id_subject_and_time(connection: Connection) -> None:
    await fill(connection, 10)
    stream, subject = connection.names.runs_stream, connection.names.run("a1", "started")
    assert await find(connection, stream, subject, "r:7", ago(minutes=1))
    assert not await find(connection, stream, subject, "r:8", ago(minutes=1))  # other subject
    assert not await find(connection, stream, subject, "r:99", ago(minutes=1))
    assert not await find(connection, stream, subject, "r:7", ago(hours=-1))


async def test_many_ids_are_looked_for_at_once_and_nothing_is_left_on_the_server(
    connection: Connection,
) -> None:
    await fill(connection, 2500)
    stream = connection.names.runs_stream
    wanted = {"r:0", "r:1", "r:2499", "no"}
    subject = connection.names.run("*", "started")
    assert await stored(connection, stream, subject, wanted, ago(minutes=1)) == wanted - {"no"}

    async def cleaned() -> bool:
        return not (await api.call(connection, f"CONSUMER.NAMES.{stream}"))["consumers"]

    await until(cleaned)


async def test_a_stream_that_is_not_there_is_said(connecting: Connecting) -> None:
    connection = await connecting()
    with pytest.raises(ServerUnfit, match="cannot be searched: stream not found"):
        await find(connection, connection.names.runs_stream, "a", "1", ago(minutes=1))


async def test_live_messages_are_followed_in_order(connection: Connection) -> None:
    subject = connection.names.run("a", "started")
    async with follow(connection, connection.names.run("*", ">"), limit=3) as feed:
        publisher = Publisher(connection)
        for i in range(3):
            await publisher.publish(subject, b"%d" % i, {"A": "b"})
        notes = [await anext(feed) for _ in range(3)]
        assert [note.body for note in notes] == [b"0", b"1", b"2"]
        assert (notes[0].subject, notes[0].headers) == (subject, {"A": "b"})
        for i in range(5):
            await publisher.publish(subject, b"%d" % i, {})
        assert feed.dropped == 2
        assert (await anext(feed)).body == b"2"
