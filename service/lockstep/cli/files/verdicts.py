"""What is wrong with automations in files, as far as it can be told without a server."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Final

import msgspec

from lockstep.catalog import CatalogError, MemoryCatalog, trigger_type
from lockstep.catalog.documents import OWN_WORDS
from lockstep.cli.files.documents import Documents
from lockstep.cli.files.plan import APPLY
from lockstep.definition.documents import Document
from lockstep.definition.faults import Fault, in_order
from lockstep.definition.validate import validate
from lockstep.render import Renderer
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json, QualifiedId

_REFERENCE: Final = re.compile(r"`artifacts\.(\w+)")


def faults_of(loaded: Documents, catalog: MemoryCatalog, *, strict: bool) -> list[Fault]:
    """Judge all that files hold, in the order in which they stand there.

    Their types of triggers are known to the automations in them.
    """
    wrong = list[Fault]()
    for document in loaded.types:
        try:
            catalog.put_trigger(trigger_type(document.register, APPLY))
        except CatalogError as error:
            wrong.append(document.fault(str(error)))
    return in_order([*loaded.faults, *wrong, *judged(loaded.documents, catalog, strict=strict)])


def judged(some: Sequence[Document], catalog: MemoryCatalog, *, strict: bool) -> Iterator[Fault]:
    """Judge definitions; an action that no one knows here may be one of a service on the bus.

    With `strict` such an action is a fault, else only a warning.
    """
    renderer = Renderer(catalog.filters)
    for document in some:
        checked = validate(document.definition, catalog, renderer)
        remote = {} if strict else _remote(document.definition, checked.errors, catalog)
        for issue in checked.errors:
            path = tuple(issue.path)
            if path in remote:
                hint = "no plug-in here has it; the engine may know it from a service"
                yield document.fault(msgspec.structs.replace(issue, hint=hint), "warning")
            elif not _is_of(issue, set(remote.values())):
                yield document.fault(issue)
        for issue in checked.warnings:
            yield document.fault(issue, "warning")


def _remote(
    raw: Json, issues: Sequence[Issue], catalog: MemoryCatalog
) -> Mapping[tuple[str | int, ...], str | None]:
    """Find the actions that are unknown here but may be known to an engine: path to action id."""
    found: dict[tuple[str | int, ...], str | None] = {}
    for issue in issues:
        path = tuple(issue.path)
        if not path or path[-1] != "action":
            continue
        action = _at(raw, path[:-1])
        name = action.get("action") if isinstance(action, dict) else None
        try:
            plugin = msgspec.convert(name, QualifiedId).partition(".")[0]
        except msgspec.ValidationError:
            continue
        if catalog.action(str(name)) is None and plugin not in OWN_WORDS:
            found[path] = action.get("id")
    return found


def _is_of(issue: Issue, actions: Set[str | None]) -> bool:
    """Tell whether an issue is about the artifact of one of these actions."""
    reference = _REFERENCE.match(issue.message)
    return reference is not None and reference[1] in actions


def _at(raw: Json, path: Sequence[str | int]) -> Json:
    for part in path:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            return None
    return raw
