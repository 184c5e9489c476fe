"""The pace of judging: what it costs for each automation, and when others have their turn."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

BREATH_NS: Final = 1_000_000
"""Processor time after which others have their turn: that of some hundred plain filters."""
LONG_NS: Final = 2_000_000
"""Processor time of judging after which it rests: what is longer would be noticed by others."""
REST: Final = 4.0
"""How long it rests, of the time it took: judging that is long has a fifth of a worker."""
SLOW_NS: Final = 2_000_000
"""An automation whose filters take more on average is slow: its events come behind the others."""
FORGOTTEN_SECONDS: Final = 600.0  # without an event nobody knows whether it is slow still
_NOTED_NS: Final = 100_000  # what takes less in each case need not be kept
_SHARE: Final = 8  # an average is one of about so many events
_MOST_EVENTS: Final = 64  # that one automation names; more are not put behind the others


@dataclass(slots=True)
class _Cost:
    """What judging takes for one automation, and the events that it was judged for."""

    average_ns: float = 0.0
    at: float = 0.0
    events: set[str] = field(default_factory=set)


class JudgingPace:
    """See `ports.pace.Pace`.

    `event_id` gives the id of the event of a subject.
    """

    def __init__(self, event_id: Callable[[str], str]) -> None:
        self._event_id = event_id
        self._used_ns = 0  # since others had their turn
        self._rests_until = 0.0
        self._costs: dict[str, _Cost] = {}

    async def took(self, automation_id: str, event_id: str, nanoseconds: int) -> None:
        """See `ports.pace.Pace`."""
        self._note(automation_id, event_id, nanoseconds)
        self._used_ns += nanoseconds
        if self._used_ns < BREATH_NS:
            return
        used, self._used_ns = self._used_ns, 0
        if used < LONG_NS:
            await asyncio.sleep(0)
            return
        # Others may judge meanwhile: all together they rest for what all of them took.
        now = asyncio.get_running_loop().time()
        self._rests_until = max(now, self._rests_until) + REST * used / 1e9
        await asyncio.sleep(self._rests_until - now)

    def is_slow(self, subject: str) -> bool:
        """Say whether an event of this subject has to be judged for an automation that is slow."""
        if not self._costs:
            return False
        event_id = self._event_id(subject)
        return any(event_id in one.events for one in self._costs.values() if _is_slow(one))

    def slow(self) -> Mapping[str, float]:
        """Give the automations that are slow, with the milliseconds that they take on average."""
        self._forget(asyncio.get_running_loop().time())
        return {
            automation_id: one.average_ns / 1e6
            for automation_id, one in self._costs.items()
            if _is_slow(one)
        }

    def _note(self, automation_id: str, event_id: str, nanoseconds: int) -> None:
        cost = self._costs.get(automation_id)
        if cost is None:
            if nanoseconds < _NOTED_NS:
                return
            now = asyncio.get_running_loop().time()
            self._forget(now)
            cost = self._costs[automation_id] = _Cost()
        cost.at = asyncio.get_running_loop().time()
        cost.average_ns += (nanoseconds - cost.average_ns) / _SHARE
        if len(cost.events) < _MOST_EVENTS:
            cost.events.add(event_id)
        if cost.average_ns < _NOTED_NS / _SHARE:
            del self._costs[automation_id]

    def _forget(self, now: float) -> None:
        for automation_id, one in [*self._costs.items()]:
            if now - one.at > FORGOTTEN_SECONDS:
                del self._costs[automation_id]


def _is_slow(cost: _Cost) -> bool:
    return cost.average_ns > SLOW_NS
