"""What operators do in a case, and the damage that is done by hand."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from lockstep.cases.expect import Seen
from lockstep.cases.format import OperationEntry, StoredAutomation
from lockstep.model.errors import EngineError
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json

STOP: Final = "stop_engine"
START: Final = "start_engine"
DELETE: Final = "delete_automation"
OPERATIONS: Final = {
    STOP,
    START,
    "disable_automation",
    "enable_automation",
    "update_automation",
    "create_automation",
    DELETE,
    "restart_engine",
    "recover",
    "redeliver",
    "delete_run_state",
    "cancel_run",
    "close_artifact",
    "force_stalled_sweep",
}


class CaseRefused(EngineError):
    """The engine refused an automation of a case."""

    code = "case.refused"
    category = "bad_request"
    advice = "Correct the automation in the case."

    def __init__(self, message: str, issues: Sequence[Issue] = ()) -> None:
        super().__init__(message)
        self.issues = issues


class OperatorWorld(Protocol):
    """What operators, and accidents, can do to an engine."""

    async def store(self, automation: StoredAutomation) -> None:
        """Store an automation. Raise CaseRefused."""
        ...

    async def call(self, endpoint: str, **request: object) -> Json:
        """Call the control API. Raise CaseRefused."""
        ...

    async def redeliver(self, name: str) -> None:
        """Deliver an event again: the very same message."""
        ...

    async def stop(self) -> None:
        """Stop the engine, or find it dead: what is published from now on waits in the stream."""
        ...

    async def start(self) -> None:
        """Start as many workers as there were, and wait until they are idle."""
        ...

    async def advance(self, seconds: float) -> None:
        """Let engine seconds pass, and wait until the engine is idle, if one runs."""
        ...

    async def sweep(self, heartbeat_age_seconds: float, *, mark_running: bool) -> None:
        """Let workers look dead, or runs look executed; one recovery pass follows."""
        ...

    async def lose_state(self) -> None:
        """Do damage: the saved state of all runs is gone."""
        ...

    async def seen(self) -> Seen:
        """Say what the engine has done since the case began."""
        ...


async def operate(entry: OperationEntry, world: OperatorWorld) -> None:
    """Do what an operator does, or the damage."""
    target = entry.automation or "auto-1"
    actions: Mapping[str, Callable[[], Awaitable[object]]] = {
        "disable_automation": lambda: world.call("automations.toggle", id=target, enabled=False),
        "enable_automation": lambda: world.call("automations.toggle", id=target, enabled=True),
        DELETE: lambda: world.call("automations.delete", id=target),
        "update_automation": lambda: world.call(
            "automations.update", id=target, definition=entry.definition
        ),
        "create_automation": lambda: world.store(
            StoredAutomation(id=target, definition=entry.definition)
        ),
        STOP: world.stop,
        START: world.start,
        "restart_engine": lambda: _restart(entry.down_s or 0, world),
        "recover": lambda: _restart(entry.down_s or 0, world),
        "cancel_run": lambda: _cancel(entry.run or 0, world),
        "close_artifact": lambda: _close(entry, world),
        "force_stalled_sweep": lambda: world.sweep(
            entry.heartbeat_age_s or 0, mark_running=bool(entry.mark_running)
        ),
        "delete_run_state": world.lose_state,
        "redeliver": lambda: world.redeliver(str(entry.of or 0)),
    }
    await actions[entry.op]()


async def _restart(down_seconds: float, world: OperatorWorld) -> None:
    """Let no engine run for so many engine seconds."""
    await world.stop()
    await world.advance(down_seconds)
    await world.start()


async def _cancel(index: int, world: OperatorWorld) -> None:
    """Cancel a run, by its place in the order of creation."""
    runs = (await world.seen()).runs
    if index >= len(runs):
        raise CaseRefused(f"cancel_run: there is no run {index}, but {len(runs)}")
    await world.call("runs.cancel", id=runs[index].run.id)


async def _close(entry: OperationEntry, world: OperatorWorld) -> None:
    """Close the artifacts of a type, or those of them that hold a value."""
    made = [artifact for detail in (await world.seen()).runs for artifact in detail.artifacts]
    for artifact in made:
        holds = entry.value is None or entry.value in artifact.data.values()
        if artifact.artifact_type == entry.type and holds:
            await world.call("artifacts.close", id=artifact.id)
