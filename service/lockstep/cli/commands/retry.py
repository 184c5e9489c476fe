"""`lockstep retry`: a run that has ended, once more."""

from typing import Annotated, Final, Literal, TypeAlias

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output
from lockstep_schemas import api

EXAMPLES: Final = ("retry RUN_ID", "retry RUN_ID --from start")

Begin: TypeAlias = Literal["start", "failed"]


def command(
    context: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN_ID", help="A run that has ended.", autocompletion=completion.ended_run
        ),
    ],
    begins: Annotated[
        Begin,
        typer.Option("--from", help="At its start, or at the step that failed, with what it had."),
    ] = "failed",
    as_json: AsJson = False,
) -> None:
    """Start a new run of the same version and event."""
    finish(_retry(engine(context), run, begins, as_json=as_json))


async def _retry(engine: Reach, run_id: str, begins: Begin, *, as_json: bool) -> bool:
    """Start a run once more, and say the id of the new one."""
    async with engine as remote:
        request = api.RunRetry(id=run_id, from_=begins)
        retried = await remote.call("runs.retry", request, api.RunRetried)
    if as_json:
        output.show_json(retried)
    else:
        output.show_line(retried.run_id)
        output.tell(f"`lockstep runs watch {retried.run_id}` follows it")
    return True
