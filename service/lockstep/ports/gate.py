"""What the gate needs of a transaction."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from lockstep.model.admissions import Active, Counted


class GateTransaction(Protocol):
    """What is active, looked at behind locks."""

    async def lock_keys(self, keys: Sequence[str]) -> None:
        """Lock the keys of queues, windows and holds to the end; `keys` are sorted."""
        ...

    async def lock_automations(self, ids: Sequence[str]) -> Mapping[str, bool]:
        """Keep automations from being deleted: id to enabled; a deleted one is absent."""
        ...

    async def count_active(self, of: Counted) -> Mapping[tuple[str, str | None], int]:
        """Active runs by (automation, context key); null stands for all keys of a whole one."""
        ...

    async def active_runs(self, of: Counted) -> Sequence[Active]:
        """The active runs, with their rank."""
        ...
