"""Bells: the alarms of the bus wake what the owner of a timer did not."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from structlog.testing import capture_logs

from lockstep.model.messages import Message
from lockstep.model.verdicts import Accept, Retry, Verdict
from lockstep.wake import BusAlarms
from lockstep.wake.bus_alarms import BATCH
from unit.fakes import Away
from unit.moved import Background, moved, turns
from unit.values import uid


@dataclass
class Alarm:
    """A message of the bus that says by its subject which wait is due."""

    subject: str
    data: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: str = "ALARMS"
    sequence: int = 1
    stored_at_ns: int = 0
    deliveries: int = 1


class Queue:
    """A durable group that has some batches, and stops."""

    def __init__(self, *batches: Sequence[Message]) -> None:
        self.batches = [*batches]
        self.verdicts: list[tuple[str, Verdict]] = []
        self.limits: set[int] = set()

    async def batch(self, limit: int) -> Sequence[Message]:
        """See `ports.bus.MessageSource`."""
        self.limits.add(limit)
        return self.batches.pop(0) if self.batches else []

    async def settle(self, message: Message, verdict: Verdict) -> None:
        """See `ports.bus.MessageSource`."""
        self.verdicts.append((message.subject, verdict))

    def pause(self) -> None:
        """See `ports.bus.MessageSource`."""

    def resume(self) -> None:
        """See `ports.bus.MessageSource`."""


class Rung:
    """Hears what rings."""

    def __init__(self) -> None:
        self.away = Away()
        self.refused: set[UUID] = set()
        self.ids: list[list[UUID]] = []

    async def __call__(self, wait_ids: Sequence[UUID]) -> None:
        self.away.check()
        if self.refused & {*wait_ids}:
            raise LookupError("a row that nobody can read")
        self.ids.append([*wait_ids])


def alarm(number: int) -> Alarm:
    """The alarm of the n-th wait."""
    return Alarm(f"lockstep.alarm.{uid(number)}")


@moved
async def test_an_alarm_rings_for_the_wait_that_its_subject_names_and_is_acknowledged() -> None:
    queue, rung = Queue([alarm(1), alarm(2)], [alarm(3)]), Rung()
    await BusAlarms(queue, rung, 1000).run()
    assert rung.ids == [[uid(1), uid(2)], [uid(3)]]
    assert [verdict for _, verdict in queue.verdicts] == [Accept()] * 3
    assert queue.limits == {BATCH}


@moved
async def test_while_the_store_is_away_alarms_come_again_later() -> None:
    queue, rung = Queue([alarm(1)], [alarm(1)]), Rung()
    rung.away.times = 1
    await BusAlarms(queue, rung, 1000).run()
    assert [type(verdict) for _, verdict in queue.verdicts] == [Retry, Accept]
    assert rung.ids == [[uid(1)]]


@moved
async def test_what_names_no_wait_is_passed_over_acknowledged_and_logged() -> None:
    queue, rung = Queue([Alarm("lockstep.alarm.odd"), alarm(1)]), Rung()
    with capture_logs() as logs:
        await BusAlarms(queue, rung, 1000).run()
    assert rung.ids == [[uid(1)]]
    assert [verdict for _, verdict in queue.verdicts] == [Accept()] * 2
    assert [line["event"] for line in logs] == ["message.broken"]


@moved
async def test_after_an_outage_alarms_ring_at_a_bounded_rate() -> None:
    queue = Queue(*([alarm(number) for number in range(50)] for _ in range(4)))
    await BusAlarms(queue, Rung(), 10).run()
    assert asyncio.get_running_loop().time() == 20


@moved
async def test_an_alarm_that_cannot_be_rung_holds_up_no_other() -> None:
    queue, rung = Queue([alarm(number) for number in range(1, 9)]), Rung()
    rung.refused = {uid(3), uid(6)}
    with capture_logs() as logs:
        await BusAlarms(queue, rung, 1000).run()
    rung_for = sorted(one.int for ids in rung.ids for one in ids)
    assert rung_for == [1, 2, 4, 5, 7, 8]
    assert [line["event"] for line in logs] == ["due.refused"] * 2
    assert all(verdict == Accept() for _, verdict in queue.verdicts)  # the rows stay due
    assert len(queue.verdicts) == 8


@moved
async def test_alarms_in_work_when_the_loop_is_cut_off_come_again() -> None:
    """Kept alive by the puller they would never be delivered again."""
    queue = Queue([alarm(1), alarm(2)])

    async def hangs(_: Sequence[UUID]) -> None:
        await asyncio.Event().wait()

    async with Background(BusAlarms(queue, hangs, 1000.0).run()):
        await turns()
    assert [verdict for _, verdict in queue.verdicts] == [Retry(1.0)] * 2
