"""What is allowed and probably not meant."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from lockstep.definition import names, signs
from lockstep.definition.reach import unreachable
from lockstep.definition.references import names_in
from lockstep.definition.tree import Path, actions, called, texts
from lockstep.model.secrets import names_in as names_of_secrets
from lockstep.model.secrets import texts_in
from lockstep.model.types import Catalog, Schema
from lockstep.render import Renderer
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.definition import Definition

# Where one of these stands, `properties` does not name all fields.
_MORE_FIELDS: Final = ("patternProperties", "allOf", "anyOf", "oneOf", "$ref", "if")
# A request to the subject of an event is taken as the event, too.
_PUBLISHING: Final = ("nats.publish", "nats.request")


def of(definition: Definition, catalog: Catalog, renderer: Renderer) -> Iterator[Issue]:
    """Give all warnings of a definition; they never refuse it."""
    yield from _payload_fields(definition, catalog, renderer)
    for path, message in unreachable(definition.actions, ("actions",)):
        yield Issue(path=list(path), message=message)
    yield from _self_starts(definition)
    yield from _secrets(definition, catalog)
    yield from names.misplaced(definition, catalog, renderer)
    yield from signs.warned(definition, catalog, renderer)


def _secrets(definition: Definition, catalog: Catalog) -> Iterator[Issue]:
    """Warn of secrets in fields that take none: the action is handed the text as it stands."""
    for path, action in actions(definition.actions, ("actions",)):
        call = called(action)
        kind = catalog.action(call.action) if call else None
        if call is None or kind is None:
            continue
        for place, text in texts_in(call.config):
            if names_of_secrets(text) and not kind.takes_secrets(place):
                yield Issue(
                    path=[*path, "config", *place[:1]],
                    message=f"'{call.action}' takes no secret in `{'.'.join(place)}`",
                    hint='fields that do are marked `"x-secret": true` in the config schema',
                )


def _payload_fields(
    definition: Definition, catalog: Catalog, renderer: Renderer
) -> Iterator[Issue]:
    """Warn of payload fields that the schema of no possible trigger has."""
    events = sorted({trigger.event for trigger in definition.triggers})
    for text in texts(definition, catalog):
        for reference in sorted(names_in(text, renderer), key=str):
            own = reference[:1] == ("run_scope",) and text.event is not None
            names = reference[1:] if own else reference
            if names[:2] != ("trigger", "payload") or len(names) < 3:
                continue
            possible = [text.event] if text.event is not None and not own else events
            missing = _missing_in_all([_payload(event, catalog) for event in possible], names[2:])
            if missing is not None:
                name, known = missing
                near = get_close_matches(name.rpartition(".")[2], known, 1)
                yield Issue(
                    path=list(text.path),
                    message=f"the payload has no field `{name}`",
                    hint=f"did you mean `{near[0]}`?" if near else None,
                )


def _payload(event: str, catalog: Catalog) -> Json:
    kind = catalog.trigger(event)
    schema: Schema | None = kind.payload_schema if kind else None
    return None if schema is None else schema.document


def _missing_in_all(schemas: Sequence[Json], names: Path) -> tuple[str, list[str]] | None:
    """Give the field that no schema has, and the fields that stand where it might."""
    found = [_missing(schema, names) for schema in schemas]
    places = [place for place in found if place is not None]
    if len(places) < len(found) or not places:
        return None
    depth = max(depth for depth, _ in places)
    known = {name for at, fields in places if at == depth for name in fields}
    return ".".join(str(name) for name in names[: depth + 1]), sorted(known)


def _missing(schema: Json, names: Path) -> tuple[int, Sequence[str]] | None:
    """Say at which name a schema has no such field, and which it has; None where it may have."""
    for depth, name in enumerate(names):
        fields = _fields(schema)
        if fields is None:
            return None
        if name not in fields:
            return depth, list(fields)
        schema = fields[str(name)]
    return None


def _fields(schema: Json) -> JsonObject | None:
    """Give the fields of an object, None where it may have any."""
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        return None
    if schema.get("additionalProperties") not in (None, False):
        return None
    if any(keyword in schema for keyword in _MORE_FIELDS):
        return None
    fields: JsonObject = schema["properties"]
    return fields


def _self_starts(definition: Definition) -> Iterator[Issue]:
    """Warn of an automation that publishes an event that starts it."""
    events = {trigger.event for trigger in definition.triggers}
    disabled: Path | None = None
    for path, action in actions(definition.actions, ("actions",)):
        if disabled is not None and path[: len(disabled)] == disabled:
            continue
        if not action.enabled:
            disabled = path
            continue
        call = called(action)
        if call is None or call.action not in _PUBLISHING:
            continue
        subject = call.config.get("subject")
        if not isinstance(subject, str) or "{{" in subject:
            continue
        event = subject.partition(".trigger.")[2]
        if event in events:
            yield Issue(
                path=[*path, "config", "subject"],
                message=f"it publishes '{event}', which starts it again",
                hint="the hop limit ends such a chain; a filter on the trigger is better",
            )
