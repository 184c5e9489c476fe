"""Events that never succeed, or kill their worker, do neither for ever, and hold up no others."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from engine.room import Room, room, rows, settings_of
from engine.test_events import dead_letter
from engine.test_language import record
from lockstep.embedded import Servers
from lockstep.intake import loop
from lockstep.model.messages import Message
from lockstep.model.runs import Poison
from lockstep.model.verdicts import Verdict

Verdicts = list[tuple[Message, Verdict | Poison]]


class Trouble:
    """Stands in the way of events whose subject says `bad`; notes who came with them."""

    def __init__(self, opened: Room) -> None:
        (intake,) = opened.engine.intakes
        self._inner, self.company = intake.receive, list[int]()
        self.last: Message | None = None
        intake.receive = self

    async def __call__(self, batch: Sequence[Message]) -> Verdicts:
        bad = [message for message in batch if message.subject.endswith(".bad")]
        if bad:
            self.last = bad[0]
            self.company.append(len(batch))
            raise RuntimeError("this event is cursed")
        return await self._inner(batch)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what failed come again at once."""
    monkeypatch.setattr(loop, "FAILED_RETRY_SECONDS", 0.01)


@pytest.mark.usefixtures("impatient")
async def test_an_event_that_always_fails_is_buried_in_the_end_and_the_others_go_through(
    servers: Servers, dsn: str
) -> None:
    async with room(settings_of(servers.nats_url, dsn, f"b{uuid4().hex[:10]}")) as only:
        good = await only.automation([record("x")])
        trouble = Trouble(only)
        await only.publish("very.bad", {})
        for _ in range(5):
            await good.run()
        letter: Any = await dead_letter(only, "very.bad")
        assert "handling failed 11 times: this event is cursed" in letter.headers["Lockstep-Reason"]
        assert len(trouble.company) >= 11
    assert await rows(dsn, "select from suspects") == []


@pytest.mark.usefixtures("impatient")
async def test_an_event_whose_worker_died_each_time_it_was_alone_is_buried(
    servers: Servers, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "DELIVERIES", 2)
    async with room(settings_of(servers.nats_url, dsn, f"k{uuid4().hex[:10]}")) as only:
        (intake,) = only.engine.intakes
        inner = intake._suspects.suspect

        async def died_before(delivery: str) -> int:
            """Leave the marks of workers that died."""
            for _ in range(loop.ALONE):
                await inner(delivery)
            return await inner(delivery)

        monkeypatch.setattr(intake._suspects, "suspect", died_before)
        Trouble(only)
        await only.publish("deadly.bad", {})
        letter: Any = await dead_letter(only, "deadly.bad")
        assert "its worker died 3 times" in letter.headers["Lockstep-Reason"]
