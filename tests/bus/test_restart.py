"""The server is killed, halted and started again; nothing that was acknowledged is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from bus.helpers import Server, take
from lockstep.bus import topology
from lockstep.bus.connection import Connection, connect
from lockstep.bus.follow import follow
from lockstep.bus.publisher import Publisher
from lockstep.bus.puller import Puller
from lockstep.model.errors import Unavailable
from lockstep.model.verdicts import Accept
from patience import patience, until


@asynccontextmanager
async def ready(server: Server, prefix: str, **settings: object) -> AsyncIterator[Connection]:
    connection = await connect(server.settings(prefix, **settings))
    try:
        await topology.apply(connection)
        yield connection
    finally:
        await connection.close()


class Traffic:
    """Publishes and handles events until told to stop; notes what was acknowledged and seen."""

    def __init__(self, connection: Connection, puller: Puller) -> None:
        self.publisher, self.puller = Publisher(connection), puller
        self.subject = connection.names.trigger("a")
        self.acked: set[str] = set()
        self.seen: list[str] = []
        self.failures = 0
        self.stopped = False

    def has_acked(self, count: int) -> bool:
        return len(self.acked) > count

    async def publish(self, who: int) -> None:
        number = 0
        while not self.stopped:
            name = f"{who}-{number}"
            try:
                await self.publisher.publish(self.subject, name.encode(), {"Nats-Msg-Id": name})
            except Unavailable:
                self.failures += 1  # and again, with the same id
            else:
                self.acked.add(name)
                number += 1

    async def handle(self) -> None:
        while batch := await self.puller.batch(64):
            for message in batch:
                self.seen.append(message.data.decode())
                await self.puller.settle(message, Accept())


async def test_a_kill_of_the_server_loses_nothing_and_needs_nobody(
    mortal: Server, prefix: str
) -> None:
    async with (
        ready(mortal, prefix, ack_wait_seconds=1, publish_timeout_seconds=1) as connection,
        Puller(connection) as puller,
        asyncio.TaskGroup() as group,
    ):
        traffic = Traffic(connection, puller)
        publishing = [group.create_task(traffic.publish(who)) for who in range(8)]
        group.create_task(traffic.handle())
        for round_ in range(2):
            await until(partial(traffic.has_acked, len(traffic.acked) + 300), f"traffic {round_}")
            mortal.kill()
            await until(lambda: not connection.connected)
            assert not connection.healthy
            mortal.start()
            await until(lambda: connection.connected)
        target = len(traffic.seen) + 300
        await until(lambda: len(traffic.seen) > target, "deliveries after the restart")
        traffic.stopped = True
        await asyncio.wait(publishing)
        await until(lambda: traffic.acked <= set(traffic.seen), "all that was acknowledged")
        await until(lambda: puller.in_flight == 0)
        assert traffic.failures > 0
        assert not connection.closed.is_set()
        await puller.stop()


async def test_publish_waits_for_the_server_to_come_back_and_then_works(
    mortal: Server, prefix: str
) -> None:
    async with ready(mortal, prefix, publish_timeout_seconds=0.3) as connection:
        publisher = Publisher(connection)
        subject = connection.names.run("a", "started")
        mortal.kill()
        await until(lambda: not connection.connected)
        with pytest.raises(Unavailable, match=r"no connection to NATS at .* within 0\.3 s"):
            await publisher.publish(subject, b"1", {})

        mortal.start()

        async def published() -> bool:
            try:
                return await publisher.publish(subject, b"2", {})
            except Unavailable:
                return False

        await until(published)


async def test_who_waits_for_an_acknowledgement_learns_at_once_that_the_server_died(
    mortal: Server, prefix: str
) -> None:
    async with ready(mortal, prefix, publish_timeout_seconds=60) as connection:
        subject = connection.names.run("a", "started")
        mortal.halt()  # so that it cannot answer before it dies
        publishing = asyncio.create_task(Publisher(connection).publish(subject, b"1", {}))
        await until(lambda: len(connection.requests) == 1)
        mortal.kill()
        with pytest.raises(Unavailable, match="broke before the answer"):
            async with patience():
                await publishing


async def test_a_halted_server_is_a_passing_fault(mortal: Server, prefix: str) -> None:
    async with ready(mortal, prefix, publish_timeout_seconds=0.2) as connection:
        publisher = Publisher(connection)
        subject = connection.names.run("a", "started")
        mortal.halt()
        bodies = [b"x" * 1_000_000] * 12  # more than the sockets take
        results = await asyncio.gather(
            *(publisher.publish(subject, body, {}) for body in bodies), return_exceptions=True
        )
        assert all(isinstance(result, Unavailable) for result in results)
        assert len(connection.requests) == 0
        mortal.go_on()

        async def published() -> bool:
            try:
                return await publisher.publish(subject, b"", {})
            except Unavailable:
                return False

        await until(published)


async def test_what_was_prefetched_before_a_restart_is_handled_once(
    mortal: Server, prefix: str
) -> None:
    async with (
        ready(mortal, prefix, ack_wait_seconds=1) as connection,
        Puller(connection) as puller,
    ):
        publisher = Publisher(connection)
        for i in range(5):
            await publisher.publish(connection.names.trigger("a"), b"%d" % i, {})
        await until(lambda: puller.queued == 5)
        mortal.kill()
        await until(lambda: not connection.connected)
        mortal.start()
        await until(lambda: connection.connected)
        await publisher.publish(connection.names.trigger("a"), b"5", {})
        messages = await take(puller, 6)
        assert sorted(message.data for message in messages) == [b"%d" % i for i in range(6)]
        for message in messages:
            await puller.settle(message, Accept())
        assert puller.in_flight == 0


async def test_a_follower_goes_on_and_knows_that_some_may_be_missing(
    mortal: Server, prefix: str
) -> None:
    async with (
        ready(mortal, prefix) as connection,
        follow(connection, connection.names.run("a", "*")) as feed,
    ):
        mortal.kill()
        await until(lambda: not connection.connected)
        mortal.start()
        await until(lambda: feed.gaps == 1)
        await Publisher(connection).publish(connection.names.run("a", "started"), b"1", {})
        assert (await anext(feed)).body == b"1"
        connection.give_up("test")
        with pytest.raises(Unavailable, match="test"):
            await anext(feed)
