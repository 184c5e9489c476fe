"""The way of an event: each message is accepted once it is stored, or is poison with a reason."""

import asyncio
from collections.abc import Callable, Sequence, Set
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs

from lockstep.model.errors import DataRefused, StoreTooSlow, Unavailable
from lockstep.model.events import Event, Poison
from lockstep.model.messages import Message
from lockstep.model.new_runs import NewRun
from lockstep.model.timers import ArmedHold, Holder, HoldEvent
from lockstep.model.verdicts import Accept, Verdict
from lockstep.model.waits import Awaited, StepKey, topic
from lockstep.pipeline import EventPipeline
from lockstep.pipeline.events import PART_BYTES
from lockstep.ports.telemetry import Traces
from lockstep_schemas.events import ACTION_DONE
from unit.moved import moved
from unit.pipeline.pipeline_fixture import Ways
from unit.values import NOW, automation, event, later, triggered, uid


class Sent:
    """A message that says by itself what it is decoded to."""

    def __init__(self, found: Event | str) -> None:
        self.found = found
        self.data = b"" if isinstance(found, str) else found.body

    @property
    def port(self) -> Message:
        """It as the port: who decodes it is a fake too."""
        return cast("Message", self)


class Types:
    """What is known of types: it has changed as often as `events_state` says."""

    def __init__(self) -> None:
        self.events_state = 0


class Spans:
    """Traces: which events were begun, and how their messages ended."""

    def __init__(self) -> None:
        self.begun_events: list[int] = []
        self.ends: list[tuple[int, str | None]] = []

    @property
    def port(self) -> Traces:
        """It as the port: walks alone ask for the rest."""
        return cast("Traces", self)

    def begun(self, found: Event, at: datetime) -> Event:
        """See `ports.telemetry.Traces`."""
        assert at.tzinfo is not None
        self.begun_events.append(found.sequence)
        return event(found.sequence, traceparent="within")

    def handled(self, messages: Sequence[Message], error: str | None, at: datetime) -> None:
        """See `ports.telemetry.Traces`."""
        assert at.tzinfo is not None
        self.ends.append((len(messages), error))


class Way:
    """The way of an event, between messages and rows."""

    def __init__(self, ways: Ways, traces: Spans | None = None) -> None:
        self.ways, self.types = ways, Types()
        self.decoded = 0
        self.known: set[StepKey] = set()
        self.reads: Callable[[Sent], Event | Poison] = _decode
        self.pipeline = EventPipeline(
            ways.parts, self._decode, self.types, self._steps, traces.port if traces else None
        )

    def _decode(self, message: Message) -> Event | Poison:
        self.decoded += 1
        return self.reads(cast("Sent", message))

    async def _steps(self, keys: Sequence[StepKey]) -> Set[StepKey]:
        return self.known & {*keys}

    async def receive(self, *found: Event | str) -> list[Verdict | str]:
        """Have messages received; give what becomes of each, in their order."""
        sent = [Sent(one).port for one in found]
        ends = {id(one): end for one, end in await self.pipeline.receive(sent)}
        assert len(ends) == len(sent), "each message has one end"
        told = [ends[id(one)] for one in sent]
        return [one.reason if isinstance(one, Poison) else one for one in told]


def _decode(message: Sent) -> Event | Poison:
    if isinstance(message.found, str):
        return Poison(message.port, message.found)
    return message.found


@moved
async def test_what_is_stored_is_accepted_and_what_cannot_be_read_is_poison() -> None:
    way = Way(Ways(automation()))
    assert await way.receive(event(1), "no JSON", event(2)) == [Accept(), "no JSON", Accept()]
    assert [one.match.event.sequence for one in way.ways.tx.new_runs] == [1, 2]
    assert way.ways.order.count("commit") == 1  # a batch is one transaction


FOUND_OLD = ["awaited", "begin", "take_receipts", "standing"]
"""The first try of a new engine, whose index has loaded nothing yet."""


@moved
async def test_receipts_come_before_waits_and_waits_before_gates_and_runs() -> None:
    ways = Ways(automation())
    await Way(ways).receive(event(1))
    steps = [
        "awaited", "begin", "take_receipts", "standing", "lock_keys", "create_runs", "commit",
    ]  # fmt: skip
    assert [one for one in ways.order if one in steps] == [*FOUND_OLD, *steps]


@moved
async def test_a_message_that_comes_again_is_accepted_and_starts_nothing() -> None:
    way = Way(Ways(automation()))
    await way.receive(event(1))
    assert await way.receive(event(1), event(2)) == [Accept(), Accept()]
    assert [one.match.event.sequence for one in way.ways.tx.new_runs] == [1, 2]


@moved
async def test_without_an_event_that_can_be_stored_there_is_no_transaction() -> None:
    way = Way(Ways(automation()))
    assert await way.receive("no JSON") == ["no JSON"]
    assert way.ways.order == []


@moved
async def test_an_event_wakes_what_waits_for_it_and_what_goes_no_further_is_told() -> None:
    ways = Ways(triggered(filter="false"))
    wait = Awaited(0, uid(50), uid(60), None, None, "actions[0]", None, "c")
    ways.tx.waits, ways.tx.armed = [wait], {wait.id: wait}
    await Way(ways).receive(event(1))
    assert [one.id for one in ways.heard.firings] == [wait.id]
    told = [(one.stage, one.run_id) for one in ways.heard.decisions]
    assert told == [("filter", None), ("wait", wait.run_id)]


@moved
async def test_an_event_lets_a_wait_that_looks_back_look_again_and_does_not_wake_it() -> None:
    ways = Ways(triggered(filter="false"))
    wait = Awaited(0, uid(50), uid(60), None, None, "actions[0]", None, "c")
    looks_back = msgspec.structs.replace(wait, id=uid(51), since=(NOW, 0))
    too_late = msgspec.structs.replace(looks_back, id=uid(52), since=(later(9), 0))
    ways.tx.waits = [wait, looks_back, too_late]
    ways.tx.armed = {one.id: one for one in ways.tx.waits}
    await Way(ways).receive(event(1))
    assert [one.id for one in ways.heard.firings] == [wait.id]
    assert ways.heard.looks == [looks_back.id]
    told = [(one.stage, one.run_id) for one in ways.heard.decisions]
    passed_over = ("wait_filter", too_late.run_id)
    assert told == [("filter", None), passed_over, ("wait", wait.run_id)]
    steps = ["standing", "lock_runs", "fire", "look_again", "commit"]
    assert [one for one in ways.order if one in steps][-5:] == steps


@pytest.mark.parametrize(
    ("seconds", "stands", "disarmed"),
    [(6.5, 5, []), (7, 8, [uid(5)]), (60, 8, [uid(5)])],
    ids=["over before", "cancelled at the last moment", "cancelled in time"],
)
@moved
async def test_a_hold_that_is_over_before_an_event_stays_and_the_event_is_handled_all_the_same(
    seconds: float, stands: int, disarmed: list[UUID]
) -> None:
    held = triggered(**{"for": {"minutes": 1}}, cancel_filter="trigger.payload.off")
    ways, holder = Ways(held), Holder("a", "test_event", None)
    by = HoldEvent(time=later(5), sequence=5, due_at=later(seconds))
    ways.tx.holds = {holder: ArmedHold(uid(5), by)}
    received = await Way(ways).receive(event(7, payload={"off": True}), event(8))
    assert received == [Accept(), Accept()]
    assert (ways.statuses, ways.heard.disarmed) == ([], disarmed)
    assert ways.tx.holds[holder].by.sequence == stands


@moved
async def test_what_cannot_be_stored_is_found_by_halves_and_the_others_are_stored() -> None:
    ways = Ways(automation(max_runs=9, mode="parallel"))

    def refuse(new_runs: Sequence[NewRun]) -> None:
        if any(one.match.event.sequence == 3 for one in new_runs):
            raise DataRefused("a zero byte")

    ways.tx.on_create = refuse
    with capture_logs() as logs:
        ends = await Way(ways).receive(*(event(sequence) for sequence in range(1, 6)))
    assert ends == [Accept(), Accept(), "a zero byte", Accept(), Accept()]
    assert [one.match.event.sequence for one in ways.tx.new_runs] == [1, 2, 4, 5]
    assert [(line["event"], line["events"]) for line in logs if "events" in line] == [
        ("batch.refused", 5),
        ("batch.refused", 3),
    ]


@moved
async def test_waits_are_read_and_judged_some_at_a_time_where_their_scopes_are_large() -> None:
    ways = Ways()
    ways.tx.waits = [
        Awaited(0, uid(number), uid(60 + number), None, None, "actions[0]", None, "c")
        for number in range(1, 6)
    ]
    ways.tx.armed = {wait.id: wait for wait in ways.tx.waits}
    ways.tx.awaited_at_once = 2
    assert await Way(ways).receive(event(1)) == [Accept()]
    assert {one.id for one in ways.heard.firings} == {*ways.tx.armed} | {
        uid(n) for n in range(1, 6)
    }
    assert ways.order.count("awaited") >= 3


@moved
async def test_large_events_go_in_parts_each_decoded_when_the_one_before_is_stored() -> None:
    way = Way(Ways(automation()))
    decoded: list[int] = []
    way.ways.tx.on_create = lambda _: decoded.append(way.decoded)
    large = [event(number, body=b"x" * (PART_BYTES // 2)) for number in range(1, 6)]
    assert await way.receive(*large) == [Accept()] * 5
    assert [one.match.event.sequence for one in way.ways.tx.new_runs] == [1, 2, 3, 4, 5]
    assert decoded == [2, 4, 5]


@moved
async def test_a_batch_that_takes_too_long_is_split_and_one_event_alone_comes_again() -> None:
    ways = Ways(automation())

    def is_slow(new_runs: Sequence[NewRun]) -> None:
        if len(new_runs) > 2:
            raise StoreTooSlow("canceling statement due to statement timeout")

    ways.tx.on_create = is_slow
    assert await Way(ways).receive(*(event(n) for n in range(1, 8))) == [Accept()] * 7

    def never(_: Sequence[NewRun]) -> None:
        raise StoreTooSlow("canceling statement due to statement timeout")

    ways.tx.on_create = never
    with pytest.raises(StoreTooSlow):
        await Way(ways).receive(event(9))


@moved
async def test_events_are_decoded_again_where_their_types_have_changed_meanwhile() -> None:
    """What was judged by the old types is rolled back."""
    ways = Ways(automation())
    way = Way(ways)

    def change() -> None:
        way.types.events_state += 1

    ways.on_types = change  # when the index is loaded, within the transaction
    assert await way.receive(event(1)) == [Accept()]
    assert way.decoded == 2
    ends = ["rollback", "rollback", "commit"]  # an index that is old, types that have changed
    assert [one for one in ways.order if one in {"rollback", "commit"}] == ends
    assert len(ways.tx.new_runs) == 1


@moved
async def test_what_seems_to_be_poison_is_decoded_again_by_types_that_are_registered_since() -> (
    None
):
    ways = Ways(automation())
    way = Way(ways)

    def change() -> None:
        way.types.events_state += 1

    def decode(message: Sent) -> Event | Poison:
        return _decode(message) if way.types.events_state else Poison(message.port, "not known")

    ways.on_types, way.reads = change, decode
    assert await way.receive(event(1)) == [Accept()]
    assert way.decoded == 2


@moved
async def test_a_result_of_no_step_is_poison_and_starts_nothing() -> None:
    ways = Ways(automation(triggers=[{"event": ACTION_DONE}]))
    payload = {"idempotency_key": f"{uid(1)}:actions[0]", "success": True}
    done = event(1, id=ACTION_DONE, payload=payload)
    way = Way(ways)
    (reason,) = await way.receive(done)
    assert reason == f"idempotency_key: no step 'actions[0]' of run {uid(1)} was ever called"
    assert ways.order == []
    way.known.add((uid(1), "actions[0]"))
    assert await way.receive(done) == [Accept()]


@moved
async def test_while_the_store_is_away_nothing_is_accepted() -> None:
    ways = Ways(automation())
    ways.tx.faults["commit"] = Unavailable("away")
    with pytest.raises(Unavailable):
        await Way(ways).receive(event(1))
    assert ways.told == ["offer"]


@moved
async def test_the_span_of_an_event_begins_when_it_is_read_and_ends_when_it_is_stored() -> None:
    spans, ways = Spans(), Ways(automation())
    await Way(ways, spans).receive(event(1), "no JSON")
    assert (spans.begun_events, spans.ends) == ([1], [(2, None)])
    assert ways.tx.new_runs[0].match.event.traceparent == "within"


@pytest.mark.parametrize(
    ("fault", "told"),
    [(Unavailable("away"), "away"), (asyncio.CancelledError(), "cut off"), (KeyError(), "cut off")],
    ids=repr,
)
@moved
async def test_the_span_of_an_event_that_was_not_stored_says_why(fault: Any, told: str) -> None:
    spans, ways = Spans(), Ways(automation())
    ways.tx.faults["commit"] = fault
    with pytest.raises(type(fault)):
        await Way(ways, spans).receive(event(1))
    assert spans.ends == [(1, told)]


@moved
async def test_only_what_waits_look_back_on_is_kept_under_a_lock_before_the_receipts() -> None:
    ways = Ways(automation())
    ways.source.looked_at = {"looked.at"}
    looked_at = event(1, "key", id="looked.at")
    await Way(ways).receive(looked_at, event(2), event(3, only="a", id="looked.at"))
    steps = ["begin", "lock_topics", "take_receipts", "standing", "keep_recent", "commit"]
    assert [one for one in ways.order if one in steps][-6:] == steps
    assert ways.tx.topics == [topic("looked.at", "key")]
    assert ways.tx.recent == [looked_at]  # what was parked was kept when it came first
    ways.order.clear()
    await Way(ways).receive(event(4))
    assert not {"lock_topics", "keep_recent"} & {*ways.order}
