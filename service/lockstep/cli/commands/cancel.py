"""`lockstep cancel`: end runs before their time."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson, Last, OfAutomation, check_run
from lockstep.cli.terminal import output
from lockstep_schemas import api

EXAMPLES: Final = (
    "cancel 0197c5f0-8f1e-7d3a",
    'cancel --last --automation "Door guard"',
    'cancel RUN_ID RUN_ID --reason "it was the wind"',
)


def command(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN_ID...",
            help="Ids of runs, or their beginnings.",
            autocompletion=completion.active_run,
        ),
    ] = None,
    last: Last = False,
    automation: OfAutomation = None,
    reason: Annotated[str | None, typer.Option(help="Why; kept with the run.")] = None,
    as_json: AsJson = False,
) -> None:
    """Cancel runs; one that has ended stays as it is."""
    check_run(runs[0] if runs else None, automation, last=last)
    finish(_cancel(engine(context), runs or [], automation, reason, as_json=as_json))


async def _cancel(
    engine: Reach,
    typed: Sequence[str],
    automation: str | None,
    reason: str | None,
    *,
    as_json: bool,
) -> bool:
    """Cancel runs, one after the other; say what became of each."""
    statuses = []
    async with engine as remote:
        run_ids = [await remote.run_id(one) for one in typed]
        for run_id in run_ids or [await remote.newest_run(automation, "active")]:
            await remote.call("runs.cancel", api.RunCancel(run_id, reason), api.Success)
            run = (await remote.run(run_id)).run
            statuses.append({"id": run.id, "status": run.status})
            if not as_json:
                output.show_line(f"{run.id}  {run.status}")
    if as_json:
        output.show_json({"items": statuses})
    return True
