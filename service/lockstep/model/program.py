"""A definition, compiled: what matching judges and the walk performs. Immutable, shared by runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final, Literal, Protocol, TypeAlias, Union

import msgspec

from lockstep_schemas.actions import Retry
from lockstep_schemas.base import JsonObject
from lockstep_schemas.definition import Mode

FILTER_SECONDS: Final = 0.01
"""Processor time of the filters and conditions of a trigger, or of a wait, for one event."""

Scope: TypeAlias = Mapping[str, object]


class SharedScope(dict[str, object]):
    """A scope whose evaluations share the processor time that one of them may take.

    `seconds` is that time, None for what is usual; the others are the account of it, which is kept
    by whoever evaluates.
    """

    __slots__ = ("ends_ns", "seconds", "steps")

    def __init__(self, names: Mapping[str, object], seconds: float | None = None) -> None:
        super().__init__(names)
        self.seconds, self.steps, self.ends_ns = seconds, 0, 0


class Operand(msgspec.Struct, frozen=True):
    """A part of an expression, as it is written, and its value: short, without secrets."""

    text: str
    value: str

    def __str__(self) -> str:
        return f"`{self.text}` is {self.value}"


class Decider(msgspec.Struct, frozen=True):
    """A comparison, or what else is true or false by itself, and the values that it saw."""

    text: str
    holds: bool
    operands: tuple[Operand, ...] = ()  # those that are not written out in it

    def __str__(self) -> str:
        values = ", ".join(map(str, self.operands))
        if len(self.operands) == 1 and self.operands[0].text == self.text:
            return values
        verdict = f"`{self.text}` is {'true' if self.holds else 'false'}"
        return f"{verdict}: {values}" if values else verdict


class Explanation(msgspec.Struct, frozen=True):
    """What decided whether an expression or a condition holds: of `and` the one that is false."""

    holds: bool
    deciders: tuple[Decider, ...] = ()
    more: int = 0  # further ones that are not told
    fault: str = ""  # why it cannot be told

    def beside(self, text: str) -> str:
        """Say what it adds to the text of the whole, which stands before it."""
        only = self.deciders[0] if len(self.deciders) == 1 and not self.more else None
        if only is None or "".join(only.text.split()) != "".join(text.split()):
            return str(self)
        return ", ".join(map(str, only.operands))

    def __str__(self) -> str:
        if self.fault:
            return f"its values cannot be told: {self.fault}"
        more = (f"and {self.more} more",) if self.more else ()
        return "; ".join((*map(str, self.deciders), *more))


class Expression(Protocol):
    """A bare expression."""

    @property
    def text(self) -> str: ...
    @property
    def references(self) -> tuple[tuple[str, ...], ...]:
        """The paths that it asks for, from names on: `a.b[0].c` asks for `("a", "b")`."""
        ...

    def evaluate(self, scope: Scope) -> object:
        """Give its value, None where it is missing. Raise RenderError."""
        ...

    def holds(self, scope: Scope) -> bool:
        """Give its truth. Raise RenderError."""
        ...

    def explain(self, scope: Scope) -> Explanation:
        """Say what decides its truth, within the same bounds; it never raises."""
        ...


class Template(Protocol):
    """A text with expressions in it."""

    @property
    def text(self) -> str: ...
    @property
    def constant(self) -> bool: ...
    def render(self, scope: Scope) -> str:
        """Give text. Raise RenderError."""
        ...

    def value(self, scope: Scope) -> object:
        """Give text, or the value itself where it is one expression. Raise RenderError."""
        ...


class Test(Protocol):
    """A condition."""

    def holds(self, scope: Scope, now: datetime) -> bool:
        """Say whether it holds at `now` (aware). Raise RenderError."""
        ...

    def explain(self, scope: Scope, now: datetime) -> Explanation:
        """Say what decides that; it never raises."""
        ...


# A JSON value whose texts with braces are templates.
Slot: TypeAlias = Union[  # noqa: UP007
    Template, Mapping[str, "Slot"], Sequence["Slot"], str, int, float, bool, None
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBase:
    """What every action has, compiled; `kind` is its key in `KINDS` of the language."""

    kind: ClassVar[str]
    id: str | None = None
    enabled: bool = True
    continue_on_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Provide(NodeBase):
    """A provider action."""

    kind: ClassVar[str] = "action"
    action: str
    config: Mapping[str, Slot]
    retry: Retry
    timeout_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One branch of a choose."""

    when: Test
    sequence: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(NodeBase):
    """First branch that holds."""

    kind: ClassVar[str] = "choose"
    branches: tuple[Branch, ...]
    otherwise: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(NodeBase):
    """All branches at once; each is one action."""

    kind: ClassVar[str] = "parallel"
    branches: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequential(NodeBase):
    """A list as one action."""

    kind: ClassVar[str] = "sequence"
    sequence: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(NodeBase):
    """A time; exactly one of the two."""

    kind: ClassVar[str] = "delay"
    seconds: int | None
    template: Expression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(NodeBase):
    """A loop."""

    kind: ClassVar[str] = "repeat"
    how: Literal["count", "for_each", "while", "until"]
    count: int  # of `count`; of `while` and `until` the most that are allowed; 0 for `for_each`
    expression: Expression | None  # of all but `count`
    sequence: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign(NodeBase):
    """A block of variables."""

    kind: ClassVar[str] = "variables"
    variables: Mapping[str, Slot]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard(NodeBase):
    """Go on only if it holds."""

    kind: ClassVar[str] = "condition"
    condition: Test


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(NodeBase):
    """The end."""

    kind: ClassVar[str] = "stop"
    reason: Template | None
    error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(NodeBase):
    """An event that is waited for."""

    kind: ClassVar[str] = "wait_for_trigger"
    event: str
    filter: Expression | None
    timeout_seconds: int | None
    continue_on_timeout: bool
    context_key: Template | None
    look_back: float | None = None  # seconds before what started the run; 0: what came after it


# The frequent ones first, as `match` tries them.
Node: TypeAlias = (
    Provide | Choose | Parallel | Sequential | Repeat | Assign | Guard | Stop | Delay | Wait
)
"""An action, compiled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule:
    """How many occurrences within which time let a trigger go on."""

    count: int
    minutes: int
    every: bool  # at each occurrence at or above the count, not only at the crossing
    partition_by: Expression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationRule:
    """A time that an author has written; exactly one of the two."""

    seconds: float | None
    template: Expression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRule:
    """An event that starts runs, if filter, window and hold let it."""

    id: str  # given or derived
    event: str
    filter: Expression | None
    config: JsonObject
    window: WindowRule | None = None
    hold: DurationRule | None = None
    cancel_filter: Expression | None = None
    max_age: DurationRule | None = None  # an older event starts nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A whole definition."""

    triggers: tuple[TriggerRule, ...]
    conditions: tuple[Test, ...]
    actions: tuple[Node, ...]
    mode: Mode
    max_runs: int
    max_duration_seconds: int | None
    by_context_key: bool  # concurrency_scope: count the runs of one context key, not all
    config_versions: Mapping[str, int] = field(default_factory=dict)  # by action id; else 1
