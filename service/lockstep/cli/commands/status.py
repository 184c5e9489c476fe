"""`lockstep status`: how the whole is."""

from typing import Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output
from lockstep_schemas.status import Status, StatusRequest

EXAMPLES: Final = ("status", "status --json")


def command(context: typer.Context, as_json: AsJson = False) -> None:
    """Show versions, workers, queues, runs.

    Exit 1 if a server did not tell its part.
    """
    finish(_show(engine(context), as_json=as_json))


async def _show(engine: Reach, *, as_json: bool) -> bool:
    from lockstep.cli.terminal.status import draw

    async with engine as remote:
        status = await remote.call("status", StatusRequest(), Status)
    if as_json:
        output.show_json(status)
    else:
        draw(status)
    return not status.problems
