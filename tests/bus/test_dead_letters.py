"""What could not be handled is kept as it came, once."""

from base64 import b64decode
from typing import Any

import msgspec
import pytest

from bus.helpers import Connecting, take
from lockstep.bus import api, headers, topology
from lockstep.bus.connection import Connection
from lockstep.bus.dead_letters import DeadLetters
from lockstep.bus.delivery import Delivery
from lockstep.bus.names import Names
from lockstep.bus.publisher import Publisher
from lockstep.bus.puller import Puller
from lockstep.model.verdicts import Accept, Retry


async def letters(connection: Connection) -> list[dict[str, Any]]:
    """All dead letters: subject, headers, body."""
    stream = connection.names.dead_stream
    state = (await api.call(connection, f"STREAM.INFO.{stream}"))["state"]
    found = []
    for sequence in range(state["first_seq"] or 1, state["last_seq"] + 1):
        answer = await api.call(connection, f"STREAM.MSG.GET.{stream}", {"seq": sequence})
        message = answer["message"]
        head = headers.unpack(b64decode(message.get("hdrs", "")))
        body = b64decode(message.get("data", ""))
        found.append({"subject": message["subject"], "headers": head, "body": body})
    return found


async def deliver(
    connection: Connection, puller: Puller, event: str, body: bytes, head: dict[str, str]
) -> Delivery:
    await Publisher(connection).publish(connection.names.trigger(event), body, head)
    (message,) = await take(puller, 1)
    return message


async def test_a_dead_letter_is_the_event_untouched_with_the_reason(
    connection: Connection,
) -> None:
    dead = DeadLetters(connection, Publisher(connection))
    head = {
        "Nats-Msg-Id": "order-1",
        "traceparent": "00-1-2-01",
        "Lockstep-Actor": '{"type":"user"}',
        "Nats-Expected-Stream": connection.names.triggers_stream,
        "Lockstep-Reason": "forged",
    }
    async with Puller(connection) as puller:
        message = await deliver(connection, puller, "order.made", b"\x00no JSON", head)
        assert await dead.send(message, "the body is\nno JSON")
        await puller.settle(message, Accept())
    (letter,) = await letters(connection)
    assert letter == {
        "subject": f"{connection.names.prefix}.dead.order.made",
        "body": b"\x00no JSON",
        "headers": {
            "traceparent": "00-1-2-01",
            "Lockstep-Actor": '{"type":"user"}',
            "Lockstep-Message-Id": "order-1",
            "Lockstep-Reason": "the body is no JSON",
            "Lockstep-Subject": connection.names.trigger("order.made"),
            "Nats-Msg-Id": f"{message.stream}:1:{message.stored_at_ns}",
        },
    }


async def test_an_event_that_is_sent_twice_is_stored_once(connection: Connection) -> None:
    dead = DeadLetters(connection, Publisher(connection))
    async with Puller(connection) as puller:
        message = await deliver(connection, puller, "a", b"", {})
        assert await dead.send(message, "once")
        await puller.settle(message, Retry(0))
        (again,) = await take(puller, 1)
        assert again.deliveries == 2
        assert not await dead.send(again, "twice")
        await puller.settle(again, Accept())
    assert [one["headers"]["Lockstep-Reason"] for one in await letters(connection)] == ["once"]


async def test_an_event_is_stored_once_also_when_the_stream_has_forgotten_its_id(
    connecting: Connecting,
) -> None:
    connection = await connecting(duplicate_window_seconds=0.1)
    await topology.apply(connection)
    dead = DeadLetters(connection, Publisher(connection))
    async with Puller(connection) as puller:
        message = await deliver(connection, puller, "a", b"", {})
        assert await dead.send(message, "once")
        await puller.settle(message, Retry(0.3))
        (again,) = await take(puller, 1)
        assert not await dead.send(again, "twice")
        await puller.settle(again, Accept())
    assert len(await letters(connection)) == 1


async def test_the_largest_event_with_the_longest_reason_can_be_a_dead_letter(
    connection: Connection,
) -> None:
    dead = DeadLetters(connection, Publisher(connection))
    event = "e" * 480
    head = {"A": "x" * 60_000, "Nats-Msg-Id": "é" * 1000}
    room = len(headers.pack(head)) + topology.DEAD_LETTER_ROOM_BYTES
    body = b"x" * (connection.max_payload - room)
    async with Puller(connection) as puller:
        message = await deliver(connection, puller, event, body, head)
        assert await dead.send(message, "long " * 1000)
        await puller.settle(message, Accept())
    (letter,) = await letters(connection)
    assert letter["body"] == body
    assert letter["headers"]["A"] == head["A"]
    assert len(letter["headers"]["Lockstep-Reason"].encode()) == 1024


async def test_headers_give_way_when_they_leave_no_room_for_the_reason(
    connection: Connection,
) -> None:
    dead = DeadLetters(connection, Publisher(connection))
    async with Puller(connection) as puller:
        message = await deliver(connection, puller, "a", b"body", {"A": "x" * 65_000, "B": "1"})
        assert await dead.send(message, "too many headers " * 60)
        await puller.settle(message, Accept())
    (letter,) = await letters(connection)
    assert letter["body"] == b"body"
    assert letter["headers"]["Lockstep-Headers-Dropped"] == "2"
    assert "A" not in letter["headers"]


@pytest.mark.parametrize("event", ["x" * 600, "a.*", ">", "a..b", "a\x0bb", "ä\x00", "a b"])
def test_an_odd_event_id_becomes_a_hash_in_the_subject(event: str) -> None:
    subject = Names("p").dead(event)
    assert subject.startswith("p.dead._odd.")
    assert len(subject) < 100
    assert msgspec.json.encode(subject)


def test_a_plain_event_id_stays() -> None:
    assert Names("p").dead("order.made-ä") == "p.dead.order.made-ä"
