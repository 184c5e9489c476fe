"""The commands, and what becomes of their errors. The work itself is in modules of their own."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from lockstep import __version__
from lockstep.cli import complete
from lockstep.cli.context import AsJson, Options, finish, load
from lockstep.cli.examples import examples
from lockstep.cli.groups import automations, catalog, database, dead, migration, runs, streams
from lockstep.cli.reading import reading
from lockstep.model.errors import EngineError

app: Final = typer.Typer(
    name="lockstep",
    help="Lockstep turns events on NATS JetStream into durable automations.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(automations, name="automations")
app.add_typer(runs, name="runs")
app.add_typer(dead, name="dead")
app.add_typer(migration, name="migration")
app.add_typer(catalog, name="catalog")
app.add_typer(streams, name="bus")
app.add_typer(database, name="db")
app.add_typer(reading)

Paths = Annotated[
    list[Path],
    typer.Argument(
        help="YAML or JSON files, or folders of them.",
        show_default=False,
        autocompletion=complete.file,
    ),
]
Automation = Annotated[
    str, typer.Argument(help="Its id or name.", autocompletion=complete.automation)
]
Payload = Annotated[
    str,
    typer.Option(
        help="A JSON object; or @FILE; or @- for standard input.", autocompletion=complete.payload
    ),
]


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code: 0 done, 1 refused or failed, 2 wrong usage."""
    try:
        app(arguments, prog_name="lockstep")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:
        # Who read us has left. Nothing more can be said, not even at the end of the interpreter.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (EngineError, BaseExceptionGroup) as error:
        from lockstep.cli.output import complain  # noqa: PLC0415 - quick without errors

        for one in _told(error):
            complain(str(one))
        return 1
    return 0


def _told(error: BaseException) -> list[EngineError]:
    """Take a group of errors apart; if one of them is none of ours, it is a bug and raised."""
    if isinstance(error, BaseExceptionGroup):
        return [one for inner in error.exceptions for one in _told(inner)]
    if isinstance(error, EngineError):
        return [error]
    raise error


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lockstep {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="Settings as TOML; else LOCKSTEP_CONFIG, else ./lockstep.toml."),
    ] = None,
    nats_url: Annotated[
        str | None, typer.Option(help="Address of NATS; several with commas between.")
    ] = None,
    _: Annotated[
        bool,
        typer.Option("--version", help="Say the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Keep what stands before the command."""
    context.obj = Options(config, nats_url)


@app.command(epilog=examples("dev"))
def dev(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Where the data is kept.")] = Path(".lockstep"),
    samples: Annotated[bool, typer.Option(help="Store the sample automations.")] = True,
) -> None:
    """Run servers, engine and samples on this machine."""
    from lockstep.cli import dev as work, serve as service  # noqa: PLC0415, I001 - quick --help

    service.run(work.dev(load(context, use_dev=False), folder, samples=samples))


@app.command(epilog=examples("serve"))
def serve(context: typer.Context) -> None:
    """Run one engine against the servers of the settings."""
    from lockstep.cli import serve as work  # noqa: PLC0415 - quick --help

    work.run(work.serve(load(context).settings))


@app.command(epilog=examples("apply"))
def apply(
    context: typer.Context,
    paths: Paths,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what was applied before and is in no file.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Store what files say; show what changes.

    A document is an automation, or `trigger_types` with a list of types of triggers. The same id,
    else the same name, is the same automation.
    """
    from lockstep.cli import apply as work  # noqa: PLC0415 - quick --help

    settings = load(context).settings
    finish(work.apply(settings, paths, prune=prune, dry_run=dry_run, as_json=as_json))


@app.command(epilog=examples("validate"))
def validate(
    paths: Paths,
    strict: Annotated[
        bool, typer.Option("--strict", help="An action that is not known here is a fault.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong in files; needs no server."""
    from lockstep.cli import validate as work  # noqa: PLC0415 - quick --help

    if not work.validate(paths, strict=strict, as_json=as_json):
        raise typer.Exit(1)


@app.command(epilog=examples("publish"))
def publish(
    context: typer.Context,
    event: Annotated[
        str,
        typer.Argument(
            help="Id of the event, such as `orders.created`.", autocompletion=complete.event
        ),
    ],
    payload: Payload = "{}",
    context_key: Annotated[
        str | None, typer.Option(help="Context key; empty for none. Else the event's own.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help='Who caused it: {"type": "user", "id": ..., "name": ...}.')
    ] = None,
    message_id: Annotated[
        str | None, typer.Option(help="Of two events of one id the second is dropped.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish an event."""
    from lockstep.cli import publish as work  # noqa: PLC0415 - quick --help

    letter = work.letter(event, payload, context_key, actor, message_id)
    finish(work.publish(load(context).settings, letter, as_json=as_json))


@app.command(epilog=examples("start"))
def start(
    context: typer.Context,
    automation: Automation,
    trigger: Annotated[
        str | None,
        typer.Option(help="Id of a trigger; else the first."),
    ] = None,
    payload: Payload = "{}",
    context_key: Annotated[
        str | None, typer.Option(help="Context key; empty for none. Else that of the payload.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start a run by hand.

    Filter and conditions are passed over, the mode is honoured.
    """
    from lockstep.cli import operate as work  # noqa: PLC0415 - quick --help

    settings = load(context).settings
    finish(work.start(settings, automation, trigger, payload, context_key, as_json=as_json))


@app.command(epilog=examples("toggle"))
def toggle(
    context: typer.Context,
    automation: Automation,
    enabled: Annotated[bool, typer.Option("--on/--off", help="Enable or disable.")],
    as_json: AsJson = False,
) -> None:
    """Enable or disable an automation.

    Runs that wait or are queued go on.
    """
    from lockstep.cli import operate as work  # noqa: PLC0415 - quick --help

    finish(work.toggle(load(context).settings, automation, enabled=enabled, as_json=as_json))


@app.command(epilog=examples("why"))
def why(
    context: typer.Context,
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT_ID|MESSAGE_ID", help="Which events.", autocompletion=complete.event
        ),
    ],
    automation: Annotated[
        str | None,
        typer.Option(
            help="Only at this automation: its id or name.", autocompletion=complete.automation
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=50, help="At most so many events.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Say what events started, and what refused them."""
    from lockstep.cli import operate as work  # noqa: PLC0415 - quick --help

    finish(work.why(load(context).settings, event, automation, limit, as_json=as_json))


@app.command(epilog=examples("cancel"))
def cancel(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN_ID...", help="Ids of runs.", autocompletion=complete.active_run
        ),
    ],
    reason: Annotated[str | None, typer.Option(help="Why; kept with the run.")] = None,
    as_json: AsJson = False,
) -> None:
    """Cancel runs; one that has ended stays as it is."""
    from lockstep.cli import operate as work  # noqa: PLC0415 - quick --help

    finish(work.cancel(load(context).settings, runs, reason, as_json=as_json))


@app.command("migrate-subscriptions", epilog=examples("migrate-subscriptions"))
def migrate_subscriptions(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="YAML or JSON: a list, or {subscriptions: [...]}."),
    ],
    as_json: AsJson = False,
) -> None:
    """Turn webhook subscriptions into automations.

    Exit 1 if some could not be.
    """
    from lockstep.cli import subscriptions as work  # noqa: PLC0415 - quick --help

    finish(work.migrate(load(context).settings, file, as_json=as_json))


@app.command(epilog=examples("retry"))
def retry(
    context: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN_ID", help="A run that has ended.", autocompletion=complete.ended_run
        ),
    ],
    begins: Annotated[
        Literal["start", "failed"],
        typer.Option("--from", help="At its start, or at the step that failed, with what it had."),
    ] = "failed",
    as_json: AsJson = False,
) -> None:
    """Start a new run of the same version and event."""
    from lockstep.cli import operate as work  # noqa: PLC0415 - quick --help

    finish(work.retry(load(context).settings, run, begins, as_json=as_json))


@app.command(epilog=examples("bench"))
def bench(
    figures: Annotated[
        list[str] | None,
        typer.Argument(
            help="throughput, latency, nomatch (those if none is named); sleepers, takeover, loop, "
            "match, fairness."
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=100, help="Runs to measure throughput with.")] = 5000,
    events: Annotated[int, typer.Option(min=20, help="Events to measure latency with.")] = 500,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of throughput and floor.")] = 3,
    delays: Annotated[int, typer.Option(min=1, help="Runs to measure lateness with.")] = 10_000,
    spread: Annotated[
        float, typer.Option(min=0.1, help="Seconds over which these are due.")
    ] = 60.0,
    sleepers: Annotated[int, typer.Option(min=10, help="Runs that sleep meanwhile.")] = 100_000,
    iterations: Annotated[
        int, typer.Option(min=10, max=10_000, help="Iterations of the loop.")
    ] = 10_000,
    as_json: AsJson = False,
) -> None:
    """Measure the engine, with servers of its own."""
    from lockstep.cli import bench as work  # noqa: PLC0415 - quick --help

    sizes = work.Sizes(
        delays=delays, spread_seconds=spread, sleepers=sleepers, iterations=iterations
    )
    work.bench(figures or [], runs, events, rounds, sizes, as_json=as_json)


@app.command("test", epilog=examples("test"))
def run_cases(
    paths: Paths,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only the case of this id; repeatable.")
    ] = None,
    workers: Annotated[int, typer.Option("-n", min=1, max=16, help="Cases at a time.")] = 1,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit report here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run test cases of automations; needs no server."""
    from lockstep.cli import testing as work  # noqa: PLC0415 - quick --help

    if not work.test(paths, only=only or [], workers=workers, junit_file=junit, as_json=as_json):
        raise typer.Exit(1)
