"""`lockstep runs watch`: run events as they happen."""

from collections.abc import Collection
from contextlib import suppress
from typing import Annotated, Final, get_args

import msgspec
import typer

from lockstep.cli import completion
from lockstep.cli.context import engine, finish
from lockstep.cli.options import AsJson, Last, OfAutomation
from lockstep_schemas.run_events import RunStatus

EXAMPLES: Final = (
    "runs watch",
    "runs watch --automation sample-orders --status failed --status cancelled",
    "runs watch --last && echo it succeeded",
)


def command(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN_ID",
            help="Only this run, until it has ended; or the beginning of its id.",
            autocompletion=completion.active_run,
        ),
    ] = None,
    last: Last = False,
    automation: OfAutomation = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            help="Only events at which their run has this status; repeatable.",
            autocompletion=completion.status,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Follow run events as they happen; with a run, exit 0 if it succeeds, else 1."""
    from lockstep.cli.terminal.watch import watch_all, watch_run

    is_one = run is not None or last
    if (is_one and status) or (run is not None and (automation is not None or last)):
        text = "name a run, or --last, or --automation and --status"
        raise typer.BadParameter(text, param_hint="RUN_ID")
    wanted = _statuses(status or ())
    reach = engine(context)
    if not is_one:
        with suppress(KeyboardInterrupt):  # that is how it is ended
            finish(watch_all(reach, automation, wanted, as_json=as_json))
    else:
        finish(watch_run(reach, run, automation, as_json=as_json))


def _statuses(words: Collection[str]) -> list[RunStatus]:
    """Make statuses of what was typed.

    Raises:
        typer.BadParameter: One is none.
    """
    try:
        return msgspec.convert(words, list[RunStatus])
    except msgspec.ValidationError:
        known = ", ".join(get_args(RunStatus))
        text = f"{', '.join(words)}: each must be one of {known}"
        raise typer.BadParameter(text, param_hint="--status") from None
