"""What actions publish is kept by a stream, or heard by whoever listens, or told as neither."""

import asyncio
from pathlib import Path

import pytest

from bus.helpers import Connecting, Server
from lockstep.bus import api
from lockstep.bus.connection import Connection, connect
from lockstep.bus.outgoing import NoStream, Outgoing
from lockstep.bus.publisher import Publisher
from lockstep.bus.requests import NotAllowed
from lockstep.model.errors import BusUnavailable
from patience import LIMIT_SECONDS, patience

NARROW = """
accounts {
  A {
    jetstream: enabled
    users: [ {
      user: engine, password: engine
      permissions { publish: { allow: ["Open.>", "$JS.API.>"] }, subscribe: ">" }
    } ]
  }
}
"""


def outgoing(connection: Connection) -> Outgoing:
    """What an engine gives to actions."""
    return Outgoing(connection, Publisher(connection))


async def heard_on(connection: Connection, subject: str) -> asyncio.Queue[bytes]:
    """Listen as a service does that answers nothing; stands when this returns."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    def note(_subject: bytes, _reply: bytes, _head: bytes, body: bytes) -> None:
        heard.put_nowait(body)

    await connection.listen(subject, note)
    await connection.settled()
    return heard


async def test_a_subject_that_no_stream_takes_says_what_to_do(connection: Connection) -> None:
    with pytest.raises(NoStream, match=r"^demo\.a: no stream on NATS .* say `stream: false`"):
        await outgoing(connection).publish("demo.a", b"", {})


async def test_one_who_listens_is_no_stream_and_hears_it_once(connecting: Connecting) -> None:
    """He does not acknowledge: without a look at the streams it would be published for ever."""
    connection = await connecting(publish_timeout_seconds=0.2)
    heard = await heard_on(connection, "demo.b")
    with pytest.raises(NoStream):
        await outgoing(connection).publish("demo.b", b"x", {})
    assert heard.qsize() == 1


async def test_one_who_answers_is_no_stream(connecting: Connecting) -> None:
    connection = await connecting()

    def answer(_subject: bytes, reply: bytes, _head: bytes, _body: bytes) -> None:
        connection.post(reply.decode(), b'{"ok": true}')

    await connection.listen("demo.c", answer)
    await connection.settled()
    with pytest.raises(NoStream):
        await outgoing(connection).publish("demo.c", b"x", {})


async def test_a_stream_takes_what_it_should_though_others_listen(connection: Connection) -> None:
    subject = connection.names.run("a", "started")
    await heard_on(connection, subject)
    assert await outgoing(connection).publish(subject, b"x", {"Nats-Msg-Id": "1"})
    assert not await outgoing(connection).publish(subject, b"x", {"Nats-Msg-Id": "1"})


async def test_what_is_sent_plainly_is_with_the_server_when_it_returns(
    connection: Connection,
) -> None:
    heard = await heard_on(connection, "demo.d")
    await outgoing(connection).send("demo.d", b"x", {"A": "b"})
    async with patience():
        assert await heard.get() == b"x"
    await outgoing(connection).send("demo.nobody", b"x", {})
    assert len(connection.requests) == 0


async def test_what_may_not_be_published_is_told_at_once(tmp_path: Path, prefix: str) -> None:
    (config := tmp_path / "nats.conf").write_text(NARROW)
    server = Server(tmp_path, "-c", str(config))
    server.start()
    try:
        settings = server.settings(
            prefix, user="engine", password="engine", publish_timeout_seconds=LIMIT_SECONDS
        )
        connection = await connect(settings)
        stream = {"name": "Open", "subjects": ["Open.>"], "storage": "memory"}
        await api.call(connection, "STREAM.CREATE.Open", stream)
        sent, closed = outgoing(connection), "Closed.{}"
        for method in (sent.publish, sent.send):
            for each in range(2):
                with pytest.raises(NotAllowed, match=r"Closed\.\d: NATS .* does not let us"):
                    await method(closed.format(each), b"", {})
            await method("Open.x", b"", {})
        assert len(connection.requests) == 0
        await connection.close()
    finally:
        server.kill()


async def test_what_cannot_be_sent_now_is_told(tmp_path: Path, prefix: str) -> None:
    server = Server(tmp_path)
    server.start()
    connection = await connect(server.settings(prefix, publish_timeout_seconds=0.2))
    server.kill()
    try:
        with pytest.raises(BusUnavailable):
            await outgoing(connection).send("demo.e", b"", {})
        assert len(connection.requests) == 0
    finally:
        await connection.close()
