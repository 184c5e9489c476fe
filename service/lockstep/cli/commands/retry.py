"""`lockstep retry`: runs that have ended, once more."""

from typing import Annotated, Final, Literal, TypeAlias

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish, load
from lockstep.cli.filters import (
    OfError,
    OfKey,
    OfStatus,
    OfText,
    Since,
    check_status,
    is_filter,
    wish,
)
from lockstep.cli.options import (
    NAME_RUNS,
    AllRuns,
    AsJson,
    DryRun,
    Last,
    OfAutomation,
    OfEvent,
    Sure,
)
from lockstep.cli.terminal import output
from lockstep_schemas import api

EXAMPLES: Final = (
    "retry RUN_ID --from start",
    "retry --last",
    "retry --error 'timed out' --since '30 minutes ago' --dry-run",
    'retry --automation "Door guard" --status cancelled --from start --yes',
)

Begin: TypeAlias = Literal["start", "failed"]


def command(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN_ID]",
            help="A run that has ended, or the beginning of its id.",
            autocompletion=completion.ended_run,
        ),
    ] = None,
    last: Last = False,
    automation: OfAutomation = None,
    status: OfStatus = None,
    event: OfEvent = None,
    error: OfError = None,
    text: OfText = None,
    key: OfKey = None,
    since: Since = None,
    everything: AllRuns = False,
    begins: Annotated[
        Begin,
        typer.Option("--from", help="At its start, or at the step that failed, with what it had."),
    ] = "failed",
    dry_run: DryRun = False,
    sure: Sure = False,
    as_json: AsJson = False,
) -> None:
    """Start runs of the same version and event once more.

    One by its id, or all that failed of a filter: those are shown first, and asked for.
    """
    ended: api.StatusFilter = "failed" if begins == "failed" else "ended"
    wanted = wish(status or ended, event, error, text, key, since)
    chooses = is_filter(wanted, status) or everything or (automation is not None and not last)
    if sum((run is not None, last, chooses)) != 1:
        raise typer.BadParameter(NAME_RUNS, param_hint="RUN_ID")
    if not chooses:
        finish(_retry(engine(context), run, automation, begins, as_json=as_json))
        return
    check_status(wanted, for_active=False, begins=begins)
    from lockstep.cli.terminal.many import ManyRuns, act_on_runs

    act = ManyRuns("retry", "retried", "runs.retry_many", api.RunsRetry(from_=begins))
    settings = load(context).settings
    finish(
        act_on_runs(settings, automation, wanted, act, sure=sure, dry_run=dry_run, as_json=as_json)
    )


async def _retry(
    engine: Reach, run: str | None, automation: str | None, begins: Begin, *, as_json: bool
) -> bool:
    """Start a run once more, and say the id of the new one."""
    async with engine as remote:
        ended: api.StatusFilter = "failed" if begins == "failed" else "ended"
        run_id = await remote.run_id(run or await remote.newest_run(automation, ended, whole=True))
        request = api.RunRetry(id=run_id, from_=begins)
        retried = await remote.call("runs.retry", request, api.RunRetried)
    if as_json:
        output.show_json(retried)
    else:
        output.show_line(retried.run_id)
        output.tell(f"`lockstep runs watch {retried.run_id}` follows it")
    return True
