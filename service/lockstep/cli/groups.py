"""The commands in groups: `automations`, `runs`, `dead`, `migration`, `db`."""

from contextlib import suppress
from typing import Annotated, Final

import typer

from lockstep.cli.context import AsJson, finish, load
from lockstep_schemas.api import Enabled
from lockstep_schemas.run_events import RunStatus


def _group(about: str) -> typer.Typer:
    return typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)


automations: Final = _group("List and show automations.")
runs: Final = _group("List, show and watch runs.")
dead: Final = _group("List, show, retry and discard events that could not be handled.")
migration: Final = _group("Webhook subscriptions that could not be imported.")
database: Final = _group("The schema of the database.")

Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
OfAutomation = Annotated[
    str | None, typer.Option("--automation", help="Only of this automation: its id or name.")
]
LetterIds = Annotated[
    list[int] | None, typer.Argument(metavar="ID", min=1, help="Ids of dead letters.")
]
OfEvent = Annotated[
    str | None, typer.Option("--event", help="Those of this event id, or of all under `orders.*`.")
]
AllLetters = Annotated[bool, typer.Option("--all", help="All that are there now.")]


@automations.command("list")
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


@automations.command("show")
def show_automation(
    context: typer.Context,
    automation: Annotated[str, typer.Argument(help="Its id or name.")],
    as_json: AsJson = False,
) -> None:
    """Show an automation as YAML that `apply` takes."""
    from lockstep.cli import automations as work  # noqa: PLC0415 - quick --help

    finish(work.show(load(context).settings, automation, as_json=as_json))


@runs.command("list")
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
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    from lockstep.cli import runs as work  # noqa: PLC0415 - quick --help

    wanted = work.wanted(automation, status, context_key, since, limit)
    finish(work.list_runs(load(context).settings, wanted, as_json=as_json))


@runs.command("show")
def show_run(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="ID", help="Id of the run.")],
    whole: Annotated[bool, typer.Option("--all", help="Draw long loops in full.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw the steps of a run as a tree."""
    from lockstep.cli import runs as work  # noqa: PLC0415 - quick --help

    finish(work.show(load(context).settings, run, whole=whole, as_json=as_json))


@runs.command("watch")
def watch_runs(
    context: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN_ID", help="Only this run, until it has ended.")
    ] = None,
    automation: OfAutomation = None,
    as_json: AsJson = False,
) -> None:
    """Follow run events as they happen; with a run, exit 0 if it succeeds, else 1."""
    from lockstep.cli import watch as work  # noqa: PLC0415 - quick --help

    if run is not None and automation is not None:
        raise typer.BadParameter("name a run or an automation, not both", param_hint="RUN_ID")
    settings = load(context).settings
    if run is None:
        with suppress(KeyboardInterrupt):  # that is how it is ended
            finish(work.watch_all(settings, automation, as_json=as_json))
    else:
        finish(work.watch_run(settings, run, as_json=as_json))


@dead.command("list")
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


@dead.command("show")
def show_letter(
    context: typer.Context,
    letter: Annotated[int, typer.Argument(metavar="ID", min=1, help="Id of the dead letter.")],
    as_json: AsJson = False,
) -> None:
    """Show a dead letter with its headers and its body."""
    from lockstep.cli import dead as work  # noqa: PLC0415 - quick --help

    finish(work.show(load(context).settings, letter, as_json=as_json))


@dead.command("retry")
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


@dead.command("discard")
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


@migration.command("failures")
def list_failures(context: typer.Context, as_json: AsJson = False) -> None:
    """List what failed and is not acknowledged, oldest first."""
    from lockstep.cli import subscriptions as work  # noqa: PLC0415 - quick --help

    finish(work.list_failures(load(context).settings, as_json=as_json))


@migration.command("acknowledge")
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


@database.command("migrate")
def migrate_database(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the schema up to date."""
    from lockstep.cli import database as work  # noqa: PLC0415 - quick --help

    finish(work.migrate(load(context).settings, as_json=as_json))


@database.command("status")
def show_database(context: typer.Context, as_json: AsJson = False) -> None:
    """Say which migrations are applied; exit 1 if some are missing."""
    from lockstep.cli import database as work  # noqa: PLC0415 - quick --help

    finish(work.status(load(context).settings, as_json=as_json))
