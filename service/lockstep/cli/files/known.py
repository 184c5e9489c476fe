"""The types of actions and triggers that automations may name: of an engine, or of this machine."""

from lockstep.catalog import build_catalog, load_plugins
from lockstep.cli.context import Reach
from lockstep.cli.terminal import output
from lockstep.client.catalog import actions, triggers
from lockstep.contract import KnownTypes
from lockstep.control.catalog import action_info, trigger_info


async def known_to(reach: Reach) -> KnownTypes:
    """Give all types of an engine.

    Raises:
        Unavailable: None answers.
    """
    async with reach as remote:
        return KnownTypes(await actions(remote), await triggers(remote), is_whole=True)


def known_here() -> KnownTypes:
    """Give those that are built in, or come from plug-ins that are installed here."""
    catalog = build_catalog(open=True)
    for failure in load_plugins(catalog):
        output.tell(f"plug-in '{failure.plugin}' is left out: {failure.error}", "yellow")
    return KnownTypes(
        [action_info(kind) for kind in catalog.actions()],
        [trigger_info(kind) for kind in catalog.triggers()],
        is_whole=False,
    )
