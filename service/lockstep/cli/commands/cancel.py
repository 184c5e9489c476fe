"""`lockstep cancel`: end runs before their time."""

from collections.abc import Sequence
from typing import Annotated, Final

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
    'cancel 0197c5f0-8f1e-7d3a --reason "it was the wind"',
    'cancel --last --automation "Door guard"',
    "cancel --event 'orders.*' --since 2h --dry-run",
    'cancel --automation "Door guard" --status waiting --yes',
)


def command(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN_ID]...",
            help="Ids of runs, or their beginnings.",
            autocompletion=completion.active_run,
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
    reason: Annotated[str | None, typer.Option(help="Why; kept with the run.")] = None,
    dry_run: DryRun = False,
    sure: Sure = False,
    as_json: AsJson = False,
) -> None:
    """Cancel runs by their ids, or all of a filter.

    All of a filter are shown first, and asked for. A run that has ended stays as it is.
    """
    wanted = wish(status or "active", event, error, text, key, since)
    chooses = is_filter(wanted, status) or everything or (automation is not None and not last)
    if sum((bool(runs), last, chooses)) != 1:
        raise typer.BadParameter(NAME_RUNS, param_hint="RUN_ID")
    if not chooses:
        finish(_cancel(engine(context), runs or [], automation, reason, as_json=as_json))
        return
    check_status(wanted, for_active=True)
    from lockstep.cli.terminal.many import ManyRuns, act_on_runs

    act = ManyRuns("cancel", "cancelled", "runs.cancel_many", api.RunsCancel(reason=reason))
    settings = load(context).settings
    finish(
        act_on_runs(settings, automation, wanted, act, sure=sure, dry_run=dry_run, as_json=as_json)
    )


async def _cancel(
    engine: Reach,
    typed: Sequence[str],
    automation: str | None,
    reason: str | None,
    *,
    as_json: bool,
) -> bool:
    """Cancel runs, one after the other; say what became of each, whether of all."""
    from lockstep.client.remote import ApiRefused

    statuses, failed = [], list[ApiRefused]()
    async with engine as remote:
        for one in typed or [await remote.newest_run(automation, "active", whole=True)]:
            try:
                run_id = await remote.run_id(one)
                await remote.call("runs.cancel", api.RunCancel(run_id, reason), api.Success)
            except ApiRefused as error:
                if len(typed) <= 1:
                    raise
                failed.append(error)
                continue
            run = (await remote.run(run_id)).run
            statuses.append({"id": run.id, "status": run.status})
            if not as_json:
                output.show_line(f"{run.id}  {run.status}")
    if as_json:
        output.show_json({"items": statuses, "failed": [one.fault for one in failed]})
    else:
        for refusal in failed:
            output.complain(str(refusal))
    return not failed
