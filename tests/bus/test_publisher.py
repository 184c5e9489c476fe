"""A message is stored once, or the caller knows why not."""

import asyncio
from pathlib import Path

import pytest

from bus.helpers import Connecting, Server
from lockstep.bus import api, topology
from lockstep.bus.connection import Connection, connect
from lockstep.bus.errors import (
    LASTING,
    PASSING,
    BadMessage,
    JetStreamRefused,
    MessageTooLarge,
    RefusedForNow,
    refusal,
)
from lockstep.bus.publisher import Publisher
from lockstep.bus.requests import NoResponders
from lockstep.model.errors import BusUnavailable, EngineError, Unavailable
from patience import until

LIMITED = """
accounts {
  A { jetstream { max_mem: 5000000, max_file: 1000000 }, users: [ { user: a, password: a } ] }
}
"""


async def test_the_same_id_is_stored_once(connection: Connection) -> None:
    publisher = Publisher(connection)
    subject = connection.names.run("a", "started")
    assert await publisher.publish(subject, b"1", {"Nats-Msg-Id": "run:1"})
    assert not await publisher.publish(subject, b"1", {"Nats-Msg-Id": "run:1"})


async def test_many_at_once_are_all_stored_and_nothing_is_left_waiting(
    connection: Connection,
) -> None:
    publisher = Publisher(connection)
    subject = connection.names.run("a", "started")
    new = await asyncio.gather(
        *(publisher.publish(subject, b"", {"Nats-Msg-Id": f"{i % 500}"}) for i in range(1000))
    )
    assert sum(new) == 500
    assert len(connection.requests) == 0


@pytest.mark.parametrize("over", ["body", "headers", "both"])
async def test_what_is_too_large_is_refused_and_the_connection_stands(
    connection: Connection, over: str
) -> None:
    publisher = Publisher(connection)
    subject = connection.names.run("a", "started")
    body = b"x" * {"body": connection.max_payload + 1, "headers": 1, "both": 1_048_570}[over]
    value = "x" * {"body": 1, "headers": 70_000, "both": 20}[over]
    with pytest.raises(MessageTooLarge):
        await publisher.publish(subject, body, {"A": value})
    assert connection.connected
    assert await publisher.publish(subject, b"", {})


async def test_the_largest_message_is_stored(connection: Connection) -> None:
    head = {"A": "é" * 100}
    size = len(f"NATS/1.0\r\nA: {head['A']}\r\n\r\n".encode())
    subject = connection.names.run("a", "started")
    body = b"x" * (connection.max_payload - size)
    assert await Publisher(connection).publish(subject, body, head)
    with pytest.raises(MessageTooLarge):
        await Publisher(connection).publish(subject, body + b"x", head)


async def test_an_event_that_leaves_no_room_for_a_dead_letter_is_refused(
    connection: Connection,
) -> None:
    subject = connection.names.trigger("a")
    with pytest.raises(MessageTooLarge, match="message size exceeds maximum allowed"):
        await Publisher(connection).publish(subject, b"x" * (connection.max_payload - 8000), {})


@pytest.mark.parametrize(
    ("subject", "head"),
    [
        ("a..b", {}),
        ("a.", {}),
        ("a b", {}),
        ("", {}),
        ("a." + "x" * 600, {}),
        ("a", {"A": "1\r\nB: 2"}),
        ("a", {"A B": "1"}),
        ("a", {"": "1"}),
        ("a", {"A": "\ud800"}),
    ],
)
async def test_what_no_server_would_take_is_not_sent(
    connection: Connection, subject: str, head: dict[str, str]
) -> None:
    with pytest.raises(BadMessage):
        await Publisher(connection).publish(subject, b"", head)
    assert connection.connected


async def test_a_subject_that_no_stream_takes_is_named(connecting: Connecting) -> None:
    connection = await connecting()
    with pytest.raises(NoResponders, match=r"run\.a\.started: no stream on NATS at nats://127"):
        await Publisher(connection).publish(connection.names.run("a", "started"), b"", {})


async def test_a_stream_that_is_away_with_its_server_is_no_stream_that_is_missing(
    tmp_path: Path, prefix: str
) -> None:
    """Its subscription goes before the connections do when a server ends, or stops JetStream."""
    there = f'jetstream {{ store_dir: "{tmp_path}" }}\n'
    (config := tmp_path / "nats.conf").write_text(there)
    server = Server(tmp_path, "-c", str(config), jetstream=False)
    server.start()
    try:
        connection = await connect(server.settings(prefix, publish_timeout_seconds=1))
        await topology.apply(connection)
        publisher, subject = Publisher(connection), connection.names.run("a", "started")
        config.write_text("jetstream: disabled\n")
        server.reload()
        await until(lambda: _is_away(publisher, subject))
        config.write_text(there)
        server.reload()
        await until(lambda: _stored(publisher, subject))
        with pytest.raises(NoResponders):
            await publisher.publish("elsewhere", b"", {})
        await connection.close()
    finally:
        server.kill()


async def _is_away(publisher: Publisher, subject: str) -> bool:
    try:
        await publisher.publish(subject, b"", {})
    except NoResponders:
        raise
    except BusUnavailable as error:
        return str(error).endswith("takes it just now")
    return False


async def _stored(publisher: Publisher, subject: str) -> bool:
    try:
        return await publisher.publish(subject, b"", {})
    except Unavailable:
        return False


async def test_a_full_stream_is_a_passing_fault(connecting: Connecting) -> None:
    connection = await connecting(triggers_max_bytes=4096)
    await topology.apply(connection)
    publisher = Publisher(connection)
    assert await publisher.publish(connection.names.trigger("a"), b"x" * 3000, {})
    with pytest.raises(RefusedForNow) as caught:
        await publisher.publish(connection.names.trigger("a"), b"x" * 3000, {})
    assert caught.value.err_code == 10077


async def test_what_the_stream_will_never_take_is_no_passing_fault(
    connection: Connection,
) -> None:
    publisher = Publisher(connection)
    with pytest.raises(JetStreamRefused, match="per-message TTL is disabled"):
        await publisher.publish(connection.names.trigger("a"), b"", {"Nats-TTL": "5"})


async def test_an_answer_that_does_not_come_ends_at_the_limit(connecting: Connecting) -> None:
    connection = await connecting(publish_timeout_seconds=0.2)
    subject = connection.names.run("a", "started")
    await connection.listen(subject, lambda *_: None)  # somebody listens, nobody answers
    with pytest.raises(Unavailable, match=r"gave no answer within 0\.2 s"):
        await Publisher(connection).publish(subject, b"", {})
    assert len(connection.requests) == 0


async def test_an_answer_that_is_no_acknowledgement_is_none(connecting: Connecting) -> None:
    connection = await connecting()
    subject = connection.names.run("a", "started")
    await connection.listen(
        subject, lambda _subject, reply, _head, _body: connection.post(reply.decode(), b"{}")
    )
    with pytest.raises(Unavailable, match="answered by no stream"):
        await Publisher(connection).publish(subject, b"", {})


async def test_a_cancelled_publish_leaves_nothing_behind(connecting: Connecting) -> None:
    connection = await connecting()
    subject = connection.names.run("a", "started")
    await connection.listen(subject, lambda *_: None)
    publishing = asyncio.create_task(Publisher(connection).publish(subject, b"", {}))
    await asyncio.sleep(0)
    assert len(connection.requests) == 1
    publishing.cancel()
    await asyncio.wait({publishing})
    assert publishing.cancelled()
    assert len(connection.requests) == 0


async def test_an_account_that_has_used_up_its_room_takes_more_when_there_is_some(
    tmp_path: Path, prefix: str
) -> None:
    config = tmp_path / "nats.conf"
    config.write_text(LIMITED)
    server = Server(tmp_path, "-c", str(config))
    server.start()
    try:
        connection = await connect(
            server.settings(prefix, storage="memory", user="a", password="a")
        )
        await topology.apply(connection)
        publisher, subject = Publisher(connection), connection.names.run("a", "started")

        async def fill() -> None:
            for _ in range(100):
                await publisher.publish(subject, b"x" * 100_000, {})

        with pytest.raises(RefusedForNow, match="resource limits exceeded") as caught:
            await fill()
        assert caught.value.err_code == 10002
        await api.call(connection, f"STREAM.PURGE.{connection.names.runs_stream}")
        assert await publisher.publish(subject, b"x", {})
        await connection.close()
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("code", "err_code", "error"),
    [
        *((400, err_code, RefusedForNow) for err_code in PASSING),
        *((503, err_code, JetStreamRefused) for err_code in LASTING),
        (503, 10008, RefusedForNow),
        (503, 10023, RefusedForNow),
        (400, 10003, JetStreamRefused),
        (400, 10054, MessageTooLarge),
    ],
)
def test_an_error_of_jetstream_passes_or_lasts(
    code: int, err_code: int, error: type[EngineError]
) -> None:
    made = refusal("x", code=code, err_code=err_code, description="no")
    assert type(made) is error
    assert isinstance(made, Unavailable) == (error is RefusedForNow)
