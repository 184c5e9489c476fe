"""Plug-ins: Python packages with an entry point in the group `lockstep.plugins`."""

import inspect
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import msgspec
import structlog

from lockstep.catalog.documents import OWN_WORDS
from lockstep.catalog.errors import CatalogError
from lockstep.catalog.memory import MemoryCatalog
from lockstep.model.texts import described, said

GROUP: Final = "lockstep.plugins"

log = structlog.get_logger()


class PluginFailure(msgspec.Struct, frozen=True):
    """A plug-in that could not be loaded; nothing of it is in the catalog."""

    plugin: str
    source: str  # the entry point's value: `package.module:function`
    error: str


def load_plugins(
    catalog: MemoryCatalog, points: Iterable[EntryPoint] | None = None
) -> Sequence[PluginFailure]:
    """Load all plug-ins that are installed, in the order of their names.

    Each is a function that is given a `Registry` for its plug-in, whose name is that of the entry
    point. One that fails is logged as `plugin.failed` and left out whole; the others are loaded.

    Args:
        catalog: Where the types go.
        points: The entry points; those that are installed if left out.

    Returns:
        The plug-ins that failed.
    """
    found = entry_points(group=GROUP) if points is None else points
    failures: list[PluginFailure] = []
    loaded: set[str] = set()
    for point in sorted(found, key=lambda each: (each.name, each.value)):
        try:
            _load(point, catalog, loaded)
        # A plug-in is code of others: whatever it raises, even to leave, the engine goes on.
        except (Exception, SystemExit) as error:
            reason = said(error) if isinstance(error, CatalogError) else described(error)
            failures.append(PluginFailure(point.name, point.value, reason))
            log.exception("plugin.failed", plugin=point.name, source=point.value, error=reason)
        else:
            loaded.add(point.name)
            log.info("plugin.loaded", plugin=point.name, source=point.value)
    return failures


def _load(point: EntryPoint, catalog: MemoryCatalog, loaded: set[str]) -> None:
    name = point.name
    if name in OWN_WORDS:
        raise CatalogError(f"plug-in name '{name}' is the engine's own; choose another")
    if name in loaded:
        raise CatalogError(f"plug-in name '{name}' is already registered by another package")
    function = point.load()
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise CatalogError(f"plug-in '{name}': '{point.value}' is no plain function")
    with catalog.registering(name, whole=True) as registry:
        function(registry)
