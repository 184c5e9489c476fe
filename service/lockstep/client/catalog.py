"""The types that a running engine knows."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal, TypeAlias

from lockstep.client.remote import Remote
from lockstep.model.errors import EngineError
from lockstep_schemas import catalog

Kind = Literal["triggers", "actions", "artifacts"]
Info: TypeAlias = catalog.TriggerInfo | catalog.ActionInfo | catalog.ArtifactTypeInfo


class NoSuchType(EngineError):
    """The engine knows no type of this id; the message names those that are near."""

    code = "catalog.unknown"
    category = "not_found"
    advice = "Take one of those that the message names; without an id all are listed."


async def types(remote: Remote, kind: Kind) -> Sequence[Info]:
    """Ask for the types of a kind."""
    request = catalog.CatalogList()
    match kind:
        case "triggers":
            return (await remote.call("catalog.triggers", request, catalog.Triggers)).items
        case "actions":
            return (await remote.call("catalog.actions", request, catalog.Actions)).items
        case "artifacts":
            endpoint = "catalog.artifact_types"
            return (await remote.call(endpoint, request, catalog.ArtifactTypes)).items


def find(items: Sequence[Info], wanted: str, kind: Kind) -> Info:
    """Find a type by its id.

    Raises:
        NoSuchType: It is not there.
    """
    found = next((one for one in items if one.qualified_id == wanted), None)
    if found is None:
        near = get_close_matches(wanted, [one.qualified_id for one in items], 3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"see `lockstep catalog {kind}`"
        raise NoSuchType(f"the engine knows no type '{wanted}' among {kind}; {hint}")
    return found
