"""The kinds of actions. A kind is told by the one key of `KINDS` that an action has."""

from typing import Annotated, Final, Literal, TypeAlias, Union

from msgspec import Meta, field

from .base import (
    EventId,
    Expression,
    Identifier,
    Json,
    JsonObject,
    OptionalExpression,
    QualifiedId,
    Struct,
    Template,
)
from .conditions import Condition

Actions = Annotated[list["Action"], Meta(min_length=1)]


class ActionBase(Struct, frozen=True, kw_only=True):
    """The fields that every action has."""

    id: (
        Annotated[
            Identifier,
            Meta(description="Unique in the automation; needed where the type makes an artifact."),
        ]
        | None
    ) = None
    description: str | None = None
    enabled: Annotated[
        bool, Meta(description="False: one skipped step, its content is not looked at.")
    ] = True
    continue_on_error: Annotated[
        bool, Meta(description="A failure of this action does not end the enclosing list.")
    ] = False


class Retry(Struct, frozen=True):
    """How often a failed provider action is tried again, and after how long; with full jitter."""

    attempts: Annotated[int, Meta(ge=1, le=100)] = 1
    delay_seconds: Annotated[float, Meta(ge=0, le=86400)] = 1
    backoff: Literal["constant", "exponential"] = "exponential"
    max_delay_seconds: Annotated[float, Meta(ge=0, le=86400)] = 300


class ProviderAction(ActionBase, frozen=True, kw_only=True):
    """Call an action of a plug-in or of a service on the bus."""

    action: QualifiedId
    config: JsonObject = {}
    retry: Retry | None = None
    timeout_seconds: Annotated[int, Meta(ge=1, le=86400)] | None = None


class Branch(Struct, frozen=True):
    """A condition and what is done where it is the first that holds."""

    when: Condition
    sequence: Actions


class Choose(ActionBase, frozen=True, kw_only=True):
    """The first branch that holds, else `else`, else nothing."""

    choose: Annotated[list[Branch], Meta(min_length=1)]
    else_: list["Action"] = field(name="else", default_factory=list)


class Parallel(ActionBase, frozen=True, kw_only=True):
    """All branches at the same time; ends when all have ended."""

    parallel: Actions


class Sequence(ActionBase, frozen=True, kw_only=True):
    """A list of actions as one action."""

    sequence: Actions


class DelayFor(Struct, frozen=True):
    """For how long: `seconds`, or a `template` that gives seconds; exactly one of the two."""

    seconds: Annotated[int, Meta(ge=0, le=86400)] | None = None
    template: Annotated[Expression, Meta(description="Gives seconds, 0 to 2592000.")] | None = None


class Delay(ActionBase, frozen=True, kw_only=True):
    """Hold the run for a time that outlives a restart."""

    delay: DelayFor


class Loop(Struct, frozen=True):
    """How often, and what. Exactly one of `count`, `for_each`, `while`, `until`."""

    sequence: Actions
    count: Annotated[int, Meta(ge=1, le=10000)] | None = None
    for_each: Expression | None = None
    while_: Expression | None = field(name="while", default=None)
    until: Expression | None = None
    max_iterations: (
        Annotated[int, Meta(ge=1, le=10000, description="Of `while` and `until`; 1000 if absent.")]
        | None
    ) = None


class Repeat(ActionBase, frozen=True, kw_only=True):
    """A list of actions, again and again."""

    repeat: Loop


class Variables(ActionBase, frozen=True, kw_only=True):
    """Set variables; the names of one block do not see each other."""

    variables: Annotated[dict[Identifier, Json], Meta(min_length=1)]


class Guard(ActionBase, frozen=True, kw_only=True):
    """Go on only if the condition holds; else the run ends as success."""

    condition: Condition


class StopWith(Struct, frozen=True):
    """Why the run ends, and whether that is a failure."""

    reason: Template | None = None
    error: bool = False


class Stop(ActionBase, frozen=True, kw_only=True):
    """End the run."""

    stop: StopWith


class WaitFor(Struct, frozen=True):
    """The event that is waited for, and for how long."""

    event: EventId
    filter: OptionalExpression | None = None
    timeout_seconds: Annotated[int, Meta(ge=1, le=2592000)] | None = None
    continue_on_timeout: bool = False
    context_key: Template | None = None


class Wait(ActionBase, frozen=True, kw_only=True):
    """Hold the run until an event arrives."""

    wait_for_trigger: WaitFor


Action: TypeAlias = Union[  # noqa: UP007
    ProviderAction, Choose, Parallel, Sequence, Delay, Repeat, Variables, Guard, Stop, Wait
]

KINDS: Final[dict[str, type[Action]]] = {
    "action": ProviderAction,
    "choose": Choose,
    "parallel": Parallel,
    "sequence": Sequence,
    "delay": Delay,
    "repeat": Repeat,
    "variables": Variables,
    "condition": Guard,
    "stop": Stop,
    "wait_for_trigger": Wait,
}
