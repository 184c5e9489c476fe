"""The live positions of a run: what it takes to go on, bounded by the definition.

Frames are changed in place while the run is walked, and encoded at each checkpoint. A list has its
index, a choose its branch, a loop its iteration and scope, a parallel the state of each branch, a
leaf its attempt. When a container ends, its frames go; where a run fails, they stay as they are: a
retry goes on from them.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, assert_never
from uuid import UUID

import msgspec

from lockstep.model.errors import EngineError
from lockstep_schemas.base import Json, JsonObject

# A field or kind that an older version would drop or misread asks for a new number. It is raised in
# two releases: the first one can read the new format, the next one writes it. So replicas of two
# versions that follow each other read what the other one writes. See deploy/BACKUP.md.
FORMAT: Final = 1
BranchEnd: TypeAlias = Literal["ok", "stopped", "failed"]


class StateLost(EngineError):
    """The saved state of a run is not in the store any more."""

    code = "run.state_lost"
    advice = "Start it again if it should run: `lockstep retry RUN_ID --from start`."


class FramesUnreadable(EngineError):
    """The stored frames of a run are not of this engine's format, or damaged."""

    code = "run.frames_unreadable"
    advice = "Retry the run from its start; `deploy/BACKUP.md` says which versions read what."


class FramesNewer(FramesUnreadable):
    """The stored frames are of a format that a newer version has written."""

    code = "run.frames_newer"
    advice = "Update this engine to the version that has written them."


class WaitResult(msgspec.Struct, omit_defaults=True):
    """How the last wait for an event ended: expressions see it as `wait` and `resume`."""

    completed: bool
    payload: JsonObject | None = None


class ScopeNames(msgspec.Struct, omit_defaults=True):
    """What a scope holds of its own: variables, and artifacts by action id and local type name."""

    variables: dict[str, Json] = msgspec.field(name="v", default_factory=dict)
    artifacts: dict[str, JsonObject] = msgspec.field(name="a", default_factory=dict)
    answer: WaitResult | None = msgspec.field(name="r", default=None)


class ListFrame(msgspec.Struct, omit_defaults=True):
    """A list of actions: the index of the one that is performed, and its frame."""

    index: int = msgspec.field(name="i", default=0)
    inner: "Frame | None" = msgspec.field(name="in", default=None)


class Visit(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every frame has: the seq of its step row, when the visit began, what is kept of it."""

    seq: int = msgspec.field(name="n")
    began_at: datetime = msgspec.field(name="at")
    kept: int = msgspec.field(name="io", default=0)  # bytes of notes, see `walk.notes`


class Sleep(msgspec.Struct):
    """What a leaf waits for: the id of its row in `waits`, and the words for people."""

    wait_id: UUID = msgspec.field(name="w")
    waiting_for: str = msgspec.field(name="for")


class LeafFrame(Visit, tag_field="k", tag="leaf", kw_only=True, omit_defaults=True):
    """A leaf: what it waits for; of a provider action the attempt and what it is called with.

    `attempt` counts calls, `failures` those that came back: one that died with its worker does
    not use up the retries. `follow_up` is the wait for a result that the call may leave open; it is
    armed before the call, so that no result comes too early.
    """

    sleep: Sleep | None = None
    attempt: int = 0
    failures: int = 0
    config: JsonObject | None = None
    consumed: dict[str, Json] | None = None
    closes: list[UUID] | None = None
    follow_up: UUID | None = None


class ListedFrame(Visit, tag_field="k", tag="list", kw_only=True, omit_defaults=True):
    """A sequence, or a choose; `branch` is the one that was taken, -1 is else."""

    branch: int = 0
    body: ListFrame = msgspec.field(name="in", default_factory=ListFrame)


class RepeatFrame(Visit, tag_field="k", tag="repeat", kw_only=True, omit_defaults=True):
    """A loop: the iteration, its scope, and its body; no body between two iterations."""

    iteration: int = msgspec.field(name="repeat", default=0)
    names: ScopeNames = msgspec.field(name="scope", default_factory=ScopeNames)
    body: ListFrame | None = msgspec.field(name="in", default=None)


class BranchFrame(msgspec.Struct, omit_defaults=True):
    """A branch of a parallel: done with what outcome, or live; and what it changed."""

    done: BranchEnd | None = None
    reason: str | None = None
    changes: ScopeNames = msgspec.field(name="scope", default_factory=ScopeNames)
    body: ListFrame = msgspec.field(name="in", default_factory=ListFrame)


class ParallelFrame(Visit, tag_field="k", tag="parallel", kw_only=True, omit_defaults=True):
    """All branches of a parallel, by position."""

    branches: list[BranchFrame]


Frame: TypeAlias = LeafFrame | ListedFrame | RepeatFrame | ParallelFrame


class RootFrame(msgspec.Struct, kw_only=True):
    """The whole document."""

    format: int = msgspec.field(name="f", default=FORMAT)
    last_seq: int = msgspec.field(name="n", default=0)
    asleep: bool = False  # `waiting` was told, `resumed` not yet
    deadline: UUID | None = None  # the wait that ends the run when its time is over
    # Bytes of notes of all steps. Older versions drop this and that of a visit, and keep no notes.
    kept: int | msgspec.UnsetType = msgspec.field(name="io", default=msgspec.UNSET)
    names: ScopeNames = msgspec.field(name="scope", default_factory=ScopeNames)
    body: ListFrame = msgspec.field(name="in", default_factory=ListFrame)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(RootFrame)


class _Head(msgspec.Struct):
    format: int = msgspec.field(name="f")


@dataclass(frozen=True)
class FrameFormat:
    """How frames are stored: the formats that are read, and the one that is written."""

    readable: Set[int] = frozenset({FORMAT})

    def encode(self, root: RootFrame) -> bytes:
        """Give the document as it is stored."""
        return _encoder.encode(root)

    def decode(self, document: bytes) -> RootFrame:
        """Read a stored document.

        Raises:
            FramesNewer: A newer version has written it.
            FramesUnreadable: It is damaged, or of a format that is not known any more.
        """
        try:
            root = _decoder.decode(document)
        except msgspec.DecodeError as error:
            self._check(document)  # what is new may look like damage
            raise FramesUnreadable(f"the saved state of the run cannot be read: {error}") from error
        if root.format not in self.readable:
            self._check(document)
        return root

    def _check(self, document: bytes) -> None:
        try:
            found = msgspec.json.decode(document, type=_Head).format
        except msgspec.DecodeError:
            return
        if found in self.readable:
            return
        known = ", ".join(map(str, sorted(self.readable)))
        text = f"the saved state of the run has format {found}, this engine knows {known}"
        raise FramesNewer(text) if found > max(self.readable) else FramesUnreadable(text)


def live(frame: "ListFrame | None") -> "Iterator[Frame]":
    """Give all frames under a list, outermost first."""
    inner = frame.inner if frame is not None else None
    if inner is None:
        return
    yield inner
    match inner:
        case LeafFrame():
            return
        case ListedFrame() | RepeatFrame():
            yield from live(inner.body)
        case ParallelFrame():
            for branch in inner.branches:
                if branch.done is None:
                    yield from live(branch.body)
        case _:
            assert_never(inner)


def sleeps(body: ListFrame) -> Iterator[Sleep]:
    """Give what the leaves under a list wait for, in the order of their actions."""
    for frame in live(body):
        match frame:
            case LeafFrame():
                if frame.sleep is not None:
                    yield frame.sleep
            case ListedFrame() | RepeatFrame() | ParallelFrame():
                pass
            case _:
                assert_never(frame)


def attempts(frame: Frame) -> int:
    """Say how many attempts a step has made, the one that is under way with them."""
    match frame:
        case LeafFrame():
            return max(1, frame.attempt)
        case ListedFrame() | RepeatFrame() | ParallelFrame():
            return 1
        case _:
            assert_never(frame)


def loops(body: ListFrame) -> Iterator[int]:
    """Give the seq of each live loop under a list: its step row may have a list of items."""
    for frame in live(body):
        match frame:
            case RepeatFrame():
                yield frame.seq
            case LeafFrame() | ListedFrame() | ParallelFrame():
                pass
            case _:
                assert_never(frame)
