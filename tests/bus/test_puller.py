"""Messages come, come again when they should, and only then."""

import asyncio
from contextlib import suppress
from functools import partial

import pytest
from structlog.testing import capture_logs

from bus.helpers import Connecting, settle_all, take
from lockstep.bus import api, topology
from lockstep.bus.connection import Connection
from lockstep.bus.delivery import Delivery
from lockstep.bus.publisher import Publisher
from lockstep.bus.puller import Puller
from lockstep.model.errors import ServerUnfit
from lockstep.model.messages import Message
from lockstep.model.verdicts import Accept, Retry, Terminate
from lockstep.ports.bus import MessageSource
from patience import briefly, until


def conform(puller: Puller, delivery: Delivery) -> tuple[MessageSource, Message]:
    """For the type check: they are what the stations expect."""
    return puller, delivery


async def publish(connection: Connection, count: int, lane: str = "") -> None:
    publisher = Publisher(connection)
    subject = connection.names.trigger("some.event", lane)
    await asyncio.gather(
        *(publisher.publish(subject, b"%d" % i, {"Nats-Msg-Id": f"{i}"}) for i in range(count))
    )


async def stored(connection: Connection) -> int:
    found = await api.call(connection, f"STREAM.INFO.{connection.names.triggers_stream}")
    count: int = found["state"]["messages"]
    return count


async def settled_down(connection: Connection) -> None:
    """Give what is under way between us and the server the time of some round trips."""
    for _ in range(20):
        await connection.settled()


def reconnected_since(connection: Connection, count: int) -> bool:
    return connection.connected and connection.wire.stats["reconnects"] > count


async def test_a_message_tells_where_it_stands(connection: Connection) -> None:
    await publish(connection, 2)
    async with Puller(connection) as puller:
        first, second = await take(puller, 2)
        assert (first.stream, first.sequence, first.deliveries) == (puller.stream, 1, 1)
        assert (first.subject, first.data) == (connection.names.trigger("some.event"), b"0")
        assert first.headers == {"Nats-Msg-Id": "0"}
        assert (first.pending, second.pending) == (1, 0)
        assert 0 < second.stored_at_ns - first.stored_at_ns < 5e9
        await settle_all(puller, [first, second], Accept())


async def test_an_accepted_message_leaves_the_stream(connection: Connection) -> None:
    await publish(connection, 100)
    async with Puller(connection, credit=16) as puller:
        messages = await take(puller, 100)
        assert [message.data for message in messages] == [b"%d" % i for i in range(100)]
        await settle_all(puller, messages, Accept())
        assert puller.in_flight == 0
        await until(lambda: gone(connection))


async def gone(connection: Connection) -> bool:
    return await stored(connection) == 0


async def test_a_refused_message_comes_again_after_its_delay(connecting: Connecting) -> None:
    connection = await connecting(ack_wait_seconds=3600)  # only the delay brings it back
    await topology.apply(connection)
    await publish(connection, 1)
    loop = asyncio.get_running_loop()
    async with Puller(connection) as puller:
        (message,) = await take(puller, 1)
        began = loop.time()
        await puller.settle(message, Retry(0.3))
        (again,) = await take(puller, 1)
        assert loop.time() - began >= 0.29
        assert (again.sequence, again.deliveries) == (message.sequence, 2)
        await puller.settle(again, Accept())


async def test_a_terminated_message_never_comes_again_and_the_reason_is_told(
    connection: Connection,
) -> None:
    advisories: list[bytes] = []
    await connection.listen(
        f"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.{connection.names.triggers_stream}.engine",
        lambda _subject, _reply, _head, body: advisories.append(body),
    )
    await publish(connection, 1)
    async with Puller(connection) as puller:
        (message,) = await take(puller, 1)
        await puller.settle(message, Terminate("no JSON\nat all"))
        await until(lambda: advisories)
        assert b'"reason":"no JSON at all"' in advisories[0]
        await until(lambda: gone(connection))


async def test_what_is_held_longer_than_the_ack_wait_is_not_delivered_again(
    connecting: Connecting,
) -> None:
    """One is in work, the others wait here; a second replica would get them if they timed out."""
    connection = await connecting(ack_wait_seconds=2)
    await topology.apply(connection)
    await publish(connection, 5)
    async with Puller(connection, credit=10) as puller:
        (working,) = await take(puller, 1)
        await until(lambda: puller.queued == 4)
        async with Puller(connection) as other:
            with suppress(TimeoutError):
                async with briefly(4.5):
                    await other.batch(1)
                    pytest.fail("delivered again")
        await puller.settle(working, Accept())
        rest = await take(puller, 4)
        assert {message.deliveries for message in rest} == {1}
        await settle_all(puller, rest, Accept())


async def test_a_message_that_is_held_here_is_not_handed_out_twice(
    connection: Connection,
) -> None:
    await publish(connection, 1)
    async with Puller(connection) as puller:
        (message,) = await take(puller, 1)
        connection.post(message.reply, b"-NAK")  # as if the server thought it timed out
        await until(lambda: message.deliveries == 2)
        assert puller.queued == 0
        await puller.settle(message, Accept())
        await until(lambda: gone(connection))


async def test_stop_gives_the_prefetched_to_another_replica_at_once(
    connecting: Connecting,
) -> None:
    connection = await connecting(ack_wait_seconds=3600)  # nobody waits for that
    await topology.apply(connection)
    await publish(connection, 20)
    async with Puller(connection) as leaving:
        working = await take(leaving, 5)
        await until(lambda: leaving.queued == 15)
        async with Puller(connection) as staying:
            await leaving.stop()
            assert await leaving.batch(1) == []
            moved = await take(staying, 15)
            await settle_all(staying, moved, Accept())
            await settle_all(leaving, working, Accept())
            await until(lambda: gone(connection))


async def test_a_paused_puller_asks_for_no_more(connection: Connection) -> None:
    async with Puller(connection, credit=4) as puller:
        await publish(connection, 20)
        puller.pause()
        got = await take(puller, 4)
        with suppress(TimeoutError):
            async with briefly(0.3):
                while batch := await puller.batch(10):
                    got += batch
        assert len(got) <= 8  # what had been asked for before
        puller.resume()
        got += await take(puller, 20 - len(got))
        await settle_all(puller, got, Accept())


async def test_the_first_verdict_counts(connection: Connection) -> None:
    await publish(connection, 1)
    async with Puller(connection) as puller:
        (message,) = await take(puller, 1)
        await puller.settle(message, Accept())
        await puller.settle(message, Retry(0))
        await until(lambda: gone(connection))
        assert puller.queued == 0


async def test_lanes_do_not_wait_for_each_other(connecting: Connecting) -> None:
    connection = await connecting(lanes=["slow"])
    await topology.apply(connection)
    await publish(connection, 3, lane="slow")
    async with Puller(connection) as engine, Puller(connection, lane="slow") as slow:
        messages = await take(slow, 3)
        assert connection.names.event(messages[0].subject) == ("slow", "some.event")
        assert engine.queued == 0
        await settle_all(slow, messages, Accept())


async def test_a_cancelled_batch_loses_nothing(connection: Connection) -> None:
    async with Puller(connection) as puller:
        waiting = asyncio.create_task(puller.batch(10))
        await publish(connection, 1)
        await until(lambda: puller.in_flight == 1)
        waiting.cancel()
        await asyncio.wait({waiting})
        got = [] if waiting.cancelled() else [*waiting.result()]
        got += [] if got else await take(puller, 1)
        assert [message.data for message in got] == [b"0"]
        await settle_all(puller, got, Accept())


async def test_a_consumer_that_is_made_again_is_pulled_again(connection: Connection) -> None:
    async with Puller(connection) as puller:
        await publish(connection, 1)
        await settle_all(puller, await take(puller, 1), Accept())  # so the server has its request
        name = f"{puller.stream}.{puller.consumer}"
        await api.call(connection, f"CONSUMER.DELETE.{name}")
        await publish(connection, 3)  # the first is known by its id
        await topology.apply(connection)
        messages = await take(puller, 2)
        await settle_all(puller, messages, Accept())


async def test_a_connection_that_comes_back_gets_no_more_than_the_credit(
    connection: Connection,
) -> None:
    """The server must not serve the requests from before beside those from after."""
    async with Puller(connection, credit=4) as puller:
        for _ in range(3):
            before = connection.wire.stats.copy()
            await settled_down(connection)
            await connection.wire.force_reconnect()
            await until(partial(reconnected_since, connection, before["reconnects"]))
        await settled_down(connection)
        await publish(connection, 20)
        await until(lambda: puller.queued >= 4)
        await settled_down(connection)
        assert puller.queued == 4
        await settle_all(puller, await take(puller, 20), Accept())


async def test_a_stream_that_goes_back_is_reported_and_its_messages_are_not_mixed_up(
    connection: Connection,
) -> None:
    await publish(connection, 1)
    async with Puller(connection) as puller:
        (old,) = await take(puller, 1)
        await api.call(connection, f"STREAM.DELETE.{puller.stream}")
        await topology.apply(connection)
        await publish(connection, 1)
        with capture_logs() as logs:
            (new,) = await take(puller, 1)
        assert (new.sequence, new.deliveries) == (old.sequence, 1)
        assert [line["event"] for line in logs if line["log_level"] == "error"] == [
            "stream.rewound"
        ]
        await puller.settle(old, Accept())
        assert puller.in_flight == 1
        await puller.settle(new, Accept())
        await until(lambda: gone(connection))


async def test_a_missing_consumer_is_named(connecting: Connecting) -> None:
    connection = await connecting()
    with pytest.raises(ServerUnfit, match=r"engine of stream .*_TRIGGERS: stream not found"):
        await Puller(connection).start()


async def test_many_bytes_are_not_all_fetched_in_advance(connection: Connection) -> None:
    publisher = Publisher(connection)
    for _ in range(8):
        await publisher.publish(connection.names.trigger("big"), b"x" * 900_000, {})
    async with Puller(connection, max_queued_bytes=100_000) as puller:
        await until(lambda: puller.queued >= 2)
        await settled_down(connection)
        assert puller.queued == 2  # as many as the smallest request may ask for
        got = await take(puller, 8)
        assert puller.in_flight == 8
        await settle_all(puller, got, Accept())


@pytest.mark.parametrize(
    "reply",
    [
        b"$JS.ACK.S.c.2.11.5.1700000000000000000.3",
        b"$JS.ACK._.hash.S.c.2.11.5.1700000000000000000.3",
        b"$JS.ACK.hub.hash.S.c.2.11.5.1700000000000000000.3.token",
    ],
)
def test_every_form_of_the_ack_subject_is_read(reply: bytes) -> None:
    message = Delivery(b"a", reply, b"", b"")
    assert (message.stream, message.consumer, message.deliveries) == ("S", "c", 2)
    assert (message.sequence, message.stored_at_ns) == (11, 1_700_000_000_000_000_000)
    assert message.pending == 3
