"""The types that a running engine knows."""

from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches
from typing import Literal, Protocol, TypeAlias, TypeVar

from msgspec import UNSET, UnsetType

from lockstep.client.remote import Remote
from lockstep.model.errors import EngineError
from lockstep_schemas import catalog

Kind = Literal["triggers", "actions", "artifacts"]
One_co = TypeVar("One_co", covariant=True)
Info: TypeAlias = catalog.TriggerInfo | catalog.ActionInfo | catalog.ArtifactTypeInfo


class Page(Protocol[One_co]):
    """Some types, and behind which to ask for more."""

    @property
    def items(self) -> Sequence[One_co]:
        """By id."""
        ...

    @property
    def next_after(self) -> str | UnsetType:
        """Absent on the last page."""
        ...


class NoSuchType(EngineError):
    """The engine knows no type of this id; the message names those that are near."""

    code = "catalog.unknown"
    category = "not_found"
    advice = "Take one of those that the message names; without an id all are listed."


async def types(remote: Remote, kind: Kind) -> Sequence[Info]:
    """Ask for all types of a kind, in as many pages as that takes."""
    match kind:
        case "triggers":
            return await triggers(remote)
        case "actions":
            return await actions(remote)
        case "artifacts":
            endpoint = "catalog.artifact_types"
            return await _all(lambda asked: remote.call(endpoint, asked, catalog.ArtifactTypes))


async def triggers(remote: Remote) -> Sequence[catalog.TriggerInfo]:
    """Ask for all types of triggers."""
    return await _all(lambda asked: remote.call("catalog.triggers", asked, catalog.Triggers))


async def actions(remote: Remote) -> Sequence[catalog.ActionInfo]:
    """Ask for all types of actions."""
    return await _all(lambda asked: remote.call("catalog.actions", asked, catalog.Actions))


async def filters(remote: Remote) -> Sequence[catalog.FilterInfo]:
    """Ask for all filters and tests."""
    return await _all(lambda asked: remote.call("catalog.filters", asked, catalog.Filters))


async def _all(ask: Callable[[catalog.CatalogList], Awaitable[Page[One_co]]]) -> Sequence[One_co]:
    found, after = list[One_co](), None
    while True:
        page = await ask(catalog.CatalogList(after))
        found += page.items
        if page.next_after is UNSET:
            return found
        after = page.next_after


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
