"""Options and arguments that several commands have."""

from pathlib import Path
from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import WANTS_JSON
from lockstep_schemas.parked import ParkedKind


def _keep(as_json: bool) -> bool:
    WANTS_JSON.set(as_json)
    return as_json


AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.", callback=_keep)]
Paths = Annotated[
    list[Path],
    typer.Argument(
        help="YAML or JSON files, or folders of them.",
        show_default=False,
        autocompletion=completion.file,
    ),
]
Automation = Annotated[
    str, typer.Argument(help="Its id or name.", autocompletion=completion.automation)
]
OfAutomation = Annotated[
    str | None,
    typer.Option(
        "--automation",
        help="Only of this automation: its id or name.",
        autocompletion=completion.automation,
    ),
]
Payload = Annotated[
    str,
    typer.Option(
        help="A JSON object; or @FILE; or @- for standard input.",
        autocompletion=completion.payload,
    ),
]
Last = Annotated[
    bool, typer.Option("--last", help="The newest run; with --automation, the newest of it.")
]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
LetterIds = Annotated[
    list[int] | None,
    typer.Argument(
        metavar="ID", min=1, help="Ids of dead letters.", autocompletion=completion.letter
    ),
]
OfEvent = Annotated[
    str | None,
    typer.Option(
        "--event",
        help="Those of this event id, or of all under `orders.*`.",
        autocompletion=completion.event,
    ),
]
AllLetters = Annotated[bool, typer.Option("--all", help="All that are there now.")]
OfKind = Annotated[
    ParkedKind | None,
    typer.Option(
        "--kind",
        help="Only of this kind.",
    ),
]
ParkedIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Ids of what is parked.", autocompletion=completion.parked),
]
AllParked = Annotated[bool, typer.Option("--all", help="All that is parked now.")]
AllRuns = Annotated[bool, typer.Option("--all", help="All that are there now.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what it would be for.")]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
NAME_RUNS: Final = (
    "one argument: name runs, or --last, or which by --automation, --event, --error, ..., or --all"
)
EVERY_EVENT: Final = "*"
"""As `--event`: the letters of all events."""


def check_run(run: str | None, automation: str | None, *, last: bool) -> None:
    """Check that one run was named.

    Raises:
        typer.BadParameter: None was, or in two ways.
    """
    if last == (run is not None):
        raise typer.BadParameter("one argument: name a run, or --last", param_hint="RUN_ID")
    if automation is not None and not last:
        raise typer.BadParameter("it goes with --last", param_hint="--automation")


def letters_of(ids: LetterIds, event: OfEvent, *, everything: bool) -> str | None:
    """Give the event whose dead letters were chosen, None where ids were.

    Raises:
        typer.BadParameter: Nothing was chosen, or it was in two ways.
    """
    if sum((bool(ids), event is not None, everything)) != 1:
        raise typer.BadParameter("name ids, or --event, or --all", param_hint="ID")
    if event == "":
        text = "--event is empty: name an event id, or orders.* for all under orders."
        raise typer.BadParameter(text, param_hint="ID")
    return EVERY_EVENT if everything else event


def parked_of(ids: ParkedIds, kind: OfKind, automation: OfAutomation, *, everything: bool) -> None:
    """Check that parked rows were chosen in one way.

    Raises:
        typer.BadParameter: Nothing was chosen, or it was in two ways.
    """
    if sum((bool(ids), kind is not None or automation is not None, everything)) != 1:
        text = "name ids, or --kind and --automation, or --all"
        raise typer.BadParameter(text, param_hint="ID")
