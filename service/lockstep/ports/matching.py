"""What matching needs of a transaction, and of the stored automations."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Protocol

from lockstep.model.automations import Head, StoredDefinition
from lockstep.model.decisions import Counter, Occurrences
from lockstep.model.timers import HeldEvents, HoldChanges, Holder


class MatchingTransaction(Protocol):
    """What windows count and triggers hold; locked with the queues."""

    async def occurrences(
        self, counters: Sequence[Counter]
    ) -> Mapping[Counter, Sequence[datetime]]:
        """The last occurrences of counters, which are locked."""
        ...

    async def keep_occurrences(self, changed: Sequence[Occurrences]) -> None:
        """Keep the last occurrences of counters, which are locked."""
        ...

    async def held_events(self, holders: Sequence[Holder]) -> Mapping[Holder, HeldEvents]:
        """What is kept for holders, which are locked; nothing for those that have nothing."""
        ...

    async def change_holds(self, changes: HoldChanges) -> None:
        """Drop, keep, end and arm, in this order; all of them are locked."""
        ...


class AutomationSource(Protocol):
    """What matching reads of the stored automations."""

    async def revision(self) -> int:
        """The revision that is in force."""
        ...

    async def heads(self) -> tuple[int, Sequence[Head]]:
        """The revision, and all automations by creation."""
        ...

    async def looked_back(self) -> Set[str]:
        """The event ids that waits of all versions look back on."""
        ...

    async def definitions(
        self, keys: Sequence[tuple[str, int]]
    ) -> Mapping[tuple[str, int], StoredDefinition]:
        """Definitions by (automation id, version)."""
        ...
