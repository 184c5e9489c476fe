"""What could not be handled is kept as it came, once."""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bus.helpers import Connecting, take
from lockstep.bus import api, headers, topology
from lockstep.bus.connection import Connection
from lockstep.bus.dead_box import DeadLetterBox
from lockstep.bus.dead_letters import DeadLetters
from lockstep.bus.delivery import Delivery
from lockstep.bus.names import Names
from lockstep.bus.publisher import Publisher
from lockstep.bus.puller import Puller
from lockstep.model.errors import Unavailable
from lockstep.model.verdicts import Accept, Retry, Terminate
from patience import until


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
            "Lockstep-Deliveries": "1",
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


class Watched:
    """A publisher that notes what it is given, and breaks down afterwards as often as wanted."""

    def __init__(self, connection: Connection, breaks: int = 0) -> None:
        self._publisher, self.breaks = Publisher(connection), breaks
        self.new: list[bool] = []

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Publish, and fail when it is stored."""
        self.new.append(await self._publisher.publish(subject, body, headers))
        if self.breaks:
            self.breaks -= 1
            raise Unavailable("killed")
        return self.new[-1]


async def bury(
    connection: Connection, event: str, body: bytes = b"?", lane: str = "", **head: str
) -> None:
    """Publish an event and make a dead letter of it."""
    dead = DeadLetters(connection, Publisher(connection))
    async with Puller(connection, lane=lane) as puller:
        await Publisher(connection).publish(connection.names.trigger(event, lane), body, head)
        (message,) = await take(puller, 1)
        await dead.send(message, f"{event} is odd")
        await puller.settle(message, Terminate("odd"))


async def fill(connection: Connection, *events: str) -> None:
    """Put letters into the stream, quickly."""
    publisher = Publisher(connection)
    for start in range(0, len(events), 200):
        portion = events[start : start + 200]
        names = connection.names
        await asyncio.gather(
            *(
                publisher.publish(
                    names.dead(event), b"", {"Lockstep-Subject": names.trigger(event)}
                )
                for event in portion
            )
        )


def box_of(connection: Connection) -> DeadLetterBox:
    return DeadLetterBox(connection, Publisher(connection))


async def ids_of(box: DeadLetterBox, event: str | None = None) -> list[int]:
    return [one.id for one in (await box.page(event, 200, None)).items]


async def test_a_letter_is_listed_with_all_that_is_known_of_it(connection: Connection) -> None:
    box = box_of(connection)
    began = datetime.now(UTC)
    head = {
        "Nats-Msg-Id": "m-1",
        "Lockstep-Context-Key": "k",
        "Lockstep-Actor": "{",
        "Nats-Msg-Size": "many",
    }
    await bury(connection, "order.made", b"12345", **head)
    page = await box.page(None, 50, None)
    (letter,) = page.items
    assert (page.total, page.next_before) == (1, None)
    assert (letter.id, letter.event, letter.reason) == (1, "order.made", "order.made is odd")
    assert letter.subject == connection.names.trigger("order.made")
    assert (letter.message_id, letter.actor, letter.context_key) == ("m-1", "{", "k")
    assert (letter.deliveries, letter.size) == (1, 5)
    assert letter.published_at is not None
    assert abs((letter.published_at - began).total_seconds()) < 60
    assert letter.published_at <= letter.died_at
    whole = await box.get(1)
    assert whole is not None
    assert whole.shown == letter
    assert (whole.body, whole.headers["Lockstep-Actor"]) == (b"12345", "{")
    assert await box.get(2) is None


async def test_pages_come_newest_first_and_leave_none_out(connection: Connection) -> None:
    box = box_of(connection)
    assert (await box.page(None, 10, None)).items == []
    # one in ten is of the event, all of them at the beginning and the end
    await fill(connection, *["a.b"] * 40, *["other"] * 800, *["a.b"] * 40, "a.c", "ab")
    for letter_id in (*range(11, 21), *range(100, 700), 860):
        await box.discard([letter_id])
    for event, wanted in (
        (
            "a.b",
            [*range(880, 860, -1), *range(859, 840, -1), *range(40, 20, -1), *range(10, 0, -1)],
        ),
        (
            "a.*",
            [
                881,
                *range(880, 860, -1),
                *range(859, 840, -1),
                *range(40, 20, -1),
                *range(10, 0, -1),
            ],
        ),
        ("ab", [882]),
        ("nobody", []),
        ("a", []),
    ):
        for limit in (1, 7, 200):
            found, before = list[int](), None
            while True:
                page = await box.page(event, limit, before)
                assert page.total == len(wanted)
                assert len(page.items) <= limit
                found += [one.id for one in page.items]
                before = page.next_before
                if before is None:
                    break
            assert found == wanted, (event, limit)
    everything = await box.page("*", 200, None)
    assert everything.total == 882 - 10 - 600 - 1
    assert [one.id for one in everything.items][:3] == [882, 881, 880]
    assert everything == await box.page(None, 200, None)
    assert (await box.page(None, 2, 10**9)).items == everything.items[:2]


async def test_no_consumer_is_left_behind(connection: Connection) -> None:
    box = box_of(connection)
    await fill(connection, *["a"] * 300)
    await box.page("a", 5, 200)
    stream = connection.names.dead_stream

    async def is_free() -> bool:
        return not (await api.call(connection, f"CONSUMER.NAMES.{stream}")).get("consumers")

    await until(is_free, "a consumer is left")


async def test_a_retried_event_comes_as_it_was_but_for_its_id_and_the_letter_is_gone(
    connecting: Connecting,
) -> None:
    connection = await connecting(lanes=["fast"])
    await topology.apply(connection)
    box = box_of(connection)
    await bury(connection, "a.b", b"body", "fast", **{"Nats-Msg-Id": "m", "X-Own": "1"})
    (letter_id,) = await ids_of(box)
    done = await box.retry([letter_id])
    assert (done.done, done.failed) == (1, [])
    assert await ids_of(box) == []
    async with Puller(connection, lane="fast") as puller:
        (message,) = await take(puller, 1)
        assert (message.subject, message.data) == (connection.names.trigger("a.b", "fast"), b"body")
        assert {**message.headers} == {
            "X-Own": "1",
            "Nats-Msg-Id": message.headers["Nats-Msg-Id"],
        }
        assert message.headers["Nats-Msg-Id"].startswith(
            f"m:retry:{connection.names.triggers_stream}:1:"
        )
        await puller.settle(message, Accept())


async def test_an_event_can_die_and_be_retried_again_and_again(connection: Connection) -> None:
    box, dead = box_of(connection), DeadLetters(connection, Publisher(connection))
    await bury(connection, "a", **{"Nats-Msg-Id": "m"})
    seen = set()
    async with Puller(connection) as puller:
        for _ in range(3):
            assert (await box.retry(await ids_of(box))).done == 1
            (message,) = await take(puller, 1)
            seen.add(message.headers["Nats-Msg-Id"])
            await dead.send(message, "again")
            await puller.settle(message, Terminate("again"))
    assert len(seen) == 3
    assert max(map(len, seen)) < 100


async def test_a_retry_that_is_killed_before_the_letter_is_deleted_publishes_once(
    connection: Connection,
) -> None:
    publisher = Watched(connection, breaks=1)
    box = DeadLetterBox(connection, publisher)
    await bury(connection, "a")
    with pytest.raises(Unavailable):
        await box.retry([1])
    assert await ids_of(box) == [1], "not lost"
    assert (await box.retry([1])).done == 1
    assert publisher.new == [True, False], "not doubled"
    assert await ids_of(box) == []


async def test_two_operators_who_retry_the_same_publish_once(connection: Connection) -> None:
    publisher = Watched(connection)
    box = DeadLetterBox(connection, publisher)
    await fill(connection, *["a"] * 10)
    await asyncio.gather(*(box.retry(range(1, 11)) for _ in range(4)))
    assert sum(publisher.new) == 10
    assert await ids_of(box) == []


async def test_what_cannot_be_published_again_stays_and_says_why(connection: Connection) -> None:
    box, publisher, names = box_of(connection), Publisher(connection), connection.names
    heads: list[dict[str, str]] = [
        {},
        {"Lockstep-Subject": names.api("automations.delete")},
        {"Lockstep-Subject": names.trigger("b")},
        {"Lockstep-Subject": names.trigger("a", "gone")},
        {"Lockstep-Subject": names.trigger("a"), "Lockstep-Headers-Dropped": "2"},
    ]
    for head in heads:
        await publisher.publish(names.dead("a"), b"", head)
    done = await box.retry([*range(1, 6), 99])
    assert done.done == 0
    assert [(one.id, one.code) for one in done.failed] == [
        *((n, "refused") for n in range(1, 6)),
        (99, "not_found"),
    ]
    for one, why in zip(
        done.failed, ["subject"] * 3 + ["no stream", "headers", "not"], strict=True
    ):
        assert why in one.message
        assert str(one.id) in one.message
    assert await ids_of(box) == [5, 4, 3, 2, 1]


async def test_an_event_whose_id_is_too_odd_for_a_subject_is_found_and_retried(
    connection: Connection,
) -> None:
    box = box_of(connection)
    await bury(connection, "a.*")
    assert await ids_of(box, "a.*") == [], "that means all events under a."
    (letter,) = (await box.page(None, 1, None)).items
    assert letter.event == "a.*"
    assert (await box.retry([letter.id])).done == 1


async def test_letters_are_discarded_by_id_or_all_of_an_event_up_to_a_place(
    connection: Connection,
) -> None:
    box = box_of(connection)
    await fill(connection, "a", "b", "a", "a.x", "a")
    done = await box.discard([2, 2, 77])
    assert (done.done, [one.id for one in done.failed]) == (1, [77])
    assert await box.discard_all("a", 4) == 2
    assert await ids_of(box) == [5, 4]
    assert await box.discard_all("a.*", await box.end()) == 1
    assert await box.discard_all("*", await box.end()) == 1
    assert (await box.discard([5])).failed[0].code == "not_found"


async def test_the_ids_of_an_event_come_oldest_first_and_end_where_wanted(
    connection: Connection,
) -> None:
    box = box_of(connection)
    await fill(connection, *["a", "b"] * 5)
    assert await box.ids("a", 0, 10, 3) == [1, 3, 5]
    assert await box.ids("a", 5, 7, 3) == [7]
    assert await box.ids("a", 9, 10, 3) == []
    assert await box.ids("*", 8, 10, 3) == [9, 10]
