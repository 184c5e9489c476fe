"""What comes out of a hold: what its events say in the order of their times, however they come."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from lockstep.model.timers import HoldEvent

MOST_EVENTS: Final = 1000  # of one holder: read with each batch of its events, in some ms
MOST_BYTES: Final = 4 << 20  # of one holder: of events as large as they may be, some
LEFT: Final = 0.75  # where there are more, some go at once: not each further event does it again

Part: TypeAlias = Literal["arms", "ended", "ignored", "cancels", "nothing"]


class Played(NamedTuple):
    """What an event does, and which other one has to do with it.

    What `ended` it, what it was `ignored` for, what it `cancels`; of one that cancels `nothing`,
    the hold that was over before it, if it still stands to come out.
    """

    part: Part
    other: HoldEvent | None = None


class Course(NamedTuple):
    """The events that arm holds which nothing cancels, earliest first; and what each one does."""

    holds: Sequence[HoldEvent]
    parts: Sequence[Played]


def course(events: Sequence[HoldEvent]) -> Course:
    """Say what comes out of the events of a holder, which stand in the order of their ranks.

    One that arms begins a hold where none stands; while it stands, up to its deadline, further ones
    are ignored, and one that cancels ends it. What is later than the deadline finds none.
    """
    holds: list[HoldEvent] = []
    parts: list[Played] = []
    standing: int | None = None
    for place, event in enumerate(events):
        if standing is not None and event.time > events[standing].until:
            holds.append(events[standing])
            standing = None
        if event.due_at is not None and standing is None:
            standing = place
            parts.append(Played("arms"))
        elif event.due_at is not None:
            parts.append(Played("ignored", events[standing or 0]))
        elif standing is None:
            parts.append(Played("nothing", holds[-1] if holds else None))
        else:
            parts[standing] = Played("ended", event)
            parts.append(Played("cancels", events[standing]))
            standing = None
    if standing is not None:
        holds.append(events[standing])
    return Course(holds, parts)


def decided(events: Sequence[HoldEvent], until: int) -> list[HoldEvent]:
    """Give what of the first `until` events changes nothing any more, once no other is among them.

    What stays is what arms the holds that come out, or that stand behind these.
    """
    needed = {one.rank for one in course(events[:until]).holds}
    return [one for one in events[:until] if one.rank not in needed]


def up_to(events: Sequence[HoldEvent], time: datetime) -> int:
    """Count the events up to a time."""
    return bisect_right(events, time, key=lambda one: one.time)


def beyond_bounds(events: Sequence[HoldEvent]) -> int:
    """Count the oldest ones that there is no room for; the newest has its room."""
    if len(events) <= MOST_EVENTS and sum(one.size for one in events) <= MOST_BYTES:
        return 0
    size = 0
    for place in range(len(events) - 1, -1, -1):
        size += events[place].size
        if len(events) - place > LEFT * MOST_EVENTS or size > LEFT * MOST_BYTES:
            return min(place + 1, len(events) - 1)
    return 0
