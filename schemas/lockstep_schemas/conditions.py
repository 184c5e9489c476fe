"""Conditions: what must hold for a run to start, a branch to be taken, a guard to be passed."""

from typing import Annotated, TypeAlias, Union

from msgspec import Meta, field

from .base import END, Expression, Struct


class And(Struct, frozen=True):
    """All of the conditions hold; stops at the first that does not."""

    and_: Annotated[list["Condition"], Meta(min_length=1, description="Judged in order.")] = field(
        name="and"
    )


class Or(Struct, frozen=True):
    """One of the conditions holds; stops at the first that does."""

    or_: Annotated[list["Condition"], Meta(min_length=1, description="Judged in order.")] = field(
        name="or"
    )


class Not(Struct, frozen=True):
    """The condition does not hold."""

    not_: Annotated["Condition", Meta(description="What must not hold.")] = field(name="not")


class NumericBounds(Struct, frozen=True):
    """A number and the open interval it shall lie in; at least one bound."""

    value: Annotated[
        int | float | Expression, Meta(description="A number, or an expression that gives one.")
    ]
    above: Annotated[int | float | None, Meta(description="The value is more than this.")] = None
    below: Annotated[int | float | None, Meta(description="The value is less than this.")] = None


class NumericState(Struct, frozen=True):
    """The value is a number, or text of a number, strictly between the bounds."""

    numeric_state: Annotated[NumericBounds, Meta(description="The value and its bounds.")]


TimeOfDay = Annotated[
    str,
    Meta(pattern=f"^([01][0-9]|2[0-3]):[0-5][0-9]{END}", description="`HH:MM`, 00:00 to 23:59."),
]


class TimeWindow(Struct, frozen=True):
    """A part of the day or week; at least one field beside the time zone."""

    after: Annotated[
        TimeOfDay | None, Meta(description="From then on; past `before`: over midnight.")
    ] = None
    before: Annotated[TimeOfDay | None, Meta(description="Until then, exclusive.")] = None
    weekday: (
        Annotated[
            list[Annotated[int, Meta(ge=0, le=6)]],
            Meta(min_length=1, description="Days of the local week, Sunday is 0."),
        ]
        | None
    ) = None
    timezone: Annotated[str, Meta(description="IANA name of the time zone.")] = "UTC"


class Time(Struct, frozen=True):
    """The moment of evaluation lies in the window."""

    time: Annotated[TimeWindow, Meta(description="The time of day, the days, the time zone.")]


Condition: TypeAlias = Union[Expression, And, Or, Not, NumericState, Time]  # noqa: UP007

CONDITIONS: dict[str, type[And | Or | Not | NumericState | Time]] = {
    "and": And,
    "or": Or,
    "not": Not,
    "numeric_state": NumericState,
    "time": Time,
}
