"""The endpoint `runs.start`: a run that a person or a program asks for."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import msgspec
from msgspec import UNSET

from lockstep.control.errors import bad_field, check_automation_id, not_found
from lockstep.model.catalog import Catalog
from lockstep.model.ids import uuid7
from lockstep.model.matches import Birth, Hit
from lockstep.model.program import TriggerRule
from lockstep.model.runs import Automation, Event
from lockstep.ports import Clock
from lockstep_schemas.api import RunStart, RunStarted
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import RunStatus

PATIENCE_SECONDS: Final = 5.0
NO_MORE: Final = frozenset({"success", "failed", "cancelled", "skipped", "waiting"})

Start = Callable[[str, Callable[[Automation | None], Hit]], Awaitable[list[Birth]]]


class Told(Protocol):
    """The run events of an automation, as they are told."""

    async def status(self, run_id: str) -> RunStatus:
        """Wait until a run tells a status in which nothing of it executes."""
        ...


class Runs(Protocol):
    """The stored runs."""

    async def status(self, run_id: str) -> RunStatus:
        """Give the status of a run."""
        ...


class StartEndpoint:
    """Starts runs: filter, window, hold and conditions are passed over, the mode is honoured."""

    def __init__(
        self,
        start: Start,
        follow: Callable[[str], AbstractAsyncContextManager[Told]],
        runs: Runs,
        catalog: Catalog,
        clock: Clock,
    ) -> None:
        self._start, self._follow, self._runs = start, follow, runs
        self._catalog, self._clock = catalog, clock

    async def start(self, request: RunStart, actor: Actor | None) -> RunStarted:
        """Start a run, and wait up to 5 s until nothing of it executes."""
        check_automation_id(request.automation_id)

        def hit(automation: Automation | None) -> Hit:
            if automation is None:
                raise not_found("enabled automation", request.automation_id)
            trigger = _trigger(automation, request.trigger_id)
            return Hit(self._event(request, trigger, actor), automation, trigger)

        async with self._follow(request.automation_id) as told:
            births = await self._start(request.automation_id, hit)
            if not births:
                raise not_found("enabled automation", request.automation_id)
            (birth,) = births
            run_id = str(birth.id)
            if birth.queued or birth.status in NO_MORE:
                return RunStarted(run_id, birth.status)
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    return RunStarted(run_id, await told.status(run_id))
            except TimeoutError:
                return RunStarted(run_id, await self._runs.status(run_id))

    def _event(self, request: RunStart, trigger: TriggerRule, actor: Actor | None) -> Event:
        kind = self._catalog.trigger(trigger.event)
        if kind is not None and kind.payload_schema is not None:
            faults = kind.payload_schema.faults(request.payload)
            if faults:
                place = ".".join(["payload", *(str(part) for part in faults[0].path)])
                message = f"{place}: {faults[0].message}"
                raise bad_field(message, "payload", *faults[0].path)
        key = request.context_key
        if key is UNSET:
            extract = kind.context_key if kind is not None else None
            key = extract(request.payload) if extract is not None else None
        return Event(
            id=trigger.event,
            payload=request.payload,
            body=msgspec.json.encode(request.payload),
            delivery=f"manual:{uuid7()}",
            message_id=None,
            context_key=key or None,
            actor=request.actor or actor or Actor(),
            hop=0,
            time=self._clock.now(),
            sequence=0,
        )


def _trigger(automation: Automation, trigger_id: str | None) -> TriggerRule:
    triggers = automation.program.triggers
    if trigger_id is None:
        return triggers[0]
    for trigger in triggers:
        if trigger.id == trigger_id:
            return trigger
    known = ", ".join(trigger.id for trigger in triggers)
    message = f"automation '{automation.id}' has no trigger '{trigger_id[:64]}', but {known}"
    raise bad_field(message, "trigger_id")
