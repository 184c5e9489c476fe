"""`lockstep runs show`: what a run did, as a tree."""

from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

EXAMPLES: Final = ("runs show RUN_ID", "runs show RUN_ID --all")


def command(
    context: typer.Context,
    run: Annotated[
        str, typer.Argument(metavar="ID", help="Id of the run.", autocompletion=completion.run)
    ],
    whole: Annotated[bool, typer.Option("--all", help="Draw long loops in full.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw the steps of a run as a tree."""
    finish(_show(engine(context), run, whole=whole, as_json=as_json))


async def _show(engine: Reach, run_id: str, *, whole: bool, as_json: bool) -> bool:
    from lockstep.cli.terminal.tree import FOLDED, draw

    async with engine as remote:
        detail = await remote.run(run_id)
    if as_json:
        output.show_json(detail)
    else:
        draw(detail, limit=None if whole else FOLDED)
    return True
