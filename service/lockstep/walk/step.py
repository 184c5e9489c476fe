"""One visit of an action: where it is, what it sees, and its step row."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar, assert_never, cast
from uuid import UUID

from lockstep.model.ids import uuid7
from lockstep.model.program import Explanation, Guard, Node, Provide, SharedScope, Test
from lockstep.model.runs import StepRow
from lockstep.model.texts import storable
from lockstep.model.waits import FiredWait, WaitRow
from lockstep.walk.bounds import encoded
from lockstep.walk.execution import Execution
from lockstep.walk.frames import Frame, LeafFrame, ListFrame, Sleep, attempts
from lockstep.walk.notes import written
from lockstep.walk.outcome import Failed, Finished, ListEnd, Ok, Skipped, Stopped, Suspended
from lockstep.walk.scope import Scope
from lockstep_schemas.api import StepIoKind
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.run_events import StepStatus, WaitKind, What

F = TypeVar("F", bound=Frame)
WHAT: Final[Mapping[StepStatus, What]] = {
    "success": "step_succeeded",
    "failed": "step_failed",
    "skipped": "step_skipped",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A list in the tree of actions: the path before the index, its scope, its loop.

    `tolerated`: the run outlives a failure in it, because an action around it says
    `continue_on_error`.
    """

    path: str
    scope: Scope
    repeat: Mapping[str, object] | None = None
    tolerated: bool = False


@dataclass(frozen=True, slots=True)
class AwaitedEvent:
    """The event that ends a sleep."""

    event_id: str
    context_key: str | None
    filter: str | None
    run_scope: bytes | None
    look_back: float | None = None


WalkList = Callable[[Execution, Sequence[Node], ListFrame, Place], Awaitable[ListEnd]]


class Step:
    """A visit of `node`; made again when a run is resumed, with the same seq and beginning."""

    __slots__ = ("frame", "holder", "kept", "node", "path", "place", "row", "walk", "walk_list")

    def __init__(
        self, walk: Execution, node: Node, holder: ListFrame, place: Place, walk_list: WalkList
    ) -> None:
        self.walk, self.node, self.holder, self.place = walk, node, holder, place
        self.path = f"{place.path}[{holder.index}]"
        self.walk_list = walk_list
        self.frame = holder.inner
        self.kept = self.frame.kept if self.frame is not None else 0
        self.row = self._row()

    @property
    def now(self) -> datetime:
        """The time, by the clock that all engines share."""
        return self.walk.parts.clock.now()

    @property
    def tolerated(self) -> bool:
        """Whether the run goes on if this action fails."""
        return self.place.tolerated or self.node.continue_on_error

    def open(self, new: Callable[[int, datetime], F]) -> F:
        """Give the frame of this visit, made by `new` from seq and beginning if it is the first."""
        if self.frame is None:
            self.frame = self.holder.inner = new(self.row.seq, self.row.started_at)
            self.frame.kept = self.kept
        return cast("F", self.frame)

    def context(self, **more: object) -> SharedScope:
        """Give the root of all names that an expression sees here.

        What is evaluated on it shares the processor time of one expression: a config, a block of
        variables, the conditions of a choose.
        """
        scope = self.place.scope
        context = SharedScope(self.walk.base)
        context["variables"] = scope.variables()
        context["artifacts"] = scope.artifacts()
        context.update(more)
        if self.place.repeat is not None and "repeat" not in more:
            context["repeat"] = self.place.repeat
        answer = scope.answer()
        if answer is not None:
            context["wait"] = {"completed": answer.completed, "payload": answer.payload}
            context["resume"] = {"payload": answer.payload}
        return context

    async def inside(
        self,
        nodes: Sequence[Node],
        frame: ListFrame,
        path: str,
        scope: Scope | None = None,
        repeat: Mapping[str, object] | None = None,
    ) -> ListEnd:
        """Walk a list inside this action; `path` is what follows this step's own."""
        place = Place(
            self.path + path,
            self.place.scope if scope is None else scope,
            self.place.repeat if repeat is None else repeat,
            self.tolerated,
        )
        return await self.walk_list(self.walk, nodes, frame, place)

    def sleep(
        self,
        kind: WaitKind,
        waiting_for: str,
        due_at: datetime | None,
        awaited: AwaitedEvent | None = None,
        error: str | None = None,
    ) -> Suspended:
        """Arm a wait of this leaf: it is stored with the next checkpoint, and wakes the run."""
        wait = WaitRow(
            id=uuid7(),
            kind=kind,
            path=self.path,
            waiting_for=storable(waiting_for),
            armed_at=self.now,
            due_at=due_at,
            event_id=awaited.event_id if awaited else None,
            context_key=awaited.context_key if awaited else None,
            filter=awaited.filter if awaited else None,
            run_scope=awaited.run_scope if awaited else None,
            look_back=awaited.look_back if awaited else None,
        )
        return self.rest(wait, error)

    def rest(self, wait: WaitRow, error: str | None = None) -> Suspended:
        """Sleep until a wait fires, which may be stored already."""
        frame = self.open(lambda seq, at: LeafFrame(seq=seq, began_at=at))
        frame.sleep = Sleep(wait.id, wait.waiting_for)
        self.row.status = "waiting"
        self.row.error = storable(error) if error is not None else None
        journal = self.walk.journal
        journal.step(self.row)
        journal.waits.append(wait)
        if journal.step_events:
            journal.event(
                "step_waiting",
                "running",
                wait.armed_at,
                row=self.row,
                error=self.row.error,
                waiting_for=wait.waiting_for,
            )
        return Suspended()

    def woken(self, frame: LeafFrame) -> FiredWait | None:
        """Take up what has ended the sleep of this leaf; None if it sleeps still."""
        if frame.sleep is None:
            return None
        fired = self.taken(frame.sleep.wait_id)
        if fired is not None:
            frame.sleep = None
            if fired.warning is not None:
                self.warn(fired.warning)
        return fired

    def taken(self, wait_id: UUID) -> FiredWait | None:
        """Take up that a wait has fired; None if it has not, as far as this walk has heard."""
        fired = self.walk.fired.pop(wait_id, None)
        if fired is not None:
            self.walk.journal.over.append(wait_id)
        return fired

    def finish(self, outcome: Finished) -> None:
        """Write the outcome into the row and tell ops."""
        match outcome:
            case Ok():
                self._close("success", None)
            case Skipped(reason):
                self._close("skipped", reason)
            case Failed(reason):
                self._close("failed", reason)
            case Stopped(reason, error=True):
                self._close("failed", reason)
            case Stopped(reason, guard=True) if isinstance(self.node, Guard):
                self._close("skipped", reason)
            case Stopped():
                self._close("success", None)
            case _:
                assert_never(outcome)

    def warn(self, message: str) -> None:
        """Note a warning on the step row and as a run event."""
        self.walk.journal.warn(self.row, message)

    def note(
        self,
        what: StepIoKind,
        value: Json,
        head: JsonObject | None = None,
        *,
        has_failed: bool = False,
    ) -> None:
        """Keep what went into this step or came out of it, for people.

        `head`: further fields of the note; `has_failed`: there is room that is kept for failures.
        """
        if self.walk.notes.has_room(self.kept, has_failed=has_failed):
            self.note_written(what, written(value), head, has_failed=has_failed)

    def note_written(
        self,
        what: StepIoKind,
        value: bytes,
        head: JsonObject | None = None,
        *,
        has_failed: bool = False,
    ) -> None:
        """Keep what is written as JSON already."""
        notes = self.walk.notes
        kept = notes.add(self.row.seq, self.kept, what, value, head, has_failed=has_failed)
        if kept != self.kept:
            self.kept = kept
            if self.frame is not None:
                self.frame.kept = kept
            self.walk.journal.step(self.row)

    def note_decided(
        self, name: str, explain: Callable[[SharedScope], Explanation], *, holds: bool, **more: Json
    ) -> None:
        """Keep whether a condition holds, and the values that decided it, as far as it can tell.

        It has a processor time of its own: nothing that is judged fails for it.
        """
        if self.walk.notes.has_room(self.kept):
            decided = explain(self.context(**more))
            is_told = decided.holds is holds and not decided.fault
            value: Json = decided.deciders if is_told else decided.fault or None
            self.note("decided", value, {"name": name, "holds": holds})

    def note_judged(self, name: str, test: Test, now: datetime, *, holds: bool) -> None:
        """Keep whether a condition holds at a time; see `note_decided`."""
        self.note_decided(name, lambda scope: test.explain(scope, now), holds=holds)

    def keep_items(self, items: list[Json]) -> None:
        """Store the list of a for_each once, in the step row.

        Raises:
            ValueTooLarge: It has more bytes than a value may have.
        """
        self.row.items = encoded("repeat.for_each", items)
        self.note_written("items", self.row.items)
        self.walk.items[self.row.seq] = items
        self.walk.journal.step(self.row)

    def _close(self, status: StepStatus, error: str | None) -> None:
        row, journal = self.row, self.walk.journal
        row.status, row.finished_at = status, self.now
        row.error = storable(error) if error is not None else None
        journal.step(row)
        self.walk.items.pop(row.seq, None)
        if journal.step_events:
            duration = row.finished_at - row.started_at
            journal.event(
                WHAT[status],
                "running",
                row.finished_at,
                row=row,
                error=row.error if status == "failed" else None,
                reason=row.error if status == "skipped" else None,
                duration_ms=max(0, round(duration.total_seconds() * 1000)),
            )

    def _row(self) -> StepRow:
        frame, node, walk = self.frame, self.node, self.walk
        row = StepRow(
            seq=frame.seq if frame else walk.next_seq(),
            path=self.path,
            action_id=node.id,
            kind=node.kind,
            provider_action_id=node.action if isinstance(node, Provide) else None,
            status="running",
            attempts=attempts(frame) if frame else 1,
            error=None,
            result=None,
            items=None,
            started_at=frame.began_at if frame else self.now,
            finished_at=None,
        )
        if frame is None:
            walk.journal.step(row)
        return row
