"""What automations may name, types and filters: of an engine, or of this machine."""

from collections.abc import Sequence

from lockstep.catalog import MemoryCatalog, build_catalog, load_plugins
from lockstep.cli.context import Reach
from lockstep.cli.terminal import output
from lockstep.client.catalog import actions, filters, triggers
from lockstep.contract import KnownTypes
from lockstep.control.catalog import action_info, filter_info, trigger_info
from lockstep.model.errors import Unavailable
from lockstep_schemas.catalog import FilterInfo


async def known_to(reach: Reach) -> KnownTypes:
    """Give all types of an engine.

    Raises:
        Unavailable: None answers.
    """
    async with reach as remote:
        return KnownTypes(await actions(remote), await triggers(remote), is_whole=True)


def known_here() -> KnownTypes:
    """Give those that are built in, or come from plug-ins that are installed here."""
    catalog = _installed()
    return KnownTypes(
        [action_info(kind) for kind in catalog.actions()],
        [trigger_info(kind) for kind in catalog.triggers()],
        is_whole=False,
    )


async def filters_known(reach: Reach) -> Sequence[FilterInfo]:
    """Give all filters and tests of an engine; where none answers, say so, and look here."""
    try:
        async with reach as remote:
            return await filters(remote)
    except Unavailable as error:
        output.tell(f"{error}", "yellow")
        output.tell("these are built in, or of plug-ins that are installed here")
        return [filter_info(word) for word in _installed().words()]


def _installed() -> MemoryCatalog:
    catalog = build_catalog(open=True)
    for failure in load_plugins(catalog):
        output.tell(f"plug-in '{failure.plugin}' is left out: {failure.error}", "yellow")
    return catalog
