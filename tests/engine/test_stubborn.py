"""Events that never succeed, or kill their worker, do neither for ever, and hold up no others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from engine.test_events import dead_letter
from engine.test_language import record
from lockstep.bus import api
from lockstep.embedded import Servers
from lockstep.engine.parts import Seams
from lockstep.intake import Retries
from lockstep.model.events import Poison
from lockstep.model.messages import Message
from lockstep.model.verdicts import Verdict
from lockstep.ports.pipeline import EventPipeline

Verdicts = Sequence[tuple[Message, Verdict | Poison]]


class Trouble:
    """Stands in the way of events whose subject says `bad`; notes who came with them."""

    def __init__(self) -> None:
        self.company = list[int]()

    def around(self, inner: EventPipeline) -> EventPipeline:
        """Stand before the real way."""
        return Troubled(self, inner)


@dataclass
class Troubled:
    """See `Trouble`."""

    trouble: Trouble
    inner: EventPipeline

    async def receive(self, batch: Sequence[Message]) -> Verdicts:
        """See `ports.pipeline.EventPipeline`."""
        if any(message.subject.endswith(".bad") for message in batch):
            self.trouble.company.append(len(batch))
            raise RuntimeError("this event is cursed")
        return await self.inner.receive(batch)


IMPATIENT = Retries(most_seconds=0.01)  # what failed comes again at once


async def test_an_event_that_always_fails_is_buried_in_the_end_and_the_others_go_through(
    servers: Servers, dsn: str
) -> None:
    settings, trouble = settings_of(servers.nats_url, dsn, f"b{uuid4().hex[:10]}"), Trouble()
    seams = Seams(events=trouble.around, retries=IMPATIENT)
    async with engine_fixture(settings, seams=seams) as only:
        good = await only.automation([record("x")])
        await only.publish("very.bad", {})
        for _ in range(5):
            await good.run()
        letter: Any = await dead_letter(only, "very.bad")
        assert "handling failed 11 times: this event is cursed" in letter.headers["Lockstep-Reason"]
        assert len(trouble.company) >= 11
    assert await rows(dsn, "select from suspects") == []


async def test_an_event_whose_worker_died_each_time_it_was_alone_is_buried(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"k{uuid4().hex[:10]}")
    retries = replace(IMPATIENT, deliveries=2)
    seams = Seams(events=Trouble().around, retries=retries)
    async with engine_fixture(settings, seams=seams) as only:
        puller = only.assembly.loops.lanes[0].puller
        puller.pause()
        await only.publish("deadly.bad", {})
        await leave_marks(only, retries.alone)
        puller.resume()
        letter: Any = await dead_letter(only, "deadly.bad")
        assert "its worker died 3 times" in letter.headers["Lockstep-Reason"]


async def leave_marks(only: EngineFixture, deaths: int) -> None:
    """Leave the marks of workers that died of the last event of the stream."""
    stream = only.connection.names.triggers_stream
    last = {"last_by_subj": only.connection.names.trigger("deadly.bad")}
    found = await api.call(only.connection, f"STREAM.MSG.GET.{stream}", last)
    stored_at = datetime.fromisoformat(found["message"]["time"])
    _, fraction = found["message"]["time"].rstrip("Z").partition(".")[::2]
    nanoseconds = int(stored_at.replace(microsecond=0).timestamp()) * 10**9
    nanoseconds += int(fraction.ljust(9, "0"))
    delivery = f"{stream}:{found['message']['seq']}:{nanoseconds}"
    for _ in range(deaths):
        await only.assembly.edge.database.suspect(delivery)
