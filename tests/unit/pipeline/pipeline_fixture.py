"""What the ways to a run pass through, on dictionaries; all note in one list what was done when."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from lockstep.matching import Index
from lockstep.model.automations import Automation, Head, StoredDefinition
from lockstep.model.events import Event
from lockstep.model.new_runs import RunToRetry
from lockstep.model.program import Program
from lockstep.model.timers import StoredTimer
from lockstep.model.waits import Awaited
from lockstep.pipeline import PipelineParts
from lockstep.ports.pipeline import Transaction
from lockstep.ports.unhandled import Question
from unit.fakes import Definitions, Ends, FreePlaces, Heard, Rows
from unit.moved import Clock
from unit.values import RENDERER


class Transactions:
    """Opens the one transaction; what it has changed is undone where it does not end well."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See `ports.pipeline.Transactions`."""
        rows = self.rows
        before, new_runs = set(rows.receipts), [*rows.new_runs]
        rows.calls.append("begin")
        try:
            yield rows.port
            rows.called("commit")
        except BaseException:
            rows.receipts, rows.new_runs = before, new_runs
            rows.calls.append("rollback")
            raise

    async def awaited(
        self, events: Sequence[Event], after: Awaited | None = None
    ) -> Sequence[Awaited]:
        """See `ports.pipeline.Transactions`."""
        return await self.rows.awaited(events, after)

    async def timers(self, ids: Sequence[UUID]) -> Sequence[StoredTimer]:
        """See `ports.pipeline.Transactions`."""
        return await self.rows.timers(ids)

    async def run_to_retry(self, run_id: UUID) -> RunToRetry | None:
        """See `ports.pipeline.Transactions`."""
        return await self.rows.run_to_retry(run_id)


class NotedPace:
    """A pace that notes among all else what was judged when."""

    def __init__(self, order: list[str]) -> None:
        self.order = order
        self.on_judged: Callable[[], None] = lambda: None

    async def took(self, automation_id: str, event_id: str, nanoseconds: int) -> None:
        """See `ports.pace.Pace`."""
        self.order.append(f"judged {automation_id}")
        self.on_judged()


class Expiring:
    """Lets all expire, but for what it is told to hold up."""

    def __init__(self, order: list[str]) -> None:
        self.order = order
        self.questions: list[Question] = []
        self.held_up: set[UUID] = set()
        self.again: Callable[[Sequence[UUID]], Awaitable[None]] | None = None

    async def cleared(
        self, questions: Sequence[Question], again: Callable[[Sequence[UUID]], Awaitable[None]]
    ) -> set[UUID]:
        """See `ports.unhandled.Expiring`."""
        self.order.append("cleared")
        self.questions += questions
        self.again = again
        return {one.id for one in questions} - self.held_up


class Ways:
    """The parts of the ways to a run, and those who hear of them."""

    def __init__(self, *automations: Automation, free: int = 9) -> None:
        self.order: list[str] = []
        self.tx = Rows(self.order)
        self.places = FreePlaces(free, self.order)
        self.heard, self.terminator = Heard(self.order), Ends(self.order)
        self.source = Definitions()
        self.programs: dict[str, Program] = {}
        self.on_types: Callable[[], None] = lambda: None
        for one in automations:
            self.save(one)
        self.pace = NotedPace(self.order)
        self.expiring = Expiring(self.order)
        self.index = Index(self.source, self._compiled, self._refresh_types)
        self.parts = PipelineParts(
            transactions=Transactions(self.tx),
            index=self.index,
            places=self.places,
            terminator=self.terminator.port,
            compile_filter=RENDERER.expression,
            listener=self.heard,
            clock=Clock(),
            expiring=self.expiring,
            pace=self.pace,
            decisions_are_kept=lambda: True,
            prefix="lockstep",
        )

    def save(self, one: Automation, *, enabled: bool = True) -> None:
        """Have an automation in force from the next transaction on."""
        head = Head(
            id=one.id, name=one.name, enabled=enabled, version=one.version, position=one.position
        )
        self.source.save(head)
        self.programs[one.id] = one.program
        self.tx.enabled[one.id] = enabled
        self.tx.number = self.source.number

    def _compiled(self, stored: StoredDefinition) -> Program:
        return self.programs[str(stored.definition)]

    async def _refresh_types(self) -> None:
        self.on_types()

    @property
    def told(self) -> list[str]:
        """What was done after the last transaction."""
        last = max(place for place, one in enumerate(self.order) if one in {"commit", "rollback"})
        return self.order[last + 1 :]

    @property
    def statuses(self) -> list[str]:
        """The statuses of the runs that were inserted, in order."""
        return [one.status for one in self.tx.new_runs]
