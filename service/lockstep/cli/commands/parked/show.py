"""`lockstep parked show`: one row that no replica could handle, as it is stored."""

from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output
from lockstep_schemas import parked

EXAMPLES: Final = ("parked show run:019ab36e-96a1-7c1e-8f0b-5f5c1d5a3b11",)


def command(
    context: typer.Context,
    row: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Id of what is parked.", autocompletion=completion.parked
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show what is parked, why, and its row."""
    finish(show_parked(engine(context), row, as_json=as_json))


async def show_parked(engine: Reach, row: str, *, as_json: bool) -> bool:
    """Show one thing that is parked."""
    from lockstep.cli.terminal.parked import draw
    from lockstep.client.parked import row_id

    async with engine as remote:
        request = parked.ParkedById(await row_id(remote, row))
        if as_json:
            output.show_raw_json(await remote.ask("parked.show", request))
            return True
        detail = await remote.call("parked.show", request, parked.ParkedDetail)
    draw(detail)
    return True
