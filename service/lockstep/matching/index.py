"""Which automations ask for an event: an index in memory, with the revision that it shows."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

import structlog

from lockstep.model.automations import (
    Automation,
    DefinitionLost,
    DefinitionUnreadable,
    Head,
    StoredDefinition,
)
from lockstep.model.errors import EngineError
from lockstep.model.program import Program, TriggerRule
from lockstep.model.texts import some_of
from lockstep.ports.matching import AutomationSource
from lockstep_schemas.base import Json

OLD_PROGRAMS: Final = 256  # as many as a replica walks runs by default: each may be of another

_EVENT: Final = re.compile(r'"event"\s*:\s*"([^"\\]+)"')

log = structlog.get_logger()

Compile = Callable[[StoredDefinition], Program]
Entry = tuple[Automation, TriggerRule]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An enabled automation that this replica cannot compile: why, and what it asks for."""

    name: str
    reason: str
    events: Set[str]


class Index:
    """Enabled automations by the events of their triggers."""

    def __init__(
        self,
        source: AutomationSource,
        compile_definition: Compile,
        refresh_types: Callable[[], Awaitable[None]],
    ) -> None:
        self._source, self._compile = source, compile_definition
        self._refresh_types = refresh_types
        self._revision = -1
        self._automations: dict[str, Automation] = {}
        self._by_event: dict[str, list[Entry]] = {}
        self._by_name: dict[str, list[Automation]] = {}
        self._unreadable: dict[str, Unreadable] = {}
        self._looked_back: Set[str] = frozenset()
        self._old: OrderedDict[tuple[str, int], Program] = OrderedDict()
        self._reloading = asyncio.Lock()

    @property
    def revision(self) -> int:
        """The revision of the automations that this index shows; -1 before the first load."""
        return self._revision

    def entries(self, event_id: str) -> Sequence[Entry]:
        """Triggers on an event: automations by creation, triggers as defined."""
        return self._by_event.get(event_id, ())

    def automation(self, automation_id: str) -> Automation | None:
        """Give an automation as it is in force now; None if it is disabled or gone."""
        return self._automations.get(automation_id)

    def automations(self) -> Sequence[Automation]:
        """Give all enabled automations."""
        return [*self._automations.values()]

    def named(self, name: str) -> Sequence[Automation]:
        """Give the enabled automations of a name."""
        return self._by_name.get(name, ())

    def unreadable(self) -> Mapping[str, str]:
        """Give the enabled automations that this replica cannot compile, each with the reason."""
        return {one: found.reason for one, found in self._unreadable.items()}

    def unreadable_as(self, name: str) -> Mapping[str, str]:
        """Give the one of them that has this id, else those of this name, each with the reason."""
        if name in self._unreadable:
            return {name: self._unreadable[name].reason}
        return {one: bad.reason for one, bad in self._unreadable.items() if bad.name == name}

    def unreadable_for(self, event_id: str) -> list[tuple[str, str]]:
        """Give those of them that ask for an event, each with the reason."""
        return [
            (one, found.reason)
            for one, found in self._unreadable.items()
            if event_id in found.events
        ]

    def looks_back_on(self, event_id: str) -> bool:
        """Say whether a wait of some version, in force or not, may look back on such events."""
        return event_id in self._looked_back

    async def at_least(self, revision: int) -> None:
        """Load what has changed where the index is older than `revision`.

        Raises:
            Unavailable: The store does not answer.
        """
        if self._revision >= revision:
            return
        async with self._reloading:
            if self._revision < revision:
                await self._reload()

    async def refresh(self) -> None:
        """Load what has changed, if anything has. Raise Unavailable."""
        await self.at_least(await self._source.revision())

    async def program(self, automation_id: str, version: int) -> Program:
        """Give the compiled definition that a run is pinned to.

        Raises:
            DefinitionLost: It is gone.
            DefinitionUnreadable: This engine cannot compile it.
            Unavailable: The store does not answer.
        """
        current = self._automations.get(automation_id)
        if current is not None and current.version == version:
            return current.program
        key = (automation_id, version)
        if key not in self._old:
            found = await self._source.definitions([key])
            if key not in found:
                raise DefinitionLost(
                    f"automation {automation_id} v{version} is not stored any more"
                )
            self._old[key] = self._compiled(automation_id, version, found[key])
            while len(self._old) > OLD_PROGRAMS:
                self._old.popitem(last=False)
        return self._old[key]

    async def _reload(self) -> None:
        revision, heads = await self._source.heads()
        looked_back = await self._source.looked_back()  # of this revision, or of a later one
        await self._refresh_types()  # the revision is that of both, and types come first
        enabled = [head for head in heads if head.enabled]
        changed = [head for head in enabled if self._known(head) is None]
        found = await self._source.definitions([(head.id, head.version) for head in changed])
        automations: dict[str, Automation] = {}
        unreadable: dict[str, Unreadable] = {}
        refused: dict[str, DefinitionUnreadable] = {}
        for head in enabled:
            known = self._known(head)
            if known is not None:
                program = known.program
            elif (head.id, head.version) in found:
                await asyncio.sleep(0)  # others have their turn: a thousand may have changed
                stored = found[head.id, head.version]
                try:
                    program = self._compiled(head.id, head.version, stored)
                except DefinitionUnreadable as error:
                    refused[head.id] = error
                    asked = events_of(stored.definition)
                    unreadable[head.id] = Unreadable(head.name, str(error), asked)
                    continue
            else:  # deleted between the two reads: the next reload will not list it
                continue
            automations[head.id] = Automation(
                id=head.id,
                name=head.name,
                version=head.version,
                position=head.position,
                program=program,
            )
        # No await from here on: whoever reads sees the index of before, or all of the new one.
        _tell({one: error for one, error in refused.items() if one not in self._unreadable})
        self._automations, self._unreadable = automations, unreadable
        self._looked_back = looked_back
        self._old.clear()
        self._by_event = _by_event(automations.values())
        self._by_name = {}
        for automation in automations.values():
            self._by_name.setdefault(automation.name, []).append(automation)
        self._revision = revision
        log.info("automations.loaded", revision=revision, enabled=len(automations))

    def _known(self, head: Head) -> Automation | None:
        """Give what is loaded of an automation, if it is that one, in that version.

        An id can be deleted and made anew: its versions begin again, its position is another.
        """
        known = self._automations.get(head.id)
        if known is None or (known.version, known.position) != (head.version, head.position):
            return None
        return known

    def _compiled(self, automation_id: str, version: int, definition: StoredDefinition) -> Program:
        try:
            return self._compile(definition)
        except Exception as error:
            raise DefinitionUnreadable(
                f"automation {automation_id} v{version} cannot be read by this engine: {error}"
            ) from error


def _tell(refused: Mapping[str, DefinitionUnreadable]) -> None:
    """Tell of what cannot be compiled: of many in one line, since each costs the loop its time.

    With a traceback only where it was raised for a reason that nobody has thought of.
    """
    if refused:
        first, *_ = refused.values()
        odd = [e for e in refused.values() if not isinstance(e.__cause__, EngineError)]
        log.error(
            "automation.unreadable", number=len(refused), automation_ids=some_of(refused),
            error=first, exc_info=odd[0] if odd else None,
        )  # fmt: skip


def events_of(definition: Json) -> frozenset[str]:
    """Give the events that a definition asks for which cannot be compiled, as far as can be told.

    Of one that is not even JSON these are all texts that stand where an event would: what is asked
    too much finds nothing to start.
    """
    if isinstance(definition, str):
        return frozenset(_EVENT.findall(definition))
    triggers = definition.get("triggers") if isinstance(definition, dict) else None
    return frozenset(
        one["event"]
        for one in (triggers if isinstance(triggers, list) else ())
        if isinstance(one, dict) and isinstance(one.get("event"), str)
    )


def _by_event(automations: Iterable[Automation]) -> dict[str, list[Entry]]:
    index: dict[str, list[Entry]] = {}
    ordered = sorted(automations, key=lambda automation: automation.position)
    for automation in ordered:
        for trigger in automation.program.triggers:
            index.setdefault(trigger.event, []).append((automation, trigger))
    return index
