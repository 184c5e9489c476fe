"""Judging comes before the transaction; in it, only what was judged is compared.

So nothing waits for an expression while it holds a connection and locks.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from lockstep.matching import Index
from lockstep.model.matches import TriggerMatch
from lockstep.model.new_runs import NewRun
from lockstep.pipeline.commit import commit
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.ports.pipeline import Transaction

MOST_ROLLBACKS: Final = 3
"""Automations that change so often must not keep an event for ever: then it is judged inside."""


class Outdated(Exception):
    """Something has to be judged that was not; `revision` is that of the automations."""

    def __init__(self, revision: int) -> None:
        super().__init__(revision)
        self.revision = revision


class Judging(Protocol):
    """What is judged first, and then decided in a transaction."""

    async def prepare(self) -> None:
        """Judge what is not judged yet, before the transaction."""
        ...

    async def decide(self, tx: Transaction, *, is_last: bool) -> Decided:
        """Decide by what was judged; judge what is missing only where there is no other try.

        Raises:
            Outdated: Something is missing, and this is not the last try.
        """
        ...


async def commit_judged(judging: Judging, parts: PipelineParts) -> list[NewRun]:
    """Judge, then decide and launch in one transaction; see `commit`."""
    for _ in range(MOST_ROLLBACKS):
        await judging.prepare()
        try:
            return await commit(partial(judging.decide, is_last=False), parts)
        except Outdated as outdated:
            await parts.index.at_least(outdated.revision)
    await judging.prepare()
    return await commit(partial(judging.decide, is_last=True), parts)


async def catch_up(index: Index, revision: int, *, is_last: bool) -> None:
    """Have the index as new as a transaction asks for.

    Raises:
        Outdated: It is older, and this is not the last try.
    """
    if index.revision < revision and not is_last:
        raise Outdated(revision)
    await index.at_least(revision)


class Made:
    """A match that is made of what is in force: nothing of it is judged, but it may be refused."""

    def __init__(self, make: Callable[[], TriggerMatch], index: Index) -> None:
        self._make, self._index = make, index
        self._revision = -1
        self._match: TriggerMatch | None = None

    async def prepare(self) -> None:
        """Make it of the automations as they are now. Raises what the making raises."""
        await self._index.refresh()
        self._current()

    async def match(self, tx: Transaction, *, is_last: bool) -> TriggerMatch:
        """Give it as the transaction has to have it.

        Raises:
            Outdated: The automations have changed since, and this is not the last try.
        """
        await catch_up(self._index, await tx.revision(), is_last=is_last)
        return self._current()

    def _current(self) -> TriggerMatch:
        if self._match is None or self._revision != self._index.revision:
            self._match, self._revision = self._make(), self._index.revision
        return self._match
