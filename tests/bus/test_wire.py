"""What strangers can publish must not stop us, and nats-py must still be what we build on."""

import asyncio
from functools import partial

import pytest
from nats.errors import ProtocolError

from bus.helpers import Connecting, Server, raw, take
from lockstep.bus.connection import Connection
from lockstep.bus.dead_letters import DeadLetters
from lockstep.bus.publisher import Publisher
from lockstep.bus.puller import Puller
from lockstep.bus.wire import Parser, Wire
from lockstep.model.verdicts import Terminate
from patience import until


def headed(block: bytes) -> bytes:
    """A message with a header block of any bytes."""
    return b"HPUB %%b.trigger.a r %d %d\r\n%bhi\r\n" % (len(block), len(block) + 2, block)


POISON = {
    "a subject that is no UTF-8": b"PUB %b.trigger.\xff r 2\r\nhi\r\n",
    "a vertical tab in the subject": b"PUB %b.trigger.a\x0b7 r 2\r\nhi\r\n",
    "a form feed in the subject": b"PUB %b.trigger.a\x0c7 r 2\r\nhi\r\n",
    "a NUL in the subject": b"PUB %b.trigger.a\x00 r 2\r\nhi\r\n",
    "wildcards as words": b"PUB %b.trigger.*.> r 2\r\nhi\r\n",
    "a long subject": b"PUB %b.trigger." + b"x" * 3000 + b" r 2\r\nhi\r\n",
    "a header block of one byte": headed(b"N"),
    "a header block without lines": headed(b"NATS/1.0"),
    "a status that is no UTF-8": headed(b"NATS/1.0 404 \xff\r\n\r\n"),
    "a status like that of a heartbeat": headed(b"NATS/1.0 100\r\n\r\n"),
    "a header like a status": headed(b"NATS/1.0\r\nStatus: 409\r\n\r\n"),
    "a header name that is no token": headed(b"NATS/1.0\r\n@ b: 1\r\n\r\n"),
    "a line feed in a header": headed(b"NATS/1.0\r\na: b\nc\r\n\r\n"),
}


async def test_no_message_stops_the_engine_and_each_can_be_a_dead_letter(
    connection: Connection, server: Server, prefix: str
) -> None:
    frames = [frame.replace(b"%b", prefix.encode()) for frame in POISON.values()]
    await raw(server.port, *frames)
    letters = DeadLetters(connection, Publisher(connection))
    async with Puller(connection) as puller:
        messages = await take(puller, len(POISON))
        assert {message.data for message in messages} == {b"hi"}
        for message in messages:
            assert await letters.send(message, "poison\nof a stranger")
            await puller.settle(message, Terminate("poison"))
    assert connection.connected
    assert not connection.closed.is_set()


async def test_a_flush_that_was_given_up_does_not_end_the_read_loop(
    connection: Connection,
) -> None:
    flush = asyncio.create_task(connection.wire.flush())
    await asyncio.sleep(0)
    flush.cancel()
    await asyncio.gather(flush, return_exceptions=True)
    await connection.wire.flush()
    assert await Publisher(connection).publish(connection.names.run("a", "started"), b"", {})


async def test_the_server_knows_a_subscription_when_the_connection_is_settled(
    connecting: Connecting,
) -> None:
    ours, other = await connecting(), await connecting()
    for number in range(50):
        subject = f"{ours.names.prefix}.{number}"
        await ours.listen(subject, partial(answer, ours))
        await ours.settled()
        assert (await other.ask(subject, b"", b"", 2)).body == b"here"


def answer(
    connection: Connection, _subject: bytes, reply: bytes, _head: bytes, _body: bytes
) -> None:
    connection.post(reply.decode(), b"here")


async def test_a_reader_that_fails_does_not_end_the_read_loop(connection: Connection) -> None:
    came: list[bytes] = []

    def reader(subject: bytes, _reply: bytes, _head: bytes, body: bytes) -> None:
        came.append(body)
        raise ValueError(subject)

    await connection.listen("some.where", reader)
    connection.post("some.where", b"1")
    connection.post("some.where", b"2")
    await until(lambda: came == [b"1", b"2"])


class Recorder(Wire):
    """Notes what the parser found."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    async def control(self, line: bytes) -> None:
        self.found.append(line)

    def deliver(self, sid: int, subject: bytes, reply: bytes, headers: bytes, body: bytes) -> None:
        self.found.append((sid, subject, reply, headers, body))


TALK = (
    b"PING\r\nMSG a.b 7 5\r\nhe\r\no\r\n+OK\r\nHMSG a 1 r.1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
    b"MSG q 2 r 0\r\n\r\nPONG\r\n"
)
FOUND = [
    b"PING",
    (7, b"a.b", b"", b"", b"he\r\no"),
    b"+OK",
    (1, b"a", b"r.1", b"NATS/1.0\r\n\r\n", b"hi"),
    (2, b"q", b"r", b"", b""),
    b"PONG",
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(TALK)])
async def test_the_parser_reads_the_same_however_the_bytes_arrive(size: int) -> None:
    recorder = Recorder()
    parser = Parser(recorder)
    for at in range(0, len(TALK), size):
        await parser.parse(TALK[at : at + size])
    assert recorder.found == FOUND


@pytest.mark.parametrize("line", [b"MSG a\r\n", b"MSG a b 3\r\n", b"HMSG a 1 x 3\r\n", b"NO\r\n"])
async def test_the_parser_refuses_what_is_no_protocol(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        await Parser(Wire()).parse(line)


async def test_the_parser_forgets_half_a_message_of_the_old_connection() -> None:
    recorder = Recorder()
    parser = Parser(recorder)
    await parser.parse(b"MSG a 1 100\r\nhalf")
    parser.reset()
    await parser.parse(b"PING\r\n")
    assert recorder.found == [b"PING"]
