"""Schedules: when `automation.cron`, `automation.interval` and `automation.template` fire.

Pure: time comes in, ticks come out. Daylight saving is that of Debian's cron (cron(8)): a time that
does not exist runs at the first moment after the gap, one that occurs twice runs once, and patterns
that run every hour or minute follow the time that really passes.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from cronsim import CronSim, CronSimError
from msgspec import Meta

from lockstep_schemas.base import JsonObject

PREFIX: Final = "automation."
MISSED: Final = timedelta(seconds=30)  # a tick that is later than that was missed
MOST: Final = 1000  # missed ticks that are made up for; of more, the newest

_SPANS: Final = (
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(days=40),
    timedelta(days=3660),
)

_MACROS: Final[Mapping[str, str]] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Cron(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Ticks of a cron pattern: 5 fields, 6 with seconds first, names, `@daily` and its like."""

    cron_pattern: Annotated[str, Meta(min_length=1, max_length=200)]
    timezone: Annotated[str, Meta(description="IANA, such as Europe/Berlin.")] = "UTC"
    missed: Annotated[
        Literal["skip", "last", "all"],
        Meta(description="Which ticks of an outage start a run after it."),
    ] = "last"


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A tick each so many seconds, the first after one interval."""

    interval_seconds: Annotated[int, Meta(ge=1, le=31_536_000)]


class Edge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tick when an expression over `now` goes from false to true."""

    value_template: Annotated[str, Meta(min_length=1, description="A bare expression.")]
    interval_seconds: Annotated[int, Meta(ge=1, le=86_400)] = msgspec.field(name="intervalSeconds")


class Fired(msgspec.Struct, frozen=True, rename="camel"):
    """Payload of a tick."""

    fired_at: datetime


Schedule: TypeAlias = Cron | Interval | Edge
KINDS: Final[Mapping[str, type[Schedule]]] = {
    "automation.cron": Cron,
    "automation.interval": Interval,
    "automation.template": Edge,
}


class Ticks(msgspec.Struct, frozen=True):
    """What fires now, and when to look again; `next_due` is None where nothing ever follows."""

    fire: list[datetime]
    next_due: datetime | None
    last_value: bool | None = None


def schedule_of(event_id: str, config: JsonObject) -> Schedule | None:
    """Read the schedule of a trigger; None if its event comes from the bus.

    Raises:
        ValidationError: The config is not of its shape.
    """
    kind = KINDS.get(event_id)
    return None if kind is None else msgspec.convert(config, kind)


def faults(event_id: str, config: JsonObject) -> Iterator[tuple[str, str]]:
    """Say what is wrong with a config whose shape is right: field and message."""
    try:
        schedule = schedule_of(event_id, config)
    except msgspec.ValidationError:
        return  # told by its schema
    if not isinstance(schedule, Cron):
        return
    if schedule.timezone not in available_timezones():
        near = get_close_matches(schedule.timezone, available_timezones(), 1)
        meant = f", did you mean {near[0]}?" if near else ""
        yield "timezone", f"unknown time zone '{schedule.timezone}'{meant}"
        return
    try:
        following = next_tick(schedule, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        text = str(error).lower()
        yield "cronPattern", f"'{schedule.cron_pattern}' is no cron pattern: {text}"
        return
    if following is None:
        yield "cronPattern", f"'{schedule.cron_pattern}' never comes"


def next_tick(cron: Cron, after: datetime) -> datetime | None:
    """Give the first tick after a moment; None if there is none within fifty years.

    Raises:
        CronSimError: The pattern is none.
    """
    pattern = _MACROS.get(cron.cron_pattern.strip().lower(), cron.cron_pattern)
    try:
        found: datetime = next(CronSim(pattern, after.astimezone(ZoneInfo(cron.timezone))))
    except StopIteration:
        return None
    return found.astimezone(UTC)


def first_due(schedule: Schedule, now: datetime) -> datetime | None:
    """Say when a schedule that is armed now is due first."""
    if isinstance(schedule, Cron):
        return next_tick(schedule, now)
    return now + timedelta(seconds=schedule.interval_seconds)


def ticks(
    schedule: Schedule,
    due_at: datetime,
    now: datetime,
    last_value: bool | None,
    holds: Callable[[str, datetime], bool],
) -> Ticks:
    """Say what fires of a schedule that was due at a time, maybe long ago, and what follows.

    `holds` judges an expression at a moment; it gives false where that fails. Where the clock has
    gone back behind `due_at`, nothing fires and it stays due then.
    """
    if now < due_at:
        return Ticks([], due_at, last_value)
    match schedule:
        case Cron():
            return _cron(schedule, due_at, now)
        case Interval(interval_seconds=seconds):
            return Ticks([due_at], _following(due_at, now, seconds))
        case Edge(interval_seconds=seconds):
            value = holds(schedule.value_template, now)
            fire = [now] if value and not last_value else []
            return Ticks(fire, _following(due_at, now, seconds), value)


def _cron(cron: Cron, due_at: datetime, now: datetime) -> Ticks:
    due = _due(cron, due_at, now, MOST if cron.missed == "all" else 1)
    following = next_tick(cron, due[-1])
    if cron.missed == "skip":
        due = [tick for tick in due if now - tick < MISSED]
    return Ticks(due, following)


def _due(cron: Cron, due_at: datetime, now: datetime, most: int) -> list[datetime]:
    """Give the newest ticks from `due_at` to `now`, oldest first.

    Looked for in longer and longer times before `now`: an outage of a year of a pattern that ticks
    each second must not be walked from its beginning.
    """
    found: list[datetime] = []
    for span in _SPANS:
        begin = max(due_at, now - span)
        found = [due_at] if begin == due_at else []
        following = next_tick(cron, begin)
        while following is not None and following <= now:
            found.append(following)
            following = next_tick(cron, following)
        if len(found) >= most or begin == due_at:
            break
    return found[-most:]


def _following(due_at: datetime, now: datetime, seconds: int) -> datetime:
    """Give the first multiple of an interval after a moment: nothing is caught up."""
    passed = (now - due_at) // timedelta(seconds=seconds)
    return due_at + timedelta(seconds=seconds) * (passed + 1)
