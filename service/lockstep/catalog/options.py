"""What authors of plug-ins may say of triggers and actions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, TypedDict

import msgspec

from lockstep.catalog.context_keys import ContextKey
from lockstep.model.types import ConfigFaults, Migrate
from lockstep_schemas.base import JsonObject

Shape: TypeAlias = type[msgspec.Struct] | JsonObject
"""What a value looks like: a msgspec struct, or a JSON Schema."""

Filter: TypeAlias = Callable[..., object]
"""A template filter: called with the value before the `|`, then with its arguments."""


class TriggerOptions(TypedDict, total=False):
    """What may be said of a trigger; every key may be left out."""

    payload: Shape
    """What the payload looks like; unknown keys are let through."""
    config: Shape
    """What an automation may set on it, checked strictly; anything if left out."""
    context_key: ContextKey
    """Where the key lies in the payload: a JSON Pointer (`/incidentId`), a bare expression over
    the payload (`incident.id`), or a function of the payload."""
    bus: bool
    """Whether services publish it; if left out, they do unless there is a `setup`."""
    setup: Callable[..., object]
    """`setup(config, identity, fire, logger)`, called for each (enabled automation, trigger);
    returns what tears it down."""
    display_name: str
    """For people; made of the id if left out."""
    description: str
    category: str


class ActionOptions(TypedDict, total=False):
    """What may be said of an action; every key may be left out."""

    config: Shape
    """What it takes. A struct refuses unknown keys; without it, any object is taken."""
    config_version: int
    """Of the config; 1 if left out. What is stored says of which version it was when stored."""
    migrations: Mapping[int, Migrate]
    """For each version below: what makes the config of the next of it, after rendering."""
    config_faults: ConfigFaults
    """Says, when an automation is saved, what is wrong with a config beyond its schema: pairs of a
    field and a message. What is templated has its braces still."""
    produces: str
    """Local name of the artifact type that a success brings."""
    consumes: Sequence[str]
    """Local names of the artifact types that it is handed, as far as there are any."""
    closes: Sequence[str]
    """Those of `consumes` that a success closes."""
    timeout_seconds: float
    """Above 0, at most 86400; 300 if left out."""
    retry_safe: bool
    """False: calling it twice with one idempotency key does harm. True if left out."""
    follow_up: Literal["remote", "child"]
    """`remote`: a call may answer `ActionResult(accepted=True)`; the result follows as the event
    `lockstep.action.done` with the idempotency key, within the time of the step. (`child`: it is
    the end of a run that the step has started.)"""
    code_fields: Iterable[str]
    """Fields of the config that hold source code: rendering leaves them alone."""
    display_name: str
    """For people; made of the id if left out."""
    description: str
    """For people; the first line of the function's docstring if left out."""
    category: str
