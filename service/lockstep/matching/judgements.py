"""What triggers make of events: judged before a transaction, looked up in it."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeAlias

from lockstep.matching.index import Index
from lockstep.matching.judge import asks, judge
from lockstep.model.decisions import Candidate, Decision
from lockstep.model.events import NOBODY, Event
from lockstep.model.matches import TriggerMatch
from lockstep.model.parked import ParkedEvent
from lockstep.ports.pace import Pace

_Key: TypeAlias = tuple[str, int]


class Judgements:
    """What came of each event and each trigger that asks for it, as long as both are the same.

    A trigger is one as long as the version of its automation is; then it is the same object, which
    is kept alive by what came of it.
    """

    def __init__(
        self, index: Index, pace: Pace, are_kept: Callable[[], bool] = lambda: True
    ) -> None:
        """`are_kept` says whether somebody keeps what it refuses, with what expressions saw."""
        self._index, self._pace, self._are_kept = index, pace, are_kept
        self._found: dict[_Key, Candidate | Decision] = {}

    async def prepare(self, events: Sequence[Event], now: datetime) -> None:
        """Judge what is not judged yet; others have their turn in between."""
        for key, match in self._asked(events):
            if key in self._found:
                continue
            if not asks(match):
                self._found[key] = Candidate(match)
                continue
            begun = time.thread_time_ns()
            self._found[key] = judge(match, now, is_explained=self._are_kept())
            spent = time.thread_time_ns() - begun
            await self._pace.took(match.automation.id, match.event.id, spent)

    def lack(self, events: Sequence[Event]) -> bool:
        """Say whether something of what is in force is not judged yet."""
        return any(key not in self._found for key, _ in self._asked(events))

    def of(self, events: Sequence[Event]) -> tuple[list[Candidate], list[Decision]]:
        """Give what passes filters, and what does not: by events, then automations, then triggers.

        Where neither a window nor a hold comes between, the conditions were judged too.
        """
        found = [self._found[key] for key, _ in self._asked(events)]
        return (
            [one for one in found if isinstance(one, Candidate)],
            [one for one in found if isinstance(one, Decision)],
        )

    def _asked(self, events: Sequence[Event]) -> Iterator[tuple[_Key, TriggerMatch]]:
        for event in events:
            for automation, trigger in self._index.entries(event.id):
                if event.only is not None and event.only != automation.id:
                    continue
                yield (event.delivery, id(trigger)), TriggerMatch(event, automation, trigger)


def unread(events: Sequence[Event], index: Index) -> list[ParkedEvent]:
    """Give what events ask of automations that cannot be compiled here."""
    return [
        ParkedEvent(event, automation_id, reason)
        for event in events
        for automation_id, reason in index.unreadable_for(event.id)
        if event.only in {None, NOBODY, automation_id}
    ]
