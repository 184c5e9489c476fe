"""Conditions: what must hold for a run to start, a branch to be taken, a guard to be passed."""

from typing import Annotated, TypeAlias, Union

from msgspec import Meta, field

from .base import END, Expression, Struct


class And(Struct, frozen=True):
    """All of the conditions hold; stops at the first that does not."""

    and_: Annotated[list["Condition"], Meta(min_length=1)] = field(name="and")


class Or(Struct, frozen=True):
    """One of the conditions holds; stops at the first that does."""

    or_: Annotated[list["Condition"], Meta(min_length=1)] = field(name="or")


class Not(Struct, frozen=True):
    """The condition does not hold."""

    not_: "Condition" = field(name="not")


class NumericBounds(Struct, frozen=True):
    """A number and the open interval it shall lie in; at least one bound."""

    value: int | float | Expression
    above: int | float | None = None
    below: int | float | None = None


class NumericState(Struct, frozen=True):
    """The value is a number, or text of a number, strictly between the bounds."""

    numeric_state: NumericBounds


TimeOfDay = Annotated[
    str,
    Meta(pattern=f"^([01][0-9]|2[0-3]):[0-5][0-9]{END}", description="`HH:MM`, 00:00 to 23:59."),
]


class TimeWindow(Struct, frozen=True):
    """A part of the day or week; at least one field beside the time zone."""

    after: TimeOfDay | None = None
    before: TimeOfDay | None = None
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

    time: TimeWindow


Condition: TypeAlias = Union[Expression, And, Or, Not, NumericState, Time]  # noqa: UP007

CONDITIONS: dict[str, type[And | Or | Not | NumericState | Time]] = {
    "and": And,
    "or": Or,
    "not": Not,
    "numeric_state": NumericState,
    "time": Time,
}
