"""Times that an author writes: numbers that add up, or an expression that gives seconds."""

from typing import Annotated, Final

from msgspec import Meta

from .base import Expression, Struct

LONGEST_AGE_SECONDS: Final = 2_592_000  # 30 days, as every time of a trigger

LONGEST_LOOK_BACK_SECONDS: Final = 604_800  # 7 days

UNIT_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}


class MaxAge(Struct, frozen=True):
    """How old an event may be: numbers that add up, or `template`; up to 30 days."""

    seconds: Annotated[float, Meta(gt=0, le=2592000, description="In seconds.")] | None = None
    minutes: Annotated[float, Meta(gt=0, le=43200, description="In minutes.")] | None = None
    hours: Annotated[float, Meta(gt=0, le=720, description="In hours.")] | None = None
    days: Annotated[float, Meta(gt=0, le=30, description="In days.")] | None = None
    template: Annotated[Expression, Meta(description="Gives seconds.")] | None = None


class LookBack(Struct, frozen=True):
    """How far before the event that started the run: numbers that add up, up to 7 days."""

    seconds: Annotated[float, Meta(gt=0, le=604800, description="In seconds.")] | None = None
    minutes: Annotated[float, Meta(gt=0, le=10080, description="In minutes.")] | None = None
    hours: Annotated[float, Meta(gt=0, le=168, description="In hours.")] | None = None
    days: Annotated[float, Meta(gt=0, le=7, description="In days.")] | None = None


def total_seconds(span: MaxAge | LookBack) -> float:
    """Add up the numbers of a time."""
    numbers = ((span.days, 86_400), (span.hours, 3600), (span.minutes, 60), (span.seconds, 1))
    return sum((number or 0.0) * unit for number, unit in numbers)
