"""`lockstep dead show`: one event that could not be handled, with its body."""

from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output
from lockstep_schemas import dead

EXAMPLES: Final = ("dead show 17",)


def command(
    context: typer.Context,
    letter: Annotated[
        int,
        typer.Argument(
            metavar="ID", min=1, help="Id of the dead letter.", autocompletion=completion.letter
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show a dead letter with its headers and its body."""
    finish(show_letter(engine(context), letter, as_json=as_json))


async def show_letter(engine: Reach, letter_id: int, *, as_json: bool) -> bool:
    """Show one dead letter with its headers and its body."""
    from lockstep.cli.terminal.dead_letters import draw

    async with engine as remote:
        request = dead.DeadById(letter_id)
        if as_json:
            output.show_raw_json(await remote.ask("dead.show", request))
        else:
            draw(await remote.call("dead.show", request, dead.DeadDetail))
    return True
