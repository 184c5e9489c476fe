"""What is kept for holds goes once nothing needs it: no older event can come any more."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from lockstep import matching
from lockstep import schedule as schedules
from lockstep.model.ids import uuid7
from lockstep.model.timers import Holder, OldHolder
from lockstep.pipeline.parts import PipelineParts
from lockstep.ports.unhandled import Question, Unhandled

OLD: Final = timedelta(minutes=1)  # until then it mostly goes with its hold
AT_ONCE: Final = 100  # events: their holders are locked together


class OldHolders(Protocol):
    """The holders for which something is kept."""

    async def old(
        self, before: datetime, after: OldHolder | None, limit: int
    ) -> Sequence[OldHolder]:
        """Find those with events of before a time, behind one of them. Raise Unavailable."""
        ...


class HoldUpkeep:
    """Drops events of holds; any number of replicas may do so at the same time."""

    def __init__(self, rows: OldHolders, unhandled: Unhandled, parts: PipelineParts) -> None:
        self._rows, self._unhandled, self._parts = rows, unhandled, parts

    async def compact(self) -> None:
        """Go once through all that is old; it rests as long as it works.

        Raises:
            Unavailable: The store or the stream is away; nothing more is dropped.
        """
        before = self._parts.clock.now() - OLD
        last: OldHolder | None = None
        seen = set[Holder]()
        while True:
            began = time.monotonic()
            page = await self._rows.old(before, last, AT_ONCE)
            holders = list(dict.fromkeys(one.holder for one in page if one.holder not in seen))
            seen.update(holders)
            if holders:
                await self._compact(holders, before)
            if len(page) < AT_ONCE:
                return
            last = page[-1]
            await asyncio.sleep(time.monotonic() - began)

    async def _compact(self, holders: Sequence[Holder], until: datetime) -> None:
        """Drop what is needless of some; those that are held up come again next time."""
        index = self._parts.index
        await index.refresh()  # by now it has all that these were kept for
        unread = index.unreadable()
        asked, gone, free = dict[Holder, Question](), list[Holder](), list[Holder]()
        for holder in holders:
            automation = index.automation(holder.automation_id)
            rule = None
            if automation is not None:
                rule = matching.holds.rule_of(automation, holder.trigger_id)
            if holder.automation_id in unread:
                continue
            if rule is None:
                gone.append(holder)
            elif rule.event in schedules.KINDS:  # it does not come over the stream
                free.append(holder)
            else:
                asked[holder] = Question(
                    id=uuid7(), event_id=rule.event, context_key=holder.context_key, until=until
                )
        held_up = await self._unhandled.held_up([*asked.values()]) if asked else {}
        free += [holder for holder, question in asked.items() if question.id not in held_up]
        await self._drop(free, gone, until)

    async def _drop(self, free: Sequence[Holder], gone: Sequence[Holder], until: datetime) -> None:
        if not free and not gone:
            return
        async with self._parts.transactions.transaction() as tx:
            holders = [*free, *gone]
            await tx.lock_keys(sorted(map(matching.holds.lock_name, holders)))
            await tx.lock_automations(sorted({one.automation_id for one in holders}))
            known = await tx.held_events(holders)
            await tx.change_holds(matching.holds.compacted(known, gone, until))
