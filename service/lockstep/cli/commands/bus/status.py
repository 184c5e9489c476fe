"""`lockstep bus status`: whether streams, consumer groups and buckets are what they must be."""

from typing import TYPE_CHECKING, Final

import typer

from lockstep.cli.context import finish, load
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

if TYPE_CHECKING:
    from lockstep.settings.structs import Settings

EXAMPLES: Final = ("bus status",)


def command(context: typer.Context, as_json: AsJson = False) -> None:
    """Say what is missing or different; exit 1 if something is."""
    finish(_status(load(context).settings, as_json=as_json))


async def _status(settings: "Settings", *, as_json: bool) -> bool:
    from lockstep import bus
    from lockstep.client.remote import dialled

    async with dialled(settings, needs_jetstream=True) as connection:
        faults = await bus.missing(connection)
        where = connection.server
    if as_json:
        output.show_json({"missing": faults})
        return not faults
    for line in faults:
        output.show_line(line)
    if faults:
        output.tell(f"{where}: {output.count(len(faults), 'fault')}; `lockstep bus apply` mends it")
    else:
        output.tell(f"{where}: streams, consumers and buckets are as they must be")
    return not faults
