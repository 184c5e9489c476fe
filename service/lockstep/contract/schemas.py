"""The JSON Schemas: one document for each thing that crosses the edge."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from lockstep import control
from lockstep.contract import case_file
from lockstep.contract.automations import CASES
from lockstep.contract.builder import Builder, Schema
from lockstep.contract.examples import EXAMPLES
from lockstep.contract.known import KnownTypes, teach
from lockstep.contract.language import ADDITIONS, SPECIALS
from lockstep.definition.documents import TYPES
from lockstep_schemas.api import Fault
from lockstep_schemas.base import JsonObject
from lockstep_schemas.definition import AutomationDocument, Definition
from lockstep_schemas.headers import (
    DeadLetterHeaders,
    ErrorHeaders,
    EventHeaders,
    RequestHeaders,
    RunEventHeaders,
)
from lockstep_schemas.notify import NotifyReply, NotifyRequest
from lockstep_schemas.registration import ActionRegister, TriggerRegister
from lockstep_schemas.remote import ActionDone, ActionReply, ActionRequest
from lockstep_schemas.run_events import AutomationEvent, RunEvent
from lockstep_schemas.secrets import SecretReply, SecretRequest

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

TAKEN: Final[Mapping[str, type[msgspec.Struct]]] = {
    "definition": Definition,
    "event-headers": EventHeaders,
    "trigger-registration": TriggerRegister,
    "action-registration": ActionRegister,
    "action-reply": ActionReply,
    "action-done": ActionDone,
    "notify-reply": NotifyReply,
    "secret-reply": SecretReply,
    "api-request-headers": RequestHeaders,
}
"""What the engine reads."""

GIVEN: Final[Mapping[str, type[msgspec.Struct]]] = {
    "run-event": RunEvent,
    "automation-event": AutomationEvent,
    "dead-letter-headers": DeadLetterHeaders,
    "run-event-headers": RunEventHeaders,
    "action-request": ActionRequest,
    "secret-request": SecretRequest,
    "notify-request": NotifyRequest,
    "api-error": Fault,
    "api-error-headers": ErrorHeaders,
}
"""What the engine writes."""

CASE_FILE: Final = "case-file"
AUTOMATION: Final = "automation-document"
LANGUAGE: Final = ("definition", AUTOMATION, CASE_FILE)
"""What authors keep to."""


def schemas(known: KnownTypes | None = None) -> Mapping[str, Schema]:
    """Give all documents by name; those that authors keep to know these types."""
    made = dict(_all())
    if known is not None:
        for name in LANGUAGE:
            teach(made[name]["$defs"], known)
            made[name]["$defs"] = dict(sorted(made[name]["$defs"].items()))
    return made


def request_of(endpoint: str) -> str:
    """Name the schema of the requests of an endpoint."""
    return f"api.{endpoint}.request"


def reply_of(endpoint: str) -> str:
    """Name the schema of the replies of an endpoint."""
    return f"api.{endpoint}.reply"


def schema(name: str, kind: type[msgspec.Struct], *, taken: bool) -> Schema:
    """Give the document of one struct."""
    builder = Builder(taken=taken, specials=SPECIALS, additions=ADDITIONS)
    return document(name, builder.struct(kind), builder.defs, EXAMPLES.get(kind, []))


def document(
    name: str, body: Schema, defs: Mapping[str, Schema], examples: list[JsonObject]
) -> Schema:
    """Put what every document has around the schema of a thing."""
    made: Schema = {"$schema": DIALECT, "$id": f"urn:lockstep:{name}", "title": title(name), **body}
    if defs:
        made["$defs"] = {key: defs[key] for key in sorted(defs)}
    if examples:
        made["examples"] = examples
    return made


def title(name: str) -> str:
    """Write the name of a document as people do."""
    if name.startswith("api."):
        endpoint, _, side = name.removeprefix("api.").rpartition(".")
        return f"{side.title()} of {endpoint}"
    return name.replace("-", " ").replace("api", "API").capitalize().replace("Api", "API")


def _all() -> Iterator[tuple[str, Schema]]:
    for name, kind in TAKEN.items():
        yield name, schema(name, kind, taken=True)
    for name, kind in GIVEN.items():
        yield name, schema(name, kind, taken=False)
    builder = _builder()
    examples = [*EXAMPLES[AutomationDocument], *EXAMPLES[Definition]]
    yield AUTOMATION, document(AUTOMATION, _automation(builder), builder.defs, examples)
    builder = _builder()
    yield CASE_FILE, document(CASE_FILE, case_file.schema(builder), builder.defs, [CASES])
    for endpoint, sides in control.table().items():
        request, reply = request_of(endpoint), reply_of(endpoint)
        yield request, schema(request, sides.request, taken=True)
        yield reply, schema(reply, sides.reply, taken=False)


def _builder() -> Builder:
    return Builder(taken=True, specials=SPECIALS, additions=ADDITIONS, words=case_file.WORDS)


def _automation(builder: Builder) -> Schema:
    """A definition alone, or with its frame, or types, as `lockstep apply` tells them."""
    return {
        "description": "As `lockstep apply` takes it: a definition, with a frame around it or not; "
        "or types of triggers.",
        "type": "object",
        "if": {"required": [TYPES]},
        "then": _types(builder),
        "else": {
            "if": {"required": ["triggers"], "not": {"required": ["definition"]}},
            "then": builder.of(Definition),
            "else": builder.of(AutomationDocument),
        },
    }


def _types(builder: Builder) -> Schema:
    """Types of triggers as files have them: what is applied belongs to `apply`."""
    one = builder.of(TriggerRegister)
    del builder.defs["TriggerRegister"]["properties"]["owner"]
    every = {"description": "Each as the API takes it.", "type": "array", "items": one}
    return {"properties": {TYPES: every}, "additionalProperties": False}
