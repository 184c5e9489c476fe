"""`lockstep toggle`: enable or disable an automation."""

from typing import Annotated, Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson, Automation
from lockstep.cli.terminal import output
from lockstep_schemas import api

EXAMPLES: Final = ('toggle "Door guard" --off', "toggle sample-orders --on")


def command(
    context: typer.Context,
    automation: Automation,
    enabled: Annotated[bool, typer.Option("--on/--off", help="Enable or disable.")],
    as_json: AsJson = False,
) -> None:
    """Enable or disable an automation.

    Runs that wait or are queued go on.
    """
    finish(_toggle(engine(context), automation, enabled=enabled, as_json=as_json))


async def _toggle(engine: Reach, automation: str, *, enabled: bool, as_json: bool) -> bool:
    async with engine as remote:
        found = await remote.automation(automation)
        request = api.AutomationToggle(id=found.id, enabled=enabled)
        changed = await remote.call("automations.toggle", request, api.Automation)
    if as_json:
        output.show_json(changed)
    else:
        output.show_line(f"{changed.id}  {changed.name}  {changed.status}")
    return True
