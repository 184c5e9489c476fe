"""The kinds of actions. A kind is told by the one key of `KINDS` that an action has."""

from typing import Annotated, Final, Literal, TypeAlias, Union

from msgspec import Meta, field

from .base import (
    END,
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
from .durations import LookBack

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
    description: Annotated[str | None, Meta(description="What it is for, for people.")] = None
    enabled: Annotated[
        bool, Meta(description="False: one skipped step, its content is not looked at.")
    ] = True
    continue_on_error: Annotated[
        bool, Meta(description="A failure of this action does not end the enclosing list.")
    ] = False


class Retry(Struct, frozen=True):
    """How often a failed provider action is tried again, and after how long; with full jitter."""

    attempts: Annotated[int, Meta(ge=1, le=100, description="All in all, with the first.")] = 1
    delay_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=86400,
            description="At most before the second attempt, in seconds; how long is random.",
        ),
    ] = 1
    backoff: Annotated[
        Literal["constant", "exponential"],
        Meta(description="Whether the delay stays or doubles each time."),
    ] = "exponential"
    max_delay_seconds: Annotated[
        float, Meta(ge=0, le=86400, description="Longest delay, in seconds.")
    ] = 300


class ProviderAction(ActionBase, frozen=True, kw_only=True):
    """Call an action of a plug-in or of a service on the bus."""

    action: Annotated[QualifiedId, Meta(description="The type of the action.")]
    config: Annotated[
        JsonObject, Meta(description="As the type wants it; its texts are templates.")
    ] = {}
    retry: Annotated[
        Retry | None, Meta(description="What is done where it fails; without it: one attempt.")
    ] = None
    timeout_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=86400)] | None,
        Meta(description="For one attempt, in seconds; without it that of the type, else 300."),
    ] = None


class Branch(Struct, frozen=True):
    """A condition and what is done where it is the first that holds."""

    when: Annotated[Condition, Meta(description="What must hold.")]
    sequence: Annotated[Actions, Meta(description="What is done then, in order.")]


class Choose(ActionBase, frozen=True, kw_only=True):
    """The first branch that holds, else `else`, else nothing."""

    choose: Annotated[list[Branch], Meta(min_length=1, description="Judged in order.")]
    else_: Annotated[list["Action"], Meta(description="What is done where no branch holds.")] = (
        field(name="else", default_factory=list)
    )


class Parallel(ActionBase, frozen=True, kw_only=True):
    """All branches at the same time; ends when all have ended."""

    parallel: Annotated[Actions, Meta(description="Each item is a branch of its own.")]


class Sequence(ActionBase, frozen=True, kw_only=True):
    """A list of actions as one action."""

    sequence: Annotated[Actions, Meta(description="What is done, in order.")]


class DelayFor(Struct, frozen=True):
    """For how long: `seconds`, or a `template` that gives seconds; exactly one of the two."""

    seconds: Annotated[int, Meta(ge=0, le=86400, description="In seconds.")] | None = None
    template: Annotated[Expression, Meta(description="Gives seconds, 0 to 2592000.")] | None = None


class Delay(ActionBase, frozen=True, kw_only=True):
    """Hold the run for a time that outlives a restart."""

    delay: Annotated[DelayFor, Meta(description="For how long, from the first visit on.")]


class Loop(Struct, frozen=True):
    """How often, and what. Exactly one of `count`, `for_each`, `while`, `until`."""

    sequence: Annotated[Actions, Meta(description="What is done each time, in order.")]
    count: Annotated[int, Meta(ge=1, le=10000, description="So many times.")] | None = None
    for_each: Annotated[
        Expression | None, Meta(description="Once for each item of the list that this gives.")
    ] = None
    while_: Annotated[
        Expression | None, Meta(description="As long as this holds; tested before.")
    ] = field(name="while", default=None)
    until: Annotated[
        Expression | None, Meta(description="Until this holds; tested after, so once at least.")
    ] = None
    max_iterations: (
        Annotated[int, Meta(ge=1, le=10000, description="Of `while` and `until`; 1000 if absent.")]
        | None
    ) = None


class Repeat(ActionBase, frozen=True, kw_only=True):
    """A list of actions, again and again."""

    repeat: Annotated[Loop, Meta(description="How often, and what.")]


class Variables(ActionBase, frozen=True, kw_only=True):
    """Set variables; the names of one block do not see each other."""

    variables: Annotated[
        dict[Identifier, Json],
        Meta(min_length=1, description="Values by name; texts may be templates."),
    ]


class Guard(ActionBase, frozen=True, kw_only=True):
    """Go on only if the condition holds; else the run ends as success."""

    condition: Annotated[Condition, Meta(description="What must hold.")]


class StopWith(Struct, frozen=True):
    """Why the run ends, and whether that is a failure."""

    reason: Annotated[Template | None, Meta(description="Kept with the run.")] = None
    error: Annotated[bool, Meta(description="True: the run has failed, else succeeded.")] = False


class Stop(ActionBase, frozen=True, kw_only=True):
    """End the run."""

    stop: Annotated[StopWith, Meta(description="Why, and whether that is a failure.")]


class WaitFor(Struct, frozen=True):
    """The event that is waited for, and for how long."""

    event: Annotated[EventId, Meta(description="The event that ends the wait.")]
    filter: Annotated[
        OptionalExpression | None,
        Meta(description="Must hold for it: `trigger` is the event, `run_scope` the run's scope."),
    ] = None
    timeout_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=2592000)] | None,
        Meta(description="In seconds; without it there is no limit."),
    ] = None
    continue_on_timeout: Annotated[
        bool, Meta(description="True: a timeout is a success, with `wait.completed` false.")
    ] = False
    context_key: Annotated[
        Template | None, Meta(description="Equal to that of the event; without it the run's.")
    ] = None
    lookback: Annotated[
        Annotated[str, Meta(pattern=f"^run{END}", description="`run`.")] | LookBack | None,
        Meta(
            description="Takes the oldest event that was handled before, too: later than the event "
            "that started the run, or so long before it."
        ),
    ] = None


class Wait(ActionBase, frozen=True, kw_only=True):
    """Hold the run until an event arrives."""

    wait_for_trigger: Annotated[WaitFor, Meta(description="Which event, and for how long.")]


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
