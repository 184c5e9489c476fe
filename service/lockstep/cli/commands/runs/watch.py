"""`lockstep runs watch`: run events as they happen."""

import sys
from contextlib import suppress
from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.filters import EventFilter, OfError, OfKey, OfText, key_of, statuses_of, typed
from lockstep.cli.options import AsJson, Last, OfAutomation, OfEvent
from lockstep.cli.terminal.table import is_live

EXAMPLES: Final = (
    "runs watch",
    "runs watch --automation sample-orders --status failed --status cancelled",
    "runs watch --event 'orders.*' --key A-1 --status active",
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
            help="Only while runs have this status; repeatable. `active` and `ended` are several.",
            autocompletion=completion.status,
        ),
    ] = None,
    event: OfEvent = None,
    error: OfError = None,
    text: OfText = None,
    key: OfKey = None,
    as_json: AsJson = False,
) -> None:
    """Follow runs: on a terminal in a table, else event by event.

    With a run, until it has ended: exit 0 if it succeeds, else 1.
    """
    from lockstep.cli.terminal.watch import watch_run

    is_one = run is not None or last
    wanted = EventFilter(
        statuses_of(status or ()),
        typed("--event", event),
        typed("--error", error),
        typed("--text", text),
        key_of(key),
    )
    is_filter = wanted != EventFilter(frozenset())
    if (is_one and is_filter) or (run is not None and (automation is not None or last)):
        told = "name a run, or --last, or --automation, --status, --event, ..."
        raise typer.BadParameter(told, param_hint="RUN_ID")
    reach = engine(context)
    if is_one:
        finish(watch_run(reach, run, automation, as_json=as_json))
    else:
        _many(reach, automation, wanted, as_json=as_json)


def _many(reach: Reach, automation: str | None, wanted: EventFilter, *, as_json: bool) -> None:
    from lockstep.cli.terminal.watch import watch_all, watch_live

    if not as_json and is_live(sys.stdout):
        work = watch_live(reach, automation, wanted)
    else:
        work = watch_all(reach, automation, wanted, as_json=as_json)
    with suppress(KeyboardInterrupt):  # that is how it is ended
        finish(work)
