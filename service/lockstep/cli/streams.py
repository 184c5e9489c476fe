"""`lockstep bus`: streams, consumer groups and buckets."""

from lockstep import bus
from lockstep.cli import output
from lockstep.cli.remote import dialled
from lockstep.settings import Settings


async def apply(settings: Settings, *, as_json: bool) -> bool:
    """Create what is missing and update what differs, also where `manage_bus` is off."""
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


async def status(settings: Settings, *, as_json: bool) -> bool:
    """Say what is missing or different; whether nothing is."""
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
