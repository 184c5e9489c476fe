"""What is not handled: walks along the stream of events, and who is held up by what they find."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from lockstep.bus.names import Names
from lockstep.bus.reading.unhandled import KNOWN_SECONDS, LOOKED_AT, UnhandledEvents
from lockstep.bus.requests import NoResponders, RawReply
from lockstep.model.errors import BusUnavailable, Unavailable
from lockstep.model.events import Event, Poison
from lockstep.model.messages import EPOCH, Message
from lockstep.ports.unhandled import HeldUp, Question
from lockstep_schemas.events import ACTION_DONE, HEADER_CONTEXT_KEY
from unit.moved import Clock, StreamClock, moved
from unit.values import event, later, uid

STREAM = "X_TRIGGERS"
BROKEN = b"?"
Json = dict[str, Any]


class Server:
    """The JetStream API of one stream: what it holds, who consumes it, and what it was asked."""

    def __init__(self, copies: int = 1, lanes: tuple[str, ...] = ()) -> None:
        self.copies, self.lanes, self.names = copies, lanes, Names("x")
        self.messages: list[Json] = []
        self.asked: list[str] = []
        self.purged: list[Json] = []
        self.deaf = ""  # a call that has no answer
        self.last = 0

    def has(
        self, event_id: str, at: float, key: str = "", lane: str = "", body: object = None
    ) -> int:
        """Store a message so many seconds after NOW; give its sequence."""
        self.last += 1
        head = f"NATS/1.0\r\n{HEADER_CONTEXT_KEY}: {key}\r\n\r\n".encode()
        text = BROKEN if body is BROKEN else json.dumps(body or {}).encode()
        self.messages.append(
            {
                "subject": self.names.trigger(event_id, lane),
                "seq": self.last,
                "hdrs": b64encode(head).decode(),
                "data": b64encode(text).decode(),
                "time": later(at).isoformat(timespec="microseconds").replace("+00:00", "123Z"),
            }
        )
        return self.last

    async def ask(self, subject: str, body: bytes, head: bytes, seconds: float) -> RawReply:
        """See `bus.api.Askable`."""
        del head, seconds
        call = subject.removeprefix("$JS.API.")
        if self.deaf and self.deaf in call:
            raise BusUnavailable(f"{subject}: NATS gave no answer within 2 s")
        request = json.loads(body) if body else {}
        self.asked.append(call.partition(f".{STREAM}")[0])
        return RawReply(b"", json.dumps(self._answer(call, request)).encode())

    def _answer(self, call: str, request: Json) -> Json:
        match call:
            case "x.marker":
                if self.copies < 2:
                    raise NoResponders("nobody listens there")
                self.last += 1
                return {"stream": STREAM, "seq": self.last}
            case "STREAM.INFO.X_TRIGGERS":
                return {"config": {"num_replicas": self.copies}}
            case "CONSUMER.LIST.X_TRIGGERS":
                groups = ["engine", *(f"lane-{lane}" for lane in self.lanes)]
                page = groups[request["offset"] :][:2]  # the server gives a page
                return {"total": len(groups), "consumers": [{"name": one} for one in page]}
            case "STREAM.PURGE.X_TRIGGERS":
                self.purged.append(request)
                return {"success": True}
            case "STREAM.MSG.GET.X_TRIGGERS":
                for one in self.messages:
                    if one["subject"] == request["next_by_subj"] and one["seq"] >= request["seq"]:
                        return {"message": one}
                return {"error": {"code": 404, "err_code": 10037, "description": "no message"}}
        raise AssertionError(call)


def read(message: Message) -> Event | Poison:
    """Decode a message, in short."""
    if message.data == BROKEN:
        return Poison(message, "no JSON")
    return event(
        message.sequence,
        message.headers[HEADER_CONTEXT_KEY] or None,
        id=message.subject.partition(".trigger.")[2],
        payload=json.loads(message.data),
    )


class Scene:
    """Somebody who asks, at NOW."""

    def __init__(self, server: Server, stream_clock: StreamClock | None = None) -> None:
        self.server, self.seconds = server, 0.0
        clock = stream_clock or StreamClock()
        self.events = UnhandledEvents(
            server, server.names, Clock(), clock, read, monotonic=lambda: self.seconds
        )

    async def held(self, *questions: Question) -> Mapping[int, HeldUp]:
        """Say who is held up, by number."""
        return {one.int: why for one, why in (await self.events.held_up(questions)).items()}

    @property
    def looks(self) -> int:
        """How many messages were asked for."""
        return self.server.asked.count("STREAM.MSG.GET")


def wait(number: int = 1, **fields: Any) -> Question:
    """The n-th wait for `e`, whose deadline was a second ago."""
    return Question(**{"id": uid(number), "event_id": "e", "until": later(-1), **fields})


@moved
async def test_a_wait_is_held_up_by_an_event_in_time_and_by_no_later_one() -> None:
    server = Server()
    server.has("e", -0.9)
    assert await Scene(server).held(wait()) == {}
    server.messages.clear()
    sequence = server.has("e", -1)
    server.has("e", -0.5)
    reason = "an event of `e` from before it is not handled yet"
    assert await Scene(server).held(wait()) == {
        1: HeldUp(reason=reason, events=1, sequence=sequence)
    }


@moved
async def test_what_the_error_of_the_clock_leaves_in_doubt_holds_up() -> None:
    server = Server()
    server.has("e", -0.9995)  # the clock is right within a millisecond
    assert set(await Scene(server).held(wait())) == {1}
    assert set(await Scene(Server()).held(wait(until=later(-0.0005)))) == {1}
    assert await Scene(Server()).held(wait(until=later(-0.001))) == {}


@moved
async def test_without_an_error_of_the_clock_a_deadline_is_past_when_it_is_now() -> None:
    clock = StreamClock()
    clock.offset = clock.offset._replace(error=timedelta())
    assert await Scene(Server(), clock).held(wait(until=later())) == {}
    (why,) = (await Scene(Server(), clock).held(wait(until=later(0.001)))).values()
    assert (why.events, why.sequence) == (0, None)


@moved
async def test_only_an_equal_key_holds_up_or_what_cannot_be_read() -> None:
    server = Server()
    server.has("e", -5, key="a")
    keys = [wait(1, context_key="a"), wait(2, context_key="b"), wait(3)]
    assert set(await Scene(server).held(*keys)) == {1}
    server.has("e", -4, body=BROKEN)
    assert set(await Scene(server).held(*keys)) == {1, 2, 3}


@moved
async def test_only_what_is_older_in_the_stream_counts_where_that_is_asked() -> None:
    server = Server()
    first, second = server.has("e", -5), server.has("e", -4)
    scene = Scene(server)
    found = await scene.held(wait(1, below=first), wait(2, below=second), wait(3, below=99))
    assert {number: why.sequence for number, why in found.items()} == {2: first, 3: first}


@moved
async def test_of_what_is_older_in_the_stream_the_time_does_not_matter() -> None:
    server = Server()
    first = server.has("e", 9)  # the clock of a leader before was ahead
    for _ in range(2 * LOOKED_AT):
        last = server.has("e", -5)
    for doubt in (None, "it jumps"):
        scene = Scene(server, StreamClock(doubt=doubt))
        found = await scene.held(wait(1, below=first), wait(2, below=first + 1, until=later(1)))
        assert {number: why.sequence for number, why in found.items()} == {2: first}
        assert scene.looks <= 2 * 3  # what is newer is not looked at
    with pytest.raises(Unavailable):
        await scene.held(wait(1, below=last), wait(2))


@moved
async def test_a_result_holds_up_its_own_step_whatever_its_key() -> None:
    server = Server()
    run = UUID(int=77)
    server.has(ACTION_DONE, -5, key="k", body={"idempotency_key": f"{run}:actions[0]"})
    steps = [
        wait(1, event_id=ACTION_DONE, step=f"{run}:actions[0]"),
        wait(2, event_id=ACTION_DONE, step=f"{run}:actions[1]"),
        wait(3, event_id=ACTION_DONE, context_key="k"),  # a wait for the event itself
    ]
    assert set(await Scene(server).held(*steps)) == {1, 3}
    server.has(ACTION_DONE, -4, body={"success": True})  # it says not of which step
    assert set(await Scene(server).held(*steps)) == {1, 2, 3}


@pytest.mark.parametrize("spelled", [str.upper, lambda one: one.replace("-", ""), "{{{}}}".format])
@moved
async def test_a_result_is_that_of_its_step_in_whatever_way_its_run_is_written(
    spelled: Callable[[str], str],
) -> None:
    server, run = Server(), "01a22d4b-46a4-7817-b4d4-c31dbaf6703a"
    server.has(ACTION_DONE, -5, body={"idempotency_key": f"{spelled(run)}:actions[0]"})
    steps = [
        wait(1, event_id=ACTION_DONE, step=f"{run}:actions[0]"),
        wait(2, event_id=ACTION_DONE, step=f"{run}:actions[1]"),
    ]
    assert set(await Scene(server).held(*steps)) == {1}


@moved
async def test_lanes_count_that_have_a_consumer() -> None:
    server = Server(lanes=("a", "b"))
    server.has("e", -5, lane="b")
    server.has("o", -5, lane="gone")
    asked = [wait(1), wait(2, event_id="o")]
    scene = Scene(server)
    assert set(await scene.held(*asked)) == {1}
    server.lanes = ("a", "b", "gone")
    assert set(await scene.held(*asked)) == {1}, "it was asked a moment ago"
    scene.seconds = KNOWN_SECONDS + 1
    assert set(await scene.held(*asked)) == {1, 2}


@pytest.mark.parametrize("others", [LOOKED_AT - 1, LOOKED_AT])
@moved
async def test_behind_a_hundred_events_nothing_is_known(others: int) -> None:
    server = Server()
    for _ in range(others):
        server.has("e", -5, key="other")
    scene = Scene(server)
    found = await scene.held(wait(1, context_key="a"), wait(2, event_id="o"))
    assert set(found) == ({1} if others == LOOKED_AT else set())
    if found:
        assert (found[1].sequence, found[1].reason) == (
            1,
            "100 events of `e` and more are not handled yet",
        )
    assert scene.looks == min(others + 1, LOOKED_AT) + 1


@moved
async def test_a_crowd_from_after_its_deadline_holds_nothing_up_whoever_asks_beside_it() -> None:
    server, late = Server(), wait(2, until=later(-1))
    for _ in range(LOOKED_AT + 50):
        server.has("e", -5, "other")
    scene = Scene(server)
    assert [*await scene.held(wait(until=later(-9)), late)] == [2]
    older, newer = wait(3, below=LOOKED_AT + 1), wait(4, below=LOOKED_AT + 2)
    assert sorted(await scene.held(older, newer, late)) == [2, 4]


@moved
async def test_all_questions_of_a_subject_share_a_walk_that_ends_when_all_have_an_answer() -> None:
    server = Server()
    for _ in range(20):
        server.has("e", -5)
    scene = Scene(server)
    assert len(await scene.held(*(wait(number) for number in range(1, 500)))) == 499
    assert scene.looks == 1
    found = await scene.events.counted([wait(1)])
    assert found[uid(1)].reason == "20 events of `e` from before it are not handled yet"


@moved
async def test_a_walk_ends_at_what_is_too_late_for_all() -> None:
    server = Server()
    server.has("e", -5, key="other")
    for _ in range(20):
        server.has("e", -0.5)
    scene = Scene(server)
    assert await scene.held(wait(1), wait(2, until=later(-2))) == {}
    assert scene.looks == 2


@moved
async def test_an_event_id_that_looks_like_a_pattern_is_none() -> None:
    server = Server()
    server.has("e.x", -5)
    server.messages[0]["subject"] = "x.trigger.*"
    scene = Scene(server)
    assert set(await scene.held(wait(1, event_id="*"))) == {1}
    server.messages[0]["subject"] = "x.trigger.*"
    assert await Scene(server).held(wait(1, event_id="e.x")) == {}


@moved
async def test_one_marker_bounds_all_that_is_asked_of_a_replicated_stream() -> None:
    server = Server(copies=3, lanes=("a",))
    scene = Scene(server)
    server.has("e", -5)
    assert set(await scene.held(wait(1), wait(2, event_id="o"))) == {1}
    assert server.asked.count("x.marker") == 1
    assert server.purged == [{"filter": "x.marker", "seq": 3}], "nothing of it is left"
    server.messages[0]["seq"] = 99  # stored behind the marker: later, whatever its time says
    assert await scene.held(wait(1)) == {}


@moved
async def test_one_server_needs_no_marker_and_nothing_is_asked_where_nothing_is_past() -> None:
    server = Server()
    scene = Scene(server)
    assert await scene.held() == {}
    assert set(await scene.held(wait(until=later(60)))) == {1}
    assert server.asked == []
    await scene.held(wait())
    assert "x.marker" not in server.asked
    assert server.purged == []


@pytest.mark.parametrize("call", ["MSG.GET", "CONSUMER.LIST", "STREAM.INFO", "x.marker", "PURGE"])
@moved
async def test_where_the_stream_cannot_be_asked_nothing_is_known(call: str) -> None:
    server = Server(copies=3)
    server.deaf = call
    with pytest.raises(Unavailable) as caught:
        await Scene(server).held(wait())
    assert caught.value.code == "bus.events_unknown"
    assert "gave no answer within 2 s" in str(caught.value)
    assert "may the user of the engine publish to $JS.API.STREAM.MSG.GET.X_TRIGGERS" in str(
        caught.value
    )


@moved
async def test_a_clock_in_doubt_is_a_reason_to_know_nothing() -> None:
    server = Server()
    with pytest.raises(Unavailable, match="it has jumped by 5 ms"):
        await Scene(server, StreamClock(doubt="it has jumped by 5 ms")).held(wait())
    assert server.asked == []


@moved
async def test_times_are_by_the_one_clock() -> None:
    server = Server()
    server.has("e", 3600 - 2)  # the stream is an hour ahead
    scene = Scene(server, StreamClock(timedelta(hours=1)))
    assert set(await scene.held(wait(1), wait(2, until=later(-3)))) == {1}


@moved
async def test_a_case_may_say_when_a_message_was_stored() -> None:
    server = Server()
    server.has("e", 100)

    def stamp(message: Message) -> None:
        stored_at = (later(-5) - EPOCH) // timedelta(microseconds=1) * 1000
        message.stored_at_ns = stored_at  # type: ignore[misc] # a `Stored`

    events = UnhandledEvents(server, server.names, Clock(), StreamClock(), read, stamp)
    assert set(await events.held_up([wait()])) == {uid(1)}
