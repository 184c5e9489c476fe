"""Everything that is wrong with a definition, and what may be meant otherwise."""

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Final, assert_never

import msgspec

from lockstep import schedule as schedules
from lockstep.definition import names, references, warnings
from lockstep.definition.shape import MAX_FAULTS, Part, Shaper
from lockstep.definition.source import Source, SourceError, read
from lockstep.definition.stored import parse
from lockstep.definition.tree import Path, Text, actions, called, texts
from lockstep.definition.wording import MAX_MESSAGE, short
from lockstep.model.errors import RenderError
from lockstep.model.types import ActionType, Catalog, Schema, SchemaFault
from lockstep.render import Expression, Renderer, Template
from lockstep_schemas.actions import (
    Action,
    ActionBase,
    Choose,
    Delay,
    Guard,
    Parallel,
    ProviderAction,
    Repeat,
    Stop,
    Variables,
    Wait,
)
from lockstep_schemas.actions import Sequence as SequenceAction
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.definition import Definition, Trigger

MOST_SECONDS: Final = 10.0  # some 15,000 expressions: as long as whoever asks waits for it
# Of all faults together: they have to fit into a reply, and NATS takes 1 MiB unless told otherwise.
MAX_BYTES: Final = 256 * 1024

# What these say of a list or an object hangs on what is in it, also where that is rendered later.
_OF_THE_WHOLE: Final = frozenset({"anyOf", "oneOf", "not", "contains", "uniqueItems", "const"})

_BRING: Final = (
    "register it: a service does with `catalog.actions.register` of the API, a plug-in as it is "
    "installed; `lockstep catalog actions` lists those that are known"
)


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a definition; the definition itself where there are no errors."""

    errors: list[Issue]
    warnings: list[Issue]
    definition: Definition | None = None


def outdated(raw: Json, renderer: Renderer) -> list[Issue]:
    """Say what of a stored definition works as it has, and could not be saved any more.

    Raises:
        DefinitionRefused: It is not of this language, or of a later version of it.
    """
    found = []
    for text in texts(parse(raw)):
        try:
            compiled = _compiled(text, renderer)
        except RenderError:
            continue  # a filter of a plug-in that is not here
        found += [_issue(text.path, one.message, one.hint or None) for one in compiled.outdated]
    return found


def _compiled(text: Text, renderer: Renderer) -> Expression | Template:
    if text.form == "expression":
        return renderer.expression(text.text)
    return renderer.template(text.text)


def config_versions(definition: Definition, catalog: Catalog) -> dict[str, int]:
    """Say of which version the configs are that a definition gives to actions, by action."""
    found = {}
    for _, action in actions(definition.actions, ("actions",)):
        call = called(action)
        kind = catalog.action(call.action) if call else None
        if kind is not None:
            found[kind.qualified_id] = kind.config_version
    return found


def check_source(text: str, catalog: Catalog, renderer: Renderer) -> Checked:
    """Validate the YAML or JSON text of one definition; issues have line and column."""
    try:
        source = read(text)
    except SourceError as error:
        return Checked(errors=[error.issue], warnings=[])
    return validate(source.value, catalog, renderer, positions=source)


def validate(
    raw: Json,
    catalog: Catalog,
    renderer: Renderer,
    *,
    positions: Source | None = None,
    under: Path = (),
    seconds: float = MOST_SECONDS,
) -> Checked:
    """Judge a definition by shape, catalog and language; all faults, not the first.

    One that takes longer than `seconds` of processor time of this thread is refused.
    With `positions`, the source that it was read from, and `under`, its path in there, issues have
    line and column.
    """
    ends = time.thread_time() + seconds
    shaper = Shaper()
    definition = shaper.definition(raw)
    found: list[Issue] = []
    if definition is None:
        # Faults of expressions and catalog are told too, as far as the rest can be read.
        more = _loose(raw, shaper.parts, catalog, renderer, ends)
        errors = _capped(itertools.chain(shaper.issues, more), "faults", ends)
    else:
        errors = _capped(_faults(definition, catalog, renderer, ends), "faults", ends)
        found = _capped(warnings.of(definition, catalog, renderer), "warnings", ends)
    return Checked(
        errors=_located(errors, positions, under),
        warnings=_located(found, positions, under),
        definition=definition if not errors else None,
    )


def _located(issues: Sequence[Issue], positions: Source | None, under: Path) -> list[Issue]:
    if positions is None:
        return list(issues)
    return [positions.locate(issue, under) for issue in issues]


def _faults(
    definition: Definition, catalog: Catalog, renderer: Renderer, ends: float
) -> Iterator[Issue]:
    yield from _triggers(definition, catalog, set())
    yield from _compilation(definition, catalog, renderer, ends)
    yield from _actions(definition, catalog, set())
    yield from names.unknown(definition, catalog, renderer)
    yield from references.faults(definition, catalog, renderer)


def _capped(issues: Iterable[Issue], what: str, ends: float) -> list[Issue]:
    """Give as many as somebody reads, and as fit into a reply; say where there are more."""
    kept, size = list[Issue](), 0
    for issue in issues:
        size += len(msgspec.json.encode(issue))
        if len(kept) >= MAX_FAULTS or (size > MAX_BYTES and kept):
            message = f"there are more {what} than these {len(kept)}"
            return [*kept, _issue((), message, "correct these, then look again")]
        kept.append(issue)
        if time.thread_time() > ends:
            break
    return kept


def _loose(
    raw: Json,
    parts: Sequence[tuple[Path, Part]],
    catalog: Catalog,
    renderer: Renderer,
    ends: float,
) -> Iterator[Issue]:
    """Judge what is right in shape of a definition that is not: each part for itself.

    Of references to artifacts only those are told that name no action at all: what produces the
    others may be what is wrong.
    """
    trigger_ids, action_ids = set[str](), set[str]()
    named = frozenset(_ids(raw) if parts else ())
    stub = Definition(name="x", triggers=[])
    for path, part in parts:
        some: Iterable[Issue]
        if isinstance(part, Trigger):
            made = msgspec.structs.replace(stub, triggers=[part])
            some = _triggers(made, catalog, trigger_ids)
        elif isinstance(part, ActionBase):
            made = msgspec.structs.replace(stub, actions=[part])
            some = _actions(made, catalog, action_ids)
        else:
            made, some = msgspec.structs.replace(stub, conditions=[part]), ()
        unknown = (
            *names.unknown(made, catalog, renderer),
            *references.unknown(texts(made, catalog), named, renderer),
        )
        for issue in (*some, *_compilation(made, catalog, renderer, ends), *unknown):
            yield msgspec.structs.replace(issue, path=[*path, *issue.path[2:]])


def _ids(raw: Json) -> Iterator[str]:
    """Give whatever stands as an id in a definition."""
    if isinstance(raw, dict):
        for name, inner in raw.items():
            if name == "id" and isinstance(inner, str):
                yield inner
            yield from _ids(inner)
    elif isinstance(raw, list):
        for inner in raw:
            yield from _ids(inner)


def _triggers(definition: Definition, catalog: Catalog, seen: set[str]) -> Iterator[Issue]:
    for index, trigger in enumerate(definition.triggers):
        path: Path = ("triggers", index)
        yield from _event(trigger.event, (*path, "event"), catalog)
        kind = catalog.trigger(trigger.event)
        if kind is not None:
            schema = kind.config_schema
            config = trigger.config or {}
            if schema is not None:
                yield from _config(config, schema, (*path, "config"), is_rendered=False)
                for place, message in schedules.faults(trigger.event, config):
                    yield _issue((*path, "config", *place), message)
            elif config:
                names = ", ".join(f"`{name}`" for name in config)
                yield _issue((*path, "config"), f"'{trigger.event}' takes no config, got {names}")
        if trigger.id is not None:
            if trigger.id in seen:
                yield _issue((*path, "id"), f"trigger ids must be unique, '{trigger.id}' is not")
            seen.add(trigger.id)


def _event(event: str, path: Path, catalog: Catalog) -> Iterator[Issue]:
    if catalog.is_open or catalog.trigger(event) is not None:
        return
    known = [kind.qualified_id for kind in catalog.triggers()]
    if event.startswith("automation."):  # the engine's own: nobody can register one
        hint = f"known are {', '.join(one for one in known if one.startswith('automation.'))}"
    elif near := get_close_matches(event, known, 1):
        hint = f"did you mean `{near[0]}`? Else {_register(event)}"
    else:
        hint = _register(event)
    yield _issue(path, f"unknown event '{event}'", hint)


def _register(event: str) -> str:
    """Say how an event becomes known where they are declared."""
    document = f"`trigger_types: [{{id: {event}}}]` in a file for `lockstep apply`"
    api = "`catalog.triggers.register` of the API"
    return f"register it: {document}, or {api}; or set `engine.catalog` to `open`, which takes any"


def _compilation(
    definition: Definition, catalog: Catalog, renderer: Renderer, ends: float
) -> Iterator[Issue]:
    for text in texts(definition, catalog):
        if time.thread_time() > ends:
            yield _issue(
                text.path,
                "it takes too long to look at all of this definition; what follows was not judged",
                "correct what is told, or make several automations of it",
            )
            return
        try:
            wrong = _compiled(text, renderer).outdated
        except RenderError as error:
            wrong = (error,)
        for one in wrong:
            is_all = (one.line, one.column) == (1, 1) and one.hint.startswith("write ")
            place = f" (line {one.line}, column {one.column})" if one.line and not is_all else ""
            yield _issue(text.path, f"{one.message}{place}", one.hint or None)


def _actions(definition: Definition, catalog: Catalog, seen: set[str]) -> Iterator[Issue]:
    for path, action in actions(definition.actions, ("actions",)):
        if action.id is not None:
            if action.id in seen:
                message = f"action ids must be unique in an automation, '{action.id}' is not"
                yield _issue((*path, "id"), message)
            seen.add(action.id)
        yield from _of_catalog(action, path, catalog)


def _of_catalog(action: Action, path: Path, catalog: Catalog) -> Iterator[Issue]:
    match action:
        case ProviderAction():
            yield from _provider(action, path, catalog)
        case Wait():
            event = action.wait_for_trigger.event
            yield from _event(event, (*path, "wait_for_trigger", "event"), catalog)
        case Choose() | Parallel() | SequenceAction() | Repeat():
            return
        case Delay() | Variables() | Guard() | Stop():
            return
        case _:
            assert_never(action)


def _provider(action: ProviderAction, path: Path, catalog: Catalog) -> Iterator[Issue]:
    kind: ActionType | None = catalog.action(action.action)
    if kind is None:
        known = [one.qualified_id for one in catalog.actions()]
        near = get_close_matches(action.action, known, 1)
        hint = f"did you mean `{near[0]}`? Else {_BRING}" if near else _BRING
        yield _issue((*path, "action"), f"unknown action '{action.action}'", hint)
        return
    if kind.produces is not None and kind.needs_id and action.id is None:
        message = f"'{action.action}' produces an artifact and needs an `id` to name it by"
        yield _issue((*path, "id"), message)
    yield from _config(action.config, kind.config_schema, (*path, "config"))
    for name, told in kind.config_faults(action.config) if kind.config_faults else ():
        yield _issue((*path, "config", name), told)


def _config(
    config: Json, schema: Schema, path: Path, *, is_rendered: bool = True
) -> Iterator[Issue]:
    """Judge a config by its schema; what is templated is judged when it is rendered."""
    for fault in schema.faults(config):
        if is_rendered and _is_templated(config, fault):
            continue
        place = (*path, *fault.path)
        if fault.keyword == "required":
            for name in fault.names:
                yield _issue((*place, name), f"`{name}` is missing")
        elif fault.names:
            known = _fields_at(schema.document, fault.path)
            for name in fault.names:
                yield _issue(place, f"unknown key `{short(name)}`", _near(name, known))
        else:
            yield _issue(place, fault.message)


def _fields_at(schema: Json, path: Path) -> list[str]:
    """Give the fields that a schema names for what lies at a path, as far as it says so itself."""
    for part in path:
        inner = schema.get("items") if isinstance(part, int) else _properties(schema).get(part)
        schema = inner if isinstance(inner, dict) else {}
    return list(_properties(schema))


def _properties(schema: JsonObject) -> JsonObject:
    fields: JsonObject = schema.get("properties", {})
    return fields


def _is_templated(config: Json, fault: SchemaFault) -> bool:
    """Say whether a fault hangs on a text with braces: it is one, or it is about all in there."""
    value = config
    for part in fault.path:
        if isinstance(value, str):
            break
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    if isinstance(value, str):
        return "{{" in value
    return fault.keyword in _OF_THE_WHOLE and b"{{" in msgspec.json.encode(value)


def _issue(path: Path, message: str, hint: str | None = None) -> Issue:
    return Issue(path=list(path), message=short(message, MAX_MESSAGE), hint=hint)


def _near(name: str, known: Sequence[str]) -> str | None:
    near = get_close_matches(name, known, 1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known are {', '.join(sorted(known)[:20])}" if known else None
