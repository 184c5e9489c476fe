"""Values that stations take, made with what a test says of them and plain defaults for the rest."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from lockstep.definition.compile import compile_program
from lockstep.definition.stored import parse
from lockstep.model.automations import Automation
from lockstep.model.decisions import Candidate
from lockstep.model.events import Event
from lockstep.model.matches import Revival, TriggerMatch
from lockstep.model.outbox import EventRow
from lockstep.model.program import Program
from lockstep.model.runs import Checkpoint, RunState
from lockstep.render import Renderer
from lockstep_schemas.events import Actor

NOW: Final = datetime(2026, 5, 30, 12, tzinfo=UTC)
RENDERER: Final = Renderer()
FAILS: Final = "1 / 0"  # an expression that compiles and cannot be judged


def later(seconds: float = 0.0, *, minutes: float = 0.0) -> datetime:
    """Give a time so long after NOW."""
    return NOW + timedelta(seconds=seconds, minutes=minutes)


def uid(number: int) -> UUID:
    """Give an id; their order is that of the numbers."""
    return UUID(int=number)


def program(**definition: Any) -> Program:
    """Compile a definition; it is triggered by `test.event`, unless it says by what."""
    raw = {"name": "x", "triggers": [{"event": "test.event"}], **definition}
    return compile_program(parse(raw), RENDERER)


def automation(automation_id: str = "a", **definition: Any) -> Automation:
    """Make an automation that is in force."""
    return Automation(
        id=automation_id,
        name=f"name of {automation_id}",
        version=1,
        position=1,
        program=program(**definition),
    )


def triggered(**trigger: Any) -> Automation:
    """Make an automation of one trigger with these fields."""
    return automation(triggers=[{"event": "test.event", **trigger}])


def event(sequence: int = 1, key: str | None = None, **fields: Any) -> Event:
    """Make an event: the n-th of its stream, stored n seconds after NOW."""
    payload = fields.pop("payload", {})
    given = {
        "id": "test.event",
        "payload": payload,
        "body": msgspec.json.encode(payload),
        "delivery": f"EVENTS:{sequence}",
        "message_id": None,
        "context_key": key,
        "actor": Actor(),
        "hop": 0,
        "time": later(sequence),
        "sequence": sequence,
    }
    return Event(**{**given, **fields})


def match(
    of: Automation, what: Event | None = None, revival: Revival | None = None
) -> TriggerMatch:
    """Make a hit: the first trigger of an automation asks for an event."""
    return TriggerMatch(what or event(), of, of.program.triggers[0], revival)


def candidate(of: Automation, what: Event, partition: bytes = b"", **fields: Any) -> Candidate:
    """Make a match of the first trigger of an automation."""
    return Candidate(match(of, what), partition, **fields)


def run_state(number: int = 1, **fields: Any) -> RunState:
    """Make the n-th run, as its worker has it."""
    given = {
        "id": uid(number),
        "automation_id": "a",
        "automation_name": "name of a",
        "version": 1,
        "trigger_id": "test_event",
        "trigger_event_id": "test.event",
        "trigger_payload": {},
        "trigger_time": NOW,
        "message_id": None,
        "hop": 0,
        "actor": Actor(),
        "context_key": None,
        "started_at": NOW,
        "epoch": 1,
    }
    return RunState(**{**given, **fields})


def checkpoint(number: int = 1) -> Checkpoint:
    """Make a checkpoint of the n-th run."""
    return Checkpoint(
        run=run_state(number),
        at=NOW,
        document=b"{}",
        status="running",
        reason=None,
        error=None,
        steps=[],
        events=[],
        artifacts=[],
    )


def row(topic: str = "run", seq: int = 1, created_at: datetime = NOW) -> EventRow:
    """Make an event on its way to the bus."""
    name = f"{topic}:{seq}"
    return EventRow(topic, seq, f"lockstep.run.{topic}", name, name.encode(), created_at)
