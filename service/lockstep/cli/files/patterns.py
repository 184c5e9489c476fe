"""Stored patterns that run as they have, for a limited time, and could not be saved any more."""

from collections.abc import Iterator, Sequence

from lockstep import store
from lockstep.definition.validate import outdated
from lockstep.model.automations import StoredDefinition
from lockstep.model.errors import EngineError
from lockstep.model.findings import Finding, fine, unknown, warning
from lockstep.model.texts import path_text
from lockstep.render import Renderer


async def outdated_patterns(dsn: str) -> Sequence[Finding]:
    """Look for them; a definition that cannot be read is a finding too."""
    renderer, found = Renderer(), list[Finding]()
    try:
        database = await store.Store.connect(dsn, 1)
    except EngineError:
        return ()  # it is told where PostgreSQL is looked at
    try:
        automations = store.AutomationStore(database)
        _, heads = await automations.heads()
        for head in heads:
            key = head.id, head.version
            for stored in (await automations.definitions([key])).values():
                found += _outdated(head.id, stored, renderer)
    except EngineError as error:
        return [unknown("patterns", f"stored automations could not be read: {error}")]
    finally:
        await database.close()
    return found or [fine("patterns", "all stored patterns run in linear time")]


def _outdated(
    automation_id: str, stored: StoredDefinition, renderer: Renderer
) -> Iterator[Finding]:
    try:
        issues = outdated(stored.definition, renderer)
    except EngineError as error:
        yield unknown("patterns", f"automation {automation_id} could not be read: {error}")
        return
    for one in issues:
        yield warning(
            "patterns",
            f"automation {automation_id}: {path_text(one.path)}: {one.message}",
            f"{one.hint}; until it is saved anew, it runs with a limit of time",
        )
