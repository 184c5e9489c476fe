"""Runs that steps of other runs start."""

from uuid import UUID

import msgspec

from lockstep.model.errors import EngineError
from lockstep_schemas.base import JsonObject
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import RunStatus


class Parent(msgspec.Struct, frozen=True):
    """The step of a run that has started another run."""

    run_id: UUID
    path: str
    cancels: bool  # the other one with it


class ChildWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a step asks for."""

    automation: str  # id, or name
    payload: JsonObject
    parent: Parent
    context_key: str | None
    actor: Actor
    hop: int
    traceparent: str | None


class Child(msgspec.Struct, frozen=True):
    """A run that a step has started, and how it is now."""

    run_id: UUID
    status: RunStatus


class ChildRefused(EngineError):
    """A run cannot be started by a step: its automation is not there, or the chain is too long."""

    code = "child.refused"
    category = "conflict"
    advice = "See that the automation is there and enabled, and that runs do not start each other."
