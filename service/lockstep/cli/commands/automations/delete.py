"""`lockstep automations delete`: automations and their history, for good."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import finish, load
from lockstep.cli.options import AsJson, Sure
from lockstep.cli.terminal import output
from lockstep_schemas import api

if TYPE_CHECKING:
    from lockstep.client.remote import ApiRefused
    from lockstep.settings.structs import Settings

EXAMPLES: Final = ('automations delete "Door guard"', "automations delete door-1 door-2 --yes")


def command(
    context: typer.Context,
    automations: Annotated[
        list[str],
        typer.Argument(
            metavar="AUTOMATION...",
            help="Their ids, or names; of an id that the engine gave, the beginning is enough.",
            autocompletion=completion.automation,
        ),
    ],
    sure: Sure = False,
    as_json: AsJson = False,
) -> None:
    """Delete automations and their history for good; asks first on a terminal.

    Their active runs are cancelled.
    """
    settings = load(context).settings
    finish(_delete(settings, automations, sure=sure, as_json=as_json))


async def _delete(settings: "Settings", typed: Sequence[str], *, sure: bool, as_json: bool) -> bool:
    """Delete automations, after a question on a terminal; false if some were not."""
    from lockstep.client.remote import ApiRefused, connected

    found, failed = dict[str, api.Automation](), list[ApiRefused]()
    async with connected(settings) as remote:
        for one in dict.fromkeys(typed):
            try:
                automation = await remote.automation(one, whole=True)
                found[automation.id] = automation
            except ApiRefused as error:
                failed.append(error)
    if found and not sure and sys.stdin.isatty():
        # Not connected while people think: nothing would answer the server.
        names = ", ".join(f"'{one.name}'" for one in found.values())
        number = output.count(len(found), "automation")
        question = f"Delete {number} for good, with all runs: {names}?"
        typer.confirm(output.line(question), abort=True, err=True)
    deleted = list[api.Automation]()
    async with connected(settings) as remote:
        for automation in found.values():
            try:
                await remote.call("automations.delete", api.ById(automation.id), api.Success)
                deleted.append(automation)
                if not as_json:  # at once: the engine may be gone before the next one
                    output.show_line(f"{automation.id}  {output.line(automation.name)}  deleted")
            except ApiRefused as error:
                failed.append(error)
    _tell(deleted, failed, as_json=as_json)
    return not failed


def _tell(
    deleted: Sequence[api.Automation], failed: "Sequence[ApiRefused]", *, as_json: bool
) -> None:
    if as_json:
        items = [{"id": one.id, "name": one.name} for one in deleted]
        output.show_json({"items": items, "failed": [one.fault for one in failed]})
        return
    for error in failed:
        output.complain(str(error))
