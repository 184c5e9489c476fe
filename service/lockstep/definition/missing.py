"""Which types a definition speaks of that this engine does not have, though it was stored."""

from collections.abc import Iterator

from lockstep.definition.tree import actions
from lockstep.model.types import Catalog
from lockstep_schemas.actions import ProviderAction, Wait
from lockstep_schemas.definition import Definition


def missing(definition: Definition, catalog: Catalog) -> list[str]:
    """Name the events and actions that are not known here, each once.

    They were known to who has stored it: a plug-in is not installed here, or not yet.
    """
    return [*dict.fromkeys(_missing(definition, catalog))]


def _missing(definition: Definition, catalog: Catalog) -> Iterator[str]:
    events = [trigger.event for trigger in definition.triggers]
    for _, action in actions(definition.actions, ("actions",)):
        if isinstance(action, ProviderAction) and catalog.action(action.action) is None:
            yield f"action '{action.action}'"
        elif isinstance(action, Wait):
            events.append(action.wait_for_trigger.event)
    for event in events:
        if not catalog.is_open and catalog.trigger(event) is None:
            yield f"event '{event}'"
