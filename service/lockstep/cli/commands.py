"""The commands: what each takes. What it does is in the module of its name."""

from pathlib import Path
from typing import Annotated

import typer

from lockstep import __version__

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many at most.")]
Paths = Annotated[list[Path], typer.Argument(help="YAML or JSON files, or folders of them.")]

app = typer.Typer(
    name="lockstep",
    help="Turns events on NATS JetStream into durable automations.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
automations = typer.Typer(help="List and show automations.", no_args_is_help=True)
runs = typer.Typer(help="List, show and watch runs.", no_args_is_help=True)
database = typer.Typer(help="The schema of the database.", no_args_is_help=True)
app.add_typer(automations, name="automations")
app.add_typer(runs, name="runs")
app.add_typer(database, name="db")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lockstep {__version__}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file with settings.", exists=True, dir_okay=False)
    ] = None,
    nats_url: Annotated[str | None, typer.Option(help="Where NATS is.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turns events on NATS JetStream into durable automations."""
    from lockstep.cli.session import Options

    context.obj = Options(config, nats_url)


@app.command()
def dev(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Where the data is kept.")] = Path(".lockstep"),
    samples: Annotated[bool, typer.Option(help="Store the sample automations.")] = True,
) -> None:
    """Run everything on this machine: NATS, PostgreSQL, the engine. Ctrl-C stops all of it."""
    from lockstep.cli import serving

    serving.dev(context.obj, folder, samples=samples)


@app.command()
def serve(context: typer.Context) -> None:
    """Run one engine replica against the servers of the settings."""
    from lockstep.cli import serving

    serving.serve(context.obj)


@app.command()
def apply(
    context: typer.Context,
    paths: Paths,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what was applied before and is in no document.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create or update automations from files; show what changes."""
    from lockstep.cli import applying

    applying.apply(context.obj, paths, prune=prune, dry_run=dry_run, as_json=as_json)


@app.command()
def validate(
    paths: Paths,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse actions that this machine does not know.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say every fault of automations in files, with line and column; needs no server."""
    from lockstep.cli import documents

    documents.validate(paths, strict=strict, as_json=as_json)


@app.command()
def publish(
    context: typer.Context,
    event: Annotated[str, typer.Argument(help="The event id, such as orders.created.")],
    payload: Annotated[str, typer.Option(help="A JSON object, or @FILE.")] = "{}",
    context_key: Annotated[str | None, typer.Option(help="The context key.")] = None,
    actor: Annotated[str | None, typer.Option(help="Who causes it, as JSON.")] = None,
    message_id: Annotated[str | None, typer.Option(help="Its id; made up if absent.")] = None,
    as_json: Json = False,
) -> None:
    """Publish an event."""
    from lockstep.cli import publishing

    publishing.publish(context.obj, event, payload, context_key, actor, message_id, as_json=as_json)


@app.command("config")
def settings(context: typer.Context, as_json: Json = False) -> None:
    """Show the settings in force and where each comes from; secrets are masked."""
    from lockstep.cli import serving

    serving.show_settings(context.obj, as_json=as_json)


@app.command()
def bench(
    figures: Annotated[
        list[str] | None, typer.Argument(help="throughput, latency; all if absent.")
    ] = None,
    runs: Annotated[int, typer.Option(min=100, help="Runs to measure throughput with.")] = 5000,
    events: Annotated[int, typer.Option(min=20, help="Events to measure latency with.")] = 500,
    as_json: Json = False,
) -> None:
    """Measure this engine on this machine, with servers of its own."""
    from lockstep.cli import measuring

    measuring.bench(figures or [], runs, events, as_json=as_json)


@automations.command("list")
def list_automations(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="enabled or disabled.")] = None,
    group: Annotated[str | None, typer.Option(help="Of this group only.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List automations, by creation."""
    from lockstep.cli import reading

    reading.list_automations(context.obj, status, group, limit, as_json=as_json)


@automations.command("show")
def show_automation(
    context: typer.Context,
    automation: Annotated[str, typer.Argument(help="Id or name.")],
    as_json: Json = False,
) -> None:
    """Show an automation with its definition."""
    from lockstep.cli import reading

    reading.show_automation(context.obj, automation, as_json=as_json)


@runs.command("list")
def list_runs(
    context: typer.Context,
    automation: Annotated[str | None, typer.Option(help="Id of an automation.")] = None,
    status: Annotated[str | None, typer.Option(help="Of this status only.")] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    from lockstep.cli import reading

    reading.list_runs(context.obj, automation, status, limit, as_json=as_json)


@runs.command("show")
def show_run(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="The id of the run.")],
    as_json: Json = False,
) -> None:
    """Show a run: what started it, and its steps as a tree with times."""
    from lockstep.cli import reading

    reading.show_run(context.obj, run, as_json=as_json)


@runs.command("watch")
def watch_runs(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(help="One run: until it ends.")] = None,
    automation: Annotated[str, typer.Option(help="Id of an automation.")] = "*",
    as_json: Json = False,
) -> None:
    """Follow run events as they happen; of one run until it ends: 0 if it succeeded, else 1."""
    from lockstep.cli import watching

    watching.watch(context.obj, run, automation, as_json=as_json)


@database.command("migrate")
def migrate(context: typer.Context) -> None:
    """Bring the schema of the database up to date."""
    from lockstep.cli import serving

    serving.migrate(context.obj)


@database.command("status")
def status(context: typer.Context, as_json: Json = False) -> None:
    """Say which migrations are missing; 1 if any."""
    from lockstep.cli import serving

    serving.database_status(context.obj, as_json=as_json)
