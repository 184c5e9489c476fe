"""Random automations whose outcome hangs on the times of events, and random events for them.

Events are published at whole multiples of `STEP` seconds; no deadline, age or span falls on one. So
what is in time does not hang on the microseconds that pass in the engine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

Json = dict[str, Any]

STEP: Final = 7
AGES: Final = (10, 24, 45)
HOLDS: Final = (10, 20, 31)
TIMEOUTS: Final = (10, 20, 40)
MOST_EVENTS: Final = 10
LONGEST: Final = 100  # seconds: by then all deadlines have passed
EARLY: Final = {"time": {"before": "00:01"}}  # cases begin at midnight


@dataclass(frozen=True)
class Published:
    """An event: how many steps after the one before, which, and what it says."""

    steps: int
    event: str
    key: str | None
    on: bool


@dataclass(frozen=True)
class Wait:
    """The one wait of an automation whose outcome hangs on when it was armed."""

    event: str
    filtered: bool
    seconds: int
    looks_back: bool
    path: str


@dataclass(frozen=True)
class Automation:
    """A definition; and what has to be known of it where an outage may change what comes out."""

    definition: Json = field(hash=False)
    wait: Wait | None = None
    age: int | None = None

    @property
    def trigger(self) -> Json:
        """Its one trigger."""
        found: Json = self.definition["triggers"][0]
        return found


def _automation(trigger: Json, actions: Sequence[Json], **more: Any) -> Json:
    return {
        "name": "n", "triggers": [trigger], "actions": actions, "mode": "parallel",
        "max_runs": 1000, **more,
    }  # fmt: skip


def _record(value: str, name: str = "r") -> Json:
    return {"action": "test.record", "id": name, "config": {"value": value}}


def _gated(event: str, on: bool, gate: Json, is_early: bool) -> Automation:
    trigger: Json = {"event": event, **({"filter": "trigger.payload.on"} if on else {}), **gate}
    conditions = [EARLY] if is_early else []
    actions = [_record("{{ trigger.payload.n }}")]
    return Automation(_automation(trigger, actions, conditions=conditions))


def _hold(seconds: int, cancels: bool) -> Json:
    off = {"cancel_filter": "not trigger.payload.on"} if cancels else {}
    return {"for": {"seconds": seconds}, **off}


def _window(count: int, refire: str) -> Json:
    return {"window": {"count": count, "minutes": 1, "refire": refire}}


def _aged(event: str, seconds: int) -> Automation:
    trigger = {"event": event, "max_age": {"seconds": seconds}}
    return Automation(_automation(trigger, [_record("{{ trigger.payload.n }}")]), age=seconds)


def _wait(event: str, filtered: bool, seconds: int | None, looks_back: bool) -> Json:
    wanted: Json = {"event": event}
    if filtered:
        wanted["filter"] = "trigger.payload.on"
    if seconds is not None:
        wanted["timeout_seconds"] = seconds
    if looks_back:
        wanted["lookback"] = "run"
    return {"wait_for_trigger": wanted}


TOOK: Final = "{{ trigger.payload.n }}:{{ wait.payload.n }}"


def _looking(shape: str, first: Json, second: Json, delay: int) -> Automation:
    """Waits that look back and never time out: one, two, a loop of one, both side by side."""
    begin = [{"delay": {"seconds": delay}}] if delay else []
    after = [_record(TOOK, "s")]
    rest: list[Json] = {
        "one": [first, *after],
        "two": [first, _record(TOOK), second, *after],
        "loop": [{"repeat": {"count": 2, "sequence": [first, _record(TOOK)]}}],
        "both": [{"parallel": [{"sequence": [first, _record(TOOK)]}, second]}],
    }[shape]
    return Automation(_automation({"event": "go"}, [*begin, *rest]))


def _late(event: str, filtered: bool, seconds: int, looks_back: bool, delay: int) -> Automation:
    begin = [{"delay": {"seconds": delay}}] if delay else []
    wait = Wait(event, filtered, seconds, looks_back, f"actions[{len(begin)}]")
    actions = [*begin, _wait(event, filtered, seconds, looks_back), _record(TOOK)]
    return Automation(_automation({"event": "go"}, actions), wait)


events = st.sampled_from(["e.a", "e.b"])
_looks = st.builds(_wait, events, st.booleans(), st.none(), st.just(True))
_delays = st.sampled_from([0, 0, 5])
holds = st.builds(
    _gated, events, st.just(True), st.builds(_hold, st.sampled_from(HOLDS), st.booleans()),
    st.booleans(),
)  # fmt: skip
windows = st.builds(
    _gated, events, st.booleans(),
    st.builds(_window, st.integers(2, 3), st.sampled_from(["every", "once"])), st.booleans(),
)  # fmt: skip
plain = st.builds(_gated, events, st.booleans(), st.just({}), st.just(True))
aged = st.builds(_aged, events, st.sampled_from(AGES))
looking = st.builds(
    _looking, st.sampled_from(["one", "two", "loop", "both"]), _looks, _looks, _delays
)
late = st.builds(_late, events, st.booleans(), st.sampled_from(TIMEOUTS), st.booleans(), _delays)

published = st.builds(
    Published,
    st.sampled_from([0, 1, 1, 2, 3]),
    st.sampled_from(["go", "e.a", "e.a", "e.b"]),
    st.sampled_from([None, None, "x"]),
    st.sampled_from([True, True, False]),
)
stories = st.lists(published, min_size=6, max_size=MOST_EVENTS)


@dataclass(frozen=True)
class Disturbance:
    """What disturbs a play: so many replicas, an outage of all of them, and more before events.

    With `slow` the batch of an event is handled no sooner than there is a `release`; with `late` it
    is taken and set aside, and others overtake it; with `again` an earlier one is handed over anew.
    """

    instances: int
    stops: int  # before which event
    events: int  # during the outage; 0: there is none
    pause: int  # steps, before it ends behind the last event
    doings: tuple[str, ...]

    def before(self, number: int) -> str:
        """Say what is done before an event."""
        if self.events and number == self.stops:
            return "stop"
        return "start" if number == self.stops + self.events else self.doings[number]

    @property
    def is_in_order(self) -> bool:
        """Whether no event can overtake another: one replica, or never two in flight together."""
        alone = self.instances == 1 or not (self.events or "slow" in self.doings)
        return alone and "late" not in self.doings


disturbances = st.builds(
    Disturbance,
    st.integers(1, 2),
    st.integers(1, 4),
    st.sampled_from([0, 1, 2, 3, 5, 8]),
    st.sampled_from([0, 3, 6]),
    st.lists(
        st.sampled_from(["", "", "", "slow", "late", "release", "again"]),
        min_size=MOST_EVENTS,
        max_size=MOST_EVENTS,
    ).map(tuple),
)
UNDISTURBED: Final = Disturbance(1, 0, 0, 0, ("",) * MOST_EVENTS)


@dataclass(frozen=True)
class Known:
    """An event of a play: when it was stored, and between when and when it was handled."""

    published: Published
    number: int
    at: datetime
    earliest: datetime
    latest: datetime


@dataclass(frozen=True)
class Went:
    """How a run went: its start, its end, its steps, what it recorded."""

    number: int
    key: str | None
    status: str
    error: str | None
    steps: tuple[tuple[str, str, str | None], ...]
    recorded: tuple[str, ...]
    armed: dict[str, datetime] = field(compare=False)  # by path of the step


def wrong(wait: Wait, run: Went, known: Sequence[Known], *, in_order: bool) -> Iterator[str]:
    """Say what of a wait no undisturbed engine could have given, whenever it had armed it.

    It is armed when its step began, and its deadline is so long after that. One that looks back
    takes the oldest event behind the one that has started the run, up to the deadline; or times
    out. One that does not takes any that is handled later than it is armed, whichever that was;
    but where some were stored between its arming and its deadline it takes one, and
    none behind the first of these where one replica handles them `in_order`.
    """
    armed = run.armed.get(wait.path)
    if armed is None:
        yield f"run of {run.number}: never armed"
        return
    deadline = armed + timedelta(seconds=wait.seconds)
    is_any = not (wait.looks_back or in_order)  # also one that was overtaken by what began the run
    fits = [
        one
        for one in known
        if (one.number > run.number or is_any)
        and one.published.event == wait.event
        and one.published.key == run.key
        and (one.published.on or not wait.filtered)
        and one.at <= deadline
    ]
    certain = next((place for place, one in enumerate(fits) if one.at > armed), None)
    if wait.looks_back:
        could, must = fits[:1], bool(fits)
    else:
        most = len(fits) if certain is None or not in_order else certain + 1
        could, must = fits[:most], certain is not None
    (taken,) = run.recorded or (None,)
    if taken is None and run.error != f"timed out waiting for {wait.event}":
        yield f"run of {run.number}: {run.status}, {run.error}"
    numbers = [one.number for one in could]
    if taken is None and must:
        yield f"run of {run.number}: timed out, though it had to take one of {numbers}"
    if taken is not None and taken not in {f"{run.number}:{one}" for one in numbers}:
        yield f"run of {run.number}: took {taken}, of {numbers}"


def wrong_counts(trigger: Json, runs: Sequence[Went], known: Sequence[Known]) -> Iterator[str]:
    """Say which events have started a run though no window with them has enough.

    For events that are in flight together, in an order that nobody knows: one that is handled late
    stands for the later ones that were counted without it.
    """
    span = timedelta(minutes=trigger["window"]["minutes"])
    for run in runs:
        counted = [
            one.at
            for one in known
            if one.published.event == trigger["event"]
            and one.published.key == run.key
            and (one.published.on or "filter" not in trigger)
        ]
        at = known[run.number].at
        ends = [end for end in counted if at <= end < at + span]
        most = max(sum(1 for one in counted if end - span < one <= end) for end in ends)
        if most < trigger["window"]["count"]:
            yield f"event {run.number} has started a run, with {most} in its window at most"


def wrong_ages(age: int, event: str, runs: Sequence[Went], known: Sequence[Known]) -> Iterator[str]:
    """Say which events have started a run though they were too old, or the other way round."""
    started = {run.number for run in runs}
    for one in known:
        if one.published.event != event:
            continue
        limit = one.at + timedelta(seconds=age)
        if one.number in started and one.earliest > limit:
            yield f"event {one.number} was too old and has started a run"
        if one.number not in started and one.latest < limit:
            yield f"event {one.number} was young enough and has started nothing"
