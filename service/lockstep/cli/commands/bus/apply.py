"""`lockstep bus apply`: make streams, consumer groups and buckets what they must be."""

from typing import TYPE_CHECKING, Final

import typer

from lockstep.cli.context import finish, load
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

if TYPE_CHECKING:
    from lockstep.settings.structs import Settings

EXAMPLES: Final = ("bus apply", "--nats-url nats://nats:4222 bus apply --json")


def command(context: typer.Context, as_json: AsJson = False) -> None:
    """Create what is missing and update what differs, and show it; also if manage_bus is off."""
    finish(_apply(load(context).settings, as_json=as_json))


async def _apply(settings: "Settings", *, as_json: bool) -> bool:
    from lockstep import bus
    from lockstep.client.remote import dialled

    async with dialled(settings, needs_jetstream=True) as connection:
        done = await bus.apply(connection)
    if as_json:
        output.show_json({"changed": done})
    elif done:
        for line in done:
            output.show_line(line)
    else:
        output.tell("streams, consumers and buckets are as they must be")
    return True
