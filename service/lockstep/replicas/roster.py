"""Who is taken for dead: whose heartbeat has not changed for long, by the clock of this machine.

When a beat was stored says nothing: the clock of the database may be set. Beats are compared only.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from lockstep.ports.workers import Beat


class _Sign(msgspec.Struct, frozen=True):
    """A beat, and since when it is the last one, in seconds of the monotonic clock."""

    beat: datetime
    since: float


class Roster:
    """The other workers, as this one has seen them from look to look.

    A worker that has just started, or saw nobody for a while, sees all as if for the first time.
    """

    def __init__(self, stale_seconds: float) -> None:
        self._stale_seconds = stale_seconds
        self._signs: dict[UUID, _Sign] = {}
        self._stale: tuple[Beat, ...] = ()
        self._since = math.inf

    @property
    def since(self) -> float:
        """Since when no look was missed, in seconds of the monotonic clock; infinite: one was."""
        return self._since

    def stale(self) -> Sequence[Beat]:
        """See `ports.workers.Stale`; one whose row is gone is not among them, and dead at once."""
        return self._stale

    def look(self, beats: Mapping[UUID, datetime], asked_at: float, answered_at: float) -> None:
        """Take what the store said; it was asked and has answered at these times."""
        before = self._signs
        self._since = min(self._since, answered_at)
        self._signs = {
            worker: before[worker]
            if worker in before and before[worker].beat == beat
            else _Sign(beat, answered_at)
            for worker, beat in beats.items()
        }
        self._stale = tuple(
            (worker, sign.beat)
            for worker, sign in self._signs.items()
            if asked_at - sign.since >= self._stale_seconds
        )

    def lose_sight(self) -> None:
        """Forget what was seen: for a while there was no look, and nobody knows who has beaten."""
        self._signs, self._stale, self._since = {}, (), math.inf

    def age(self, seconds: float) -> None:
        """Let so much time have passed for the next look: for test cases."""
        self._signs = {
            worker: _Sign(sign.beat, sign.since - seconds) for worker, sign in self._signs.items()
        }
