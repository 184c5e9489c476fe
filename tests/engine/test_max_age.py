"""`max_age` in a whole engine: what is too old when it is handled starts nothing, and is told."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from engine.test_language import record
from engine.test_replicas import handled
from engine.test_triggers import triggered
from lockstep.embedded import Servers
from lockstep.engine.parts import Seams
from lockstep.intake import Retries
from lockstep.model.events import Poison
from lockstep.model.messages import Message
from lockstep.model.verdicts import Verdict
from lockstep.ports.pipeline import EventPipeline

Verdicts = Sequence[tuple[Message, Verdict | Poison]]


class Aged:
    """A message that was stored so many seconds earlier than it was."""

    def __init__(self, message: Message, seconds: float) -> None:
        self.subject, self.data, self.headers = message.subject, message.data, message.headers
        self.stream, self.sequence = message.stream, message.sequence
        self.deliveries = message.deliveries
        self.stored_at_ns = message.stored_at_ns - round(seconds * 1e9)


class Past:
    """Stands before the way of events; a header `Age` says how long ago one was stored."""

    def __init__(self) -> None:
        self.failing, self.inner = 0, dict[str, EventPipeline]()
        self.messages: list[Aged] = []

    def around(self, inner: EventPipeline) -> EventPipeline:
        """Stand before the real way."""
        self.inner["events"] = inner
        return self

    async def receive(self, batch: Sequence[Message]) -> Verdicts:
        """See `ports.pipeline.EventPipeline`; the first `failing` batches fail."""
        aged = {id(one): _aged(one) for one in batch}
        if self.failing:
            self.failing -= 1
            raise RuntimeError("not now")
        self.messages += aged.values()
        verdicts = await self.inner["events"].receive([*aged.values()])
        back = {id(one): message for message, one in zip(batch, aged.values(), strict=True)}
        return [(back[id(message)], verdict) for message, verdict in verdicts]


def _aged(message: Message) -> Aged:
    again = float(message.headers.get("Age-Again", "0")) if message.deliveries > 1 else 0.0
    return Aged(message, float(message.headers.get("Age", "0")) + again)


async def outcomes(only: EngineFixture, of: str) -> list[tuple[str, str | None, str | None]]:
    """What became of the newest event."""
    await only.assembly.hearing.decisions.settled()
    items: Any = (await only.call("events.why", event=of))["items"]
    found: Sequence[Mapping[str, str | None]] = items[0]["consequences"]
    return [(str(one["outcome"]), one["gate"], one["detail"]) for one in found]


async def test_an_event_that_is_too_old_when_it_is_handled_starts_nothing_and_why_says_so(
    servers: Servers, dsn: str
) -> None:
    past = Past()
    settings = settings_of(servers.nats_url, dsn, f"a{uuid4().hex[:10]}")
    async with engine_fixture(settings, seams=Seams(events=past.around)) as only:
        fresh = await triggered(only, {"max_age": {"seconds": 30}}, [record("fresh")])
        other = await triggered(only, {"event": fresh.event}, [record("any")])
        await only.publish(fresh.event, {"n": 1}, Age="400")
        await only.ended(other.id, 1)
        by_gate = {gate: (what, detail) for what, gate, detail in await outcomes(only, fresh.event)}
        what, detail = by_gate["max_age"]
        assert what == "refused"
        assert detail is not None
        assert detail.startswith("too old: 40")
        assert detail.endswith(" s, at most 30 s")
        assert by_gate[None][0] == "started"
        await only.publish(fresh.event, {"n": 2})
        await only.ended(fresh.id, 1)
        assert sorted(one.value for one in only.recorder.records) == ["any", "any", "fresh"]


async def test_an_event_that_was_handled_in_time_is_not_judged_anew_when_it_comes_again(
    servers: Servers, dsn: str
) -> None:
    past = Past()
    settings = settings_of(servers.nats_url, dsn, f"a{uuid4().hex[:10]}")
    async with engine_fixture(settings, seams=Seams(events=past.around)) as only:
        fresh = await triggered(only, {"max_age": {"seconds": 30}}, [record("x")])
        await only.publish(fresh.event, {}, **{"Nats-Msg-Id": "m-1"})
        await only.ended(fresh.id, 1)
        (message,) = past.messages
        for late in (message, Aged(message, 400)):  # the same delivery; the same message, later
            await past.inner["events"].receive([late])
        assert await outcomes(only, fresh.event) == [("started", None, None)]
        assert await rows(dsn, "select from judgements") == []
        assert len(await rows(dsn, "select from runs")) == 1


async def test_an_event_that_grows_too_old_before_its_handling_succeeds_is_refused_once(
    servers: Servers, dsn: str
) -> None:
    past = Past()
    settings = settings_of(servers.nats_url, dsn, f"a{uuid4().hex[:10]}")
    seams = Seams(events=past.around, retries=Retries(most_seconds=0.01))
    async with engine_fixture(settings, seams=seams) as only:
        fresh = await triggered(only, {"max_age": {"seconds": 30}}, [record("x")])
        past.failing = 1
        await only.publish(fresh.event, {}, **{"Age-Again": "31"})
        await handled(only)
        ((what, gate, detail),) = await outcomes(only, fresh.event)
        assert (what, gate) == ("refused", "max_age")
        assert (detail or "").startswith("too old: 31")
        assert await rows(dsn, "select from runs") == []


async def test_a_hold_is_cancelled_by_an_event_that_is_too_old_to_arm_one(
    servers: Servers, dsn: str
) -> None:
    past = Past()
    settings = settings_of(servers.nats_url, dsn, f"a{uuid4().hex[:10]}")
    trigger = {
        "for": {"hours": 1},
        "max_age": {"template": "trigger.payload.fresh"},
        "filter": "trigger.payload.open",
        "cancel_filter": "not trigger.payload.open",
    }
    async with engine_fixture(settings, seams=Seams(events=past.around)) as only:
        held = await triggered(only, trigger, [record("x")])
        armed = "select from timers where automation_id = $1"
        await only.publish(held.event, {"open": True, "fresh": 30}, Age="40")
        await handled(only)
        assert await rows(dsn, armed, held.id) == []
        await only.publish(held.event, {"open": True, "fresh": 60}, Age="40")
        await handled(only)
        assert len(await rows(dsn, armed, held.id)) == 1
        await only.publish(held.event, {"open": False, "fresh": 30}, Age="35")
        await handled(only)
        assert await rows(dsn, armed, held.id) == []
