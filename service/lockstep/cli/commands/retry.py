"""`lockstep retry`: a run that has ended, once more."""

from typing import Annotated, Final, Literal, TypeAlias

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson, Last, OfAutomation, check_run
from lockstep.cli.terminal import output
from lockstep_schemas import api

EXAMPLES: Final = ("retry RUN_ID", "retry RUN_ID --from start", "retry --last")

Begin: TypeAlias = Literal["start", "failed"]


def command(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN_ID",
            help="A run that has ended, or the beginning of its id.",
            autocompletion=completion.ended_run,
        ),
    ] = None,
    last: Last = False,
    automation: OfAutomation = None,
    begins: Annotated[
        Begin,
        typer.Option("--from", help="At its start, or at the step that failed, with what it had."),
    ] = "failed",
    as_json: AsJson = False,
) -> None:
    """Start a new run of the same version and event."""
    check_run(run, automation, last=last)
    finish(_retry(engine(context), run, automation, begins, as_json=as_json))


async def _retry(
    engine: Reach, run: str | None, automation: str | None, begins: Begin, *, as_json: bool
) -> bool:
    """Start a run once more, and say the id of the new one."""
    async with engine as remote:
        ended: api.StatusFilter = "failed" if begins == "failed" else "ended"
        run_id = await remote.run_id(run or await remote.newest_run(automation, ended))
        request = api.RunRetry(id=run_id, from_=begins)
        retried = await remote.call("runs.retry", request, api.RunRetried)
    if as_json:
        output.show_json(retried)
    else:
        output.show_line(retried.run_id)
        output.tell(f"`lockstep runs watch {retried.run_id}` follows it")
    return True
