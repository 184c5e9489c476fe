"""The endpoint `runs.start`: a run that a person or a program asks for."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import msgspec
from msgspec import UNSET

from lockstep.control.errors import AutomationNotEnabled, bad_field, check_automation_id
from lockstep.model.automations import Automation
from lockstep.model.errors import Unavailable
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.matches import TriggerMatch
from lockstep.model.new_runs import NewRun
from lockstep.model.program import TriggerRule
from lockstep.model.texts import path_text
from lockstep.model.types import Catalog
from lockstep.ports.clock import Clock
from lockstep.ports.pipeline import ByHand
from lockstep.schedule import with_tick
from lockstep_schemas.api import RunStart, RunStarted
from lockstep_schemas.depth import MAX_DEPTH, nests_deeper
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import RunStatus

# Well within the 15 s of the command line; then it is told as it stands.
PATIENCE_SECONDS: Final = 5.0
NO_MORE: Final = frozenset({"success", "failed", "cancelled", "skipped", "waiting"})


class RunEventFeed(Protocol):
    """The run events of an automation, as they are told."""

    async def status(self, run_id: str) -> RunStatus:
        """Wait until a run tells a status in which nothing of it executes."""
        ...


class RunStatuses(Protocol):
    """The stored runs."""

    async def status(self, run_id: str) -> RunStatus:
        """Give the status of a run."""
        ...


class StartEndpoint:
    """Starts runs: filter, window, hold and conditions are passed over, the mode is honoured."""

    def __init__(
        self,
        by_hand: ByHand,
        follow: Callable[[str], AbstractAsyncContextManager[RunEventFeed]],
        runs: RunStatuses,
        catalog: Catalog,
        clock: Clock,
    ) -> None:
        self._by_hand, self._follow, self._runs = by_hand, follow, runs
        self._catalog, self._clock = catalog, clock

    async def start(self, request: RunStart, actor: Actor | None) -> RunStarted:
        """Start a run, and wait up to 5 s until nothing of it executes."""
        check_automation_id(request.automation_id)

        def match(automation: Automation | None) -> TriggerMatch:
            if automation is None:
                raise AutomationNotEnabled(request.automation_id)
            trigger = _trigger(automation, request.trigger_id)
            return TriggerMatch(self._event(request, trigger, actor), automation, trigger)

        async with self._follow(request.automation_id) as feed:
            new_runs = await self._by_hand.start(request.automation_id, match)
            if not new_runs:
                raise AutomationNotEnabled(request.automation_id)
            (new_run,) = new_runs
            run_id = str(new_run.id)
            if new_run.queued or new_run.status in NO_MORE:
                return RunStarted(run_id, new_run.status)
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    return RunStarted(run_id, await feed.status(run_id))
            except (TimeoutError, Unavailable):
                return RunStarted(run_id, await self._state_of(new_run))

    async def _state_of(self, new_run: NewRun) -> RunStatus:
        """Give the status of a run that is started, whatever is away now."""
        try:
            return await self._runs.status(str(new_run.id))
        except Unavailable:
            return new_run.status

    def _event(self, request: RunStart, trigger: TriggerRule, actor: Actor | None) -> Event:
        if nests_deeper(request.payload, MAX_DEPTH):
            raise bad_field(f"payload: nests deeper than {MAX_DEPTH} levels", "payload")
        now = self._clock.now()
        payload = with_tick(trigger.event, request.payload, now)
        kind = self._catalog.trigger(trigger.event)
        if kind is not None and kind.payload_schema is not None:
            faults = kind.payload_schema.faults(payload)
            if faults:
                place = path_text(["payload", *faults[0].path])
                message = f"{place}: {faults[0].message}"
                raise bad_field(message, "payload", *faults[0].path)
        key = request.context_key
        if key is UNSET:
            extract = kind.context_key if kind is not None else None
            key = extract(payload) if extract is not None else None
        return Event(
            id=trigger.event,
            payload=payload,
            body=msgspec.json.encode(payload),
            delivery=f"manual:{uuid7()}",
            message_id=None,
            context_key=key or None,
            actor=request.actor or actor or Actor(),
            hop=0,
            time=now,
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
