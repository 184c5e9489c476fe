"""What is allowed and probably not meant."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from lockstep.definition.references import names_in
from lockstep.definition.tree import Path, actions, bodies, texts
from lockstep.model.catalog import Catalog, Schema
from lockstep.model.secrets import names_in as names_of_secrets
from lockstep.model.secrets import texts_in
from lockstep.render import Renderer
from lockstep_schemas.actions import Action, Guard, ProviderAction, Stop
from lockstep_schemas.api import Issue
from lockstep_schemas.definition import Definition

# Where one of these stands, `properties` does not name all fields.
_MORE_FIELDS: Final = ("patternProperties", "allOf", "anyOf", "oneOf", "$ref", "if")


def of(definition: Definition, catalog: Catalog, renderer: Renderer) -> Iterator[Issue]:
    """Give all warnings of a definition; they never refuse it."""
    yield from _payload_fields(definition, catalog, renderer)
    yield from _unreachable(definition.actions, ("actions",))
    yield from _self_starts(definition)
    yield from _secrets(definition, catalog)


def _secrets(definition: Definition, catalog: Catalog) -> Iterator[Issue]:
    """Warn of secrets in fields that take none: the action is handed the text as it stands."""
    for path, action in actions(definition.actions, ("actions",)):
        kind = catalog.action(action.action) if isinstance(action, ProviderAction) else None
        if kind is None or not isinstance(action, ProviderAction):
            continue
        for place, text in texts_in(action.config):
            if names_of_secrets(text) and not kind.takes_secrets(place):
                yield Issue(
                    path=[*path, "config", *place[:1]],
                    message=f"'{action.action}' takes no secret in `{'.'.join(place)}`",
                    hint='fields that do are marked `"x-secret": true` in the config schema',
                )


def _payload_fields(
    definition: Definition, catalog: Catalog, renderer: Renderer
) -> Iterator[Issue]:
    """Warn of payload fields that the schema of no possible trigger has."""
    events = sorted({trigger.event for trigger in definition.triggers})
    for text in texts(definition):
        schemas = [_payload(event, catalog) for event in ([text.event] if text.event else events)]
        if any(schema is None for schema in schemas):
            continue
        known = sorted({name for schema in schemas if schema for name in schema})
        for reference in sorted(names_in(text, renderer)):
            if reference[:2] != ("trigger", "payload") or len(reference) < 3:
                continue
            if reference[2] not in known:
                near = get_close_matches(str(reference[2]), known, 1)
                yield Issue(
                    path=list(text.path),
                    message=f"the payload has no field `{reference[2]}`",
                    hint=f"did you mean `{near[0]}`?" if near else None,
                )


def _payload(event: str, catalog: Catalog) -> Sequence[str] | None:
    """Give the fields of a payload, None where it may have any."""
    kind = catalog.trigger(event)
    schema: Schema | None = kind.payload_schema if kind else None
    if schema is None:
        return None
    document = schema.document
    fields = document.get("properties")
    if not isinstance(fields, dict) or document.get("additionalProperties") not in (None, False):
        return None
    if any(keyword in document for keyword in _MORE_FIELDS):
        return None
    return list(fields)


def _unreachable(some: Sequence[Action], path: Path) -> Iterator[Issue]:
    """Warn of what stands after an action that always ends its list."""
    ended = False
    for index, action in enumerate(some):
        place = (*path, index)
        if ended:
            message = "never reached: the action before always ends the run"
            yield Issue(path=list(place), message=message)
            return
        for inner, where in bodies(action):
            if where == ("parallel",):
                for branch, one in enumerate(inner):
                    yield from _in_branch(one, (*place, *where, branch))
            else:
                yield from _unreachable(inner, (*place, *where))
        ended = action.enabled and (
            isinstance(action, Stop)
            or (
                isinstance(action, Guard)
                and isinstance(action.condition, str)
                and action.condition.strip() == "false"
                and not action.continue_on_error
            )
        )


def _in_branch(action: Action, path: Path) -> Iterator[Issue]:
    for inner, where in bodies(action):
        yield from _unreachable(inner, (*path, *where))


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
        if not isinstance(action, ProviderAction) or action.action != "nats.publish":
            continue
        subject = action.config.get("subject")
        if not isinstance(subject, str) or "{{" in subject:
            continue
        event = subject.partition(".trigger.")[2]
        if event in events:
            yield Issue(
                path=[*path, "config", "subject"],
                message=f"it publishes '{event}', which starts it again",
                hint="the hop limit ends such a chain; a filter on the trigger is better",
            )
