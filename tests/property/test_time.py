"""Outages, slow batches, redeliveries and other replicas change when things happen, not what."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any, Final
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lockstep.cases.format import PublishEntry, StoredAutomation
from lockstep.cases.operations import CaseRefused
from lockstep.embedded import Servers
from lockstep.engine.parts import Seams
from lockstep.model.events import Poison
from lockstep.model.messages import Message
from lockstep.model.verdicts import Verdict
from lockstep.ports.pipeline import EventPipeline
from lockstep.testbed.world import CALM_LOOKS, LOOK_SECONDS, CaseWorld
from lockstep.testbed.worlds import world
from lockstep_schemas.api import RunDetail
from lockstep_schemas.events import HEADER_MESSAGE_ID
from patience import patience
from property import times
from property.times import LONGEST, STEP, Automation, Disturbance, Known, Published, Went

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLES: Final = os.environ.get("TEST_TIME_EXAMPLES")
"""For a long run, of other examples each time; each takes a second or two."""
FEW: Final = 4
PLAYS: Final = 3  # of each, disturbed in other ways


class Slowness:
    """Keeps messages from being handled, or the batches that they are in, until it is told."""

    def __init__(self) -> None:
        self.slow: set[str] = set()
        self.late: set[str] = set()
        self._aside: list[tuple[_Slow, list[Message]]] = []
        self._changed = asyncio.Event()

    @property
    def is_any(self) -> bool:
        """Whether something is kept, or is to be."""
        return bool(self.slow or self.late)

    def around(self, inner: EventPipeline) -> EventPipeline:
        """Be between a replica and its events."""
        return _Slow(inner, self)

    async def passed(self, to: "_Slow", batch: Sequence[Message]) -> list[Message]:
        """Give what is not set aside, when nothing of it is slow."""
        while any(_id(one) in self.slow for one in batch):
            self._changed.clear()
            await self._changed.wait()
        aside = [one for one in batch if _id(one) in self.late]
        self._aside.append((to, aside))
        return [one for one in batch if _id(one) not in self.late]

    async def release(self) -> list[tuple[Message, Verdict | Poison]]:
        """Let all go on; what was set aside is handled now, and has to be settled."""
        self.slow.clear()
        self.late.clear()
        self._changed.set()
        some, self._aside = self._aside, []
        return [done for to, aside in some if aside for done in await to.inner.receive(aside)]


class _Slow:
    """A `ports.pipeline.EventPipeline` that may be slow."""

    def __init__(self, inner: EventPipeline, slowness: Slowness) -> None:
        self.inner, self._slowness = inner, slowness

    async def receive(self, batch: Sequence[Message]) -> Sequence[tuple[Message, Verdict | Poison]]:
        rest = await self._slowness.passed(self, batch)
        return await self.inner.receive(rest) if rest else []


def _id(message: Message) -> str:
    return message.headers.get(HEADER_MESSAGE_ID, "")


class DisturbedWorld(CaseWorld):
    """A world whose engines are stopped, slow, and handed the same again."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.slowness = Slowness()

    @property
    def runs(self) -> bool:
        """Whether an engine is there."""
        return bool(self._engines)

    def slow(self, name: str) -> None:
        """Let the batch wait with what is about to be published by this name."""
        self.slowness.slow.add(self._message_id(name))

    def late(self, name: str) -> None:
        """Let others overtake what is about to be published by this name."""
        self.slowness.late.add(self._message_id(name))

    async def release(self) -> None:
        """Let all that was kept be handled."""
        for message, verdict in await self.slowness.release():
            assert not isinstance(verdict, Poison)
            for running in self._engines:  # of whom it is not, it does nothing
                await running.assembly.loops.lanes[0].puller.settle(message, verdict)
        await self._quiet()

    async def settled(self) -> None:
        """Return when decisions are written, too."""
        for running in self._engines:
            await running.assembly.hearing.decisions.settled()

    def place(self, message_id: str) -> int:
        """Give the number of the event that has this message id."""
        return int(message_id.removeprefix(self._message_id("")))

    def _seams(self) -> Seams:
        return replace(super()._seams(), events=self.slowness.around)

    async def _quiet(self) -> None:
        """While something is slow nothing comes to rest: let go on what can."""
        if not self.slowness.is_any:
            await super()._quiet()
            return
        await self._backlog()
        looks, before = 0, self._progress()
        while looks < CALM_LOOKS:
            await asyncio.sleep(LOOK_SECONDS)
            now, looks = self._progress(), looks + 1
            if now != before or self._is_asking():
                looks, before = 0, now


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def disturbed(servers: Servers) -> AsyncIterator[DisturbedWorld]:
    """One world for all examples."""
    async with world(servers.postgres, f"t{uuid4().hex}", kills=False, kind=DisturbedWorld) as one:
        assert isinstance(one, DisturbedWorld)
        yield one


class Play:
    """A story that is played once, with what disturbs it."""

    def __init__(self, opened: DisturbedWorld, story: Sequence[Published]) -> None:
        self._world, self._story = opened, story
        self._at: list[datetime] = []
        self._earliest: list[datetime | None] = []
        self._latest: list[datetime | None] = []
        self._is_seen = False
        self.runs: dict[str, list[Went]] = {}
        self.refusals: set[tuple[str, int, str]] = set()

    async def run(
        self, automations: Sequence[Automation], how: Disturbance = times.UNDISTURBED
    ) -> None:
        """Play it, and look at what came of it."""
        opened = self._world
        await opened.begin({}, how.instances)
        for number, one in enumerate(automations):
            await opened.store(StoredAutomation(id=f"auto-{number}", definition=one.definition))
        for number, event in enumerate(self._story):
            doing = how.before(number)
            await opened.advance(event.steps * STEP)
            await self._disturb(doing, number)
            if opened.runs and doing in {"slow", "late"}:
                getattr(opened, doing)(str(number))
            await opened.publish(
                PublishEntry(
                    event=event.event,
                    payload={"n": number, "on": event.on},
                    context_key=event.key,
                ),
                str(number),
            )
            self._at.append(opened.clock.time)
            await opened.advance(0)
            self._note()
        await self._disturb("start", len(self._story), how.pause)
        await self._disturb("release", len(self._story))
        while not self._is_over(automations):
            await opened.advance(LONGEST)
            await opened.settled()
            await self._look()

    @property
    def known(self) -> list[Known]:
        """What is known of the events."""
        given = zip(self._story, self._at, self._earliest, self._latest, strict=True)
        return [
            Known(event, number, at, earliest or at, latest or at)
            for number, (event, at, earliest, latest) in enumerate(given)
        ]

    def refused(self, automation: str) -> list[tuple[int, str]]:
        """Give which events an automation has refused, at which gate."""
        return sorted((number, gate) for name, number, gate in self.refusals if name == automation)

    async def _disturb(self, doing: str, number: int, pause: int = 0) -> None:
        """Do what disturbs, where it can be done now; then all that can goes on."""
        opened = self._world
        if doing in {"stop", "release"}:
            await opened.release()
        if doing == "stop" and opened.runs:
            self._note()
            await opened.settled()
            await opened.stop()
        elif doing == "start" and not opened.runs:
            await opened.advance(pause * STEP)
            await opened.start()
        elif doing == "again" and opened.runs and number:
            with suppress(CaseRefused):  # nobody has taken it yet
                await opened.redeliver(str(number // 2))
        self._note()

    def _note(self) -> None:
        """Note what is handled by now, and what may have been."""
        opened, missing = self._world, len(self._at) - len(self._earliest)
        self._earliest += [None] * missing
        self._latest += [None] * missing
        if opened.runs:
            now = opened.clock.time
            self._earliest = [one or now for one in self._earliest]
            if not opened.slowness.is_any:
                self._latest = [one or now for one in self._latest]

    def _is_over(self, automations: Sequence[Automation]) -> bool:
        """Say whether it was looked at when nothing ran, and what has a deadline had ended."""
        active = {"pending", "running"}
        late = {f"auto-{n}" for n, one in enumerate(automations) if one.wait is not None}
        return self._is_seen and not any(
            run.status in active or (run.status == "waiting" and name in late)
            for name, runs in self.runs.items()
            for run in runs
        )

    async def _look(self) -> None:
        seen = await self._world.seen()
        self.runs.clear()
        self._is_seen = True
        for detail in seen.runs:
            values = [str(value) for run_id, value in seen.recorded if run_id == detail.run.id]
            went = _went(detail, values)
            self.runs.setdefault(detail.run.automation_id, []).append(went)
        for some in self.runs.values():
            some.sort(key=lambda one: one.number)
        for event in {one.event for one in self._story}:
            found: Any = await self._world.call("events.why", event=event, limit=50)
            for item in found["items"]:
                number = self._world.place(item["message_id"])
                self.refusals |= {
                    (one["automation_id"], number, one["gate"])
                    for one in item["consequences"]
                    if one["outcome"] == "refused"
                }


def _went(detail: RunDetail, recorded: Sequence[str]) -> Went:
    run = detail.run
    return Went(
        number=run.trigger_payload["n"],
        key=run.context_key,
        status=run.status,
        error=run.error_message,
        steps=tuple(sorted((s.action_path, s.status, s.error_message) for s in detail.steps)),
        recorded=tuple(sorted(recorded)),
        armed={step.action_path: step.started_at for step in detail.steps},
    )


def faults(
    automations: Sequence[Automation], plain: Play, other: Play, *, in_order: bool
) -> Iterator[str]:
    """Say where a play that was disturbed differs, and must not.

    Holds, windows, conditions and waits that look back without a time-out give the same runs, steps
    and refusals; but what a window counts may hang on the order of events that are in flight
    together. How old an event is when it is handled, and when a wait is armed, is another matter in
    each play: there the outcome has to be right for that.
    """
    for number, automation in enumerate(automations):
        name = f"auto-{number}"
        runs, before = other.runs.get(name, []), plain.runs.get(name, [])
        found: Iterator[str] = iter(())
        is_same = runs == before and other.refused(name) == plain.refused(name)
        if automation.age is not None:
            event = automation.trigger["event"]
            found = times.wrong_ages(automation.age, event, runs, other.known)
        elif automation.wait is not None:
            wait = automation.wait
            found = chain.from_iterable(
                times.wrong(wait, run, other.known, in_order=in_order) for run in runs
            )
            is_same = [one.number for one in runs] == [one.number for one in before]
        elif "window" in automation.trigger and not in_order:
            found = times.wrong_counts(automation.trigger, runs, other.known)
        depends = automation.age is not None or ("window" in automation.trigger and not in_order)
        if not is_same and not depends:
            yield (
                f"{name}: {runs}, refused {other.refused(name)};"
                f" undisturbed {before}, refused {plain.refused(name)}"
            )
        yield from (f"{name}: {one}" for one in found)


def check(automations: Sequence[Automation], plain: Play, other: Play, *, in_order: bool) -> None:
    """Fail where a play that was disturbed differs, and must not."""
    found = [*faults(automations, plain, other, in_order=in_order)]
    if found:
        pytest.fail("\n".join(found))


automations = st.tuples(
    times.holds,
    st.one_of(times.windows, times.windows, times.plain, times.aged),
    times.looking,
    times.late,
    times.late,
)


# An example is played many times to make it smaller, and is small: it is told as it was found.
@settings(
    max_examples=int(EXAMPLES or FEW),
    derandomize=EXAMPLES is None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(
    automations=automations,
    story=times.stories,
    disturbances=st.lists(times.disturbances, min_size=PLAYS, max_size=PLAYS),
)
async def test_what_disturbs_the_engine_changes_when_things_happen_and_not_what(
    disturbed: DisturbedWorld,
    automations: tuple[Automation, ...],
    story: list[Published],
    disturbances: list[Disturbance],
) -> None:
    async with patience():
        plain = Play(disturbed, story)
        await plain.run(automations)
        check(automations, plain, plain, in_order=True)
        for how in disturbances:
            other = Play(disturbed, story)
            await other.run(automations, how)
            check(automations, plain, other, in_order=how.is_in_order)
