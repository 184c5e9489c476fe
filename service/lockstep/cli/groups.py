"""The commands in groups: `automations`, `runs`, `catalog`, `dead`, `migration`, `bus`, `db`."""

from contextlib import suppress
from typing import Annotated, Final

import typer

from lockstep.cli import complete
from lockstep.cli.context import AsJson, finish, load
from lockstep.cli.examples import examples
from lockstep_schemas.api import Enabled
from lockstep_schemas.run_events import RunStatus


def _group(about: str) -> typer.Typer:
    return typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)


automations: Final = _group("List and show automations.")
runs: Final = _group("List, show and watch runs.")
dead: Final = _group("Look after events that could not be handled.")
migration: Final = _group("Webhook subscriptions that could not be imported.")
catalog: Final = _group("List and show the types that the engine knows.")
streams: Final = _group("Streams, consumer groups and buckets on the bus.")
database: Final = _group("The schema of the database.")

Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
OfAutomation = Annotated[
    str | None,
    typer.Option(
        "--automation",
        help="Only of this automation: its id or name.",
        autocompletion=complete.automation,
    ),
]
LetterIds = Annotated[
    list[int] | None,
    typer.Argument(
        metavar="ID", min=1, help="Ids of dead letters.", autocompletion=complete.letter
    ),
]
OfEvent = Annotated[
    str | None,
    typer.Option(
        "--event",
        help="Those of this event id, or of all under `orders.*`.",
        autocompletion=complete.event,
    ),
]
AllLetters = Annotated[bool, typer.Option("--all", help="All that are there now.")]


@automations.command("list", epilog=examples("automations list"))
def list_automations(
    context: typer.Context,
    status: Annotated[Enabled | None, typer.Option(help="Only those.")] = None,
    group: Annotated[str | None, typer.Option(help="Only of this group.")] = None,
    limit: Limit = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List automations, oldest first."""
    from lockstep.cli import automations as work  # noqa: PLC0415 - quick --help

    settings = load(context).settings
    finish(
        work.list_automations(
            settings, status=status, group=group, limit=limit, offset=offset, as_json=as_json
        )
    )


@automations.command("show", epilog=examples("automations show"))
def show_automation(
    context: typer.Context,
    automation: Annotated[
        str, typer.Argument(help="Its id or name.", autocompletion=complete.automation)
    ],
    as_json: AsJson = False,
) -> None:
    """Show an automation as YAML that `apply` takes."""
    from lockstep.cli import automations as work  # noqa: PLC0415 - quick --help

    finish(work.show(load(context).settings, automation, as_json=as_json))


@runs.command("list", epilog=examples("runs list"))
def list_runs(
    context: typer.Context,
    automation: OfAutomation = None,
    status: Annotated[RunStatus | None, typer.Option(help="Only those.")] = None,
    context_key: Annotated[
        str | None, typer.Option(help="Only of this context key; empty for those of none.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only since this time, or so long ago: 30s, 15m, 2h, 7d.")
    ] = None,
    limit: Limit = 50,
    cursor: Annotated[
        str | None, typer.Option(help="Go on behind a page: what it told as the next cursor.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    from lockstep.cli import runs as work  # noqa: PLC0415 - quick --help

    wanted = work.wanted(automation, status, context_key, since, limit, cursor)
    finish(work.list_runs(load(context).settings, wanted, as_json=as_json))


@runs.command("show", epilog=examples("runs show"))
def show_run(
    context: typer.Context,
    run: Annotated[
        str, typer.Argument(metavar="ID", help="Id of the run.", autocompletion=complete.run)
    ],
    whole: Annotated[bool, typer.Option("--all", help="Draw long loops in full.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw the steps of a run as a tree."""
    from lockstep.cli import runs as work  # noqa: PLC0415 - quick --help

    finish(work.show(load(context).settings, run, whole=whole, as_json=as_json))


@runs.command("watch", epilog=examples("runs watch"))
def watch_runs(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN_ID",
            help="Only this run, until it has ended.",
            autocompletion=complete.active_run,
        ),
    ] = None,
    automation: OfAutomation = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            help="Only events at which their run has this status; repeatable.",
            autocompletion=complete.status,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Follow run events as they happen; with a run, exit 0 if it succeeds, else 1."""
    from lockstep.cli import watch as work  # noqa: PLC0415 - quick --help

    if run is not None and (automation is not None or status):
        text = "name a run, or --automation and --status, not both"
        raise typer.BadParameter(text, param_hint="RUN_ID")
    wanted = work.statuses(status or ())
    settings = load(context).settings
    if run is None:
        with suppress(KeyboardInterrupt):  # that is how it is ended
            finish(work.watch_all(settings, automation, wanted, as_json=as_json))
    else:
        finish(work.watch_run(settings, run, as_json=as_json))


@catalog.command("triggers", epilog=examples("catalog triggers"))
def show_triggers(
    context: typer.Context,
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="Only this type, in full.", autocompletion=complete.trigger_type
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the types of triggers, or show one with its JSON Schemas."""
    from lockstep.cli import catalog as work  # noqa: PLC0415 - quick --help

    finish(work.show(load(context).settings, "triggers", wanted, as_json=as_json))


@catalog.command("actions", epilog=examples("catalog actions"))
def show_actions(
    context: typer.Context,
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="Only this type, in full.", autocompletion=complete.action_type
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the types of actions, or show one with its JSON Schema."""
    from lockstep.cli import catalog as work  # noqa: PLC0415 - quick --help

    finish(work.show(load(context).settings, "actions", wanted, as_json=as_json))


@catalog.command("artifacts", epilog=examples("catalog artifacts"))
def show_artifacts(
    context: typer.Context,
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="Only this type, in full.", autocompletion=complete.artifact_type
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the types of artifacts, or show one with its JSON Schema."""
    from lockstep.cli import catalog as work  # noqa: PLC0415 - quick --help

    finish(work.show(load(context).settings, "artifacts", wanted, as_json=as_json))


@dead.command("list", epilog=examples("dead list"))
def list_letters(
    context: typer.Context,
    event: OfEvent = None,
    limit: Limit = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Only older than this id.")] = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""
    from lockstep.cli import dead as work  # noqa: PLC0415 - quick --help

    finish(work.list_letters(load(context).settings, event, limit, before, as_json=as_json))


@dead.command("show", epilog=examples("dead show"))
def show_letter(
    context: typer.Context,
    letter: Annotated[
        int,
        typer.Argument(
            metavar="ID", min=1, help="Id of the dead letter.", autocompletion=complete.letter
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show a dead letter with its headers and its body."""
    from lockstep.cli import dead as work  # noqa: PLC0415 - quick --help

    finish(work.show(load(context).settings, letter, as_json=as_json))


@dead.command("retry", epilog=examples("dead retry"))
def retry_letters(
    context: typer.Context,
    ids: LetterIds = None,
    event: OfEvent = None,
    everything: AllLetters = False,
    as_json: AsJson = False,
) -> None:
    """Publish events again as they were, oldest first, and delete their dead letters."""
    from lockstep.cli import dead as work  # noqa: PLC0415 - quick --help

    chosen = work.chosen(ids, event, everything=everything)
    finish(work.retry(load(context).settings, ids or [], chosen, as_json=as_json))


@dead.command("discard", epilog=examples("dead discard"))
def discard_letters(
    context: typer.Context,
    ids: LetterIds = None,
    event: OfEvent = None,
    everything: AllLetters = False,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for good; asks first on a terminal."""
    from lockstep.cli import dead as work  # noqa: PLC0415 - quick --help

    chosen = work.chosen(ids, event, everything=everything)
    finish(work.discard(load(context).settings, ids or [], chosen, sure=sure, as_json=as_json))


@migration.command("failures", epilog=examples("migration failures"))
def list_failures(context: typer.Context, as_json: AsJson = False) -> None:
    """List what failed and is not acknowledged, oldest first."""
    from lockstep.cli import subscriptions as work  # noqa: PLC0415 - quick --help

    finish(work.list_failures(load(context).settings, as_json=as_json))


@migration.command("acknowledge", epilog=examples("migration acknowledge"))
def acknowledge_failures(
    context: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Ids of subscriptions.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are listed now.")] = False,
    as_json: AsJson = False,
) -> None:
    """List failures no longer, until they fail again."""
    from lockstep.cli import subscriptions as work  # noqa: PLC0415 - quick --help

    if bool(ids) == everything:
        raise typer.BadParameter("name ids, or --all", param_hint="ID")
    finish(work.acknowledge(load(context).settings, ids or [], as_json=as_json))


@streams.command("apply", epilog=examples("bus apply"))
def apply_bus(context: typer.Context, as_json: AsJson = False) -> None:
    """Create what is missing and update what differs, and show it; also if manage_bus is off."""
    from lockstep.cli import streams as work  # noqa: PLC0415 - quick --help

    finish(work.apply(load(context).settings, as_json=as_json))


@streams.command("status", epilog=examples("bus status"))
def show_bus(context: typer.Context, as_json: AsJson = False) -> None:
    """Say what is missing or different; exit 1 if something is."""
    from lockstep.cli import streams as work  # noqa: PLC0415 - quick --help

    finish(work.status(load(context).settings, as_json=as_json))


@database.command("migrate", epilog=examples("db migrate"))
def migrate_database(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the schema up to date."""
    from lockstep.cli import database as work  # noqa: PLC0415 - quick --help

    finish(work.migrate(load(context).settings, as_json=as_json))


@database.command("status", epilog=examples("db status"))
def show_database(context: typer.Context, as_json: AsJson = False) -> None:
    """Say which migrations are applied; exit 1 if some are missing."""
    from lockstep.cli import database as work  # noqa: PLC0415 - quick --help

    finish(work.status(load(context).settings, as_json=as_json))
