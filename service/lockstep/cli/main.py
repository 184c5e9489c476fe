"""The table of the commands, and what becomes of their errors."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Final

import typer

from lockstep import __version__
from lockstep.cli import commands
from lockstep.cli.context import WANTS_JSON, Options
from lockstep.model.errors import EngineError

COMMANDS: Final = (
    "dev",
    "serve",
    "apply",
    "validate",
    "publish",
    "start",
    "toggle",
    "why",
    "cancel",
    "migrate-subscriptions",
    "retry",
    "bench",
    "test",
    "automations list",
    "automations show",
    "automations delete",
    "runs list",
    "runs show",
    "runs watch",
    "dead list",
    "dead show",
    "dead retry",
    "dead discard",
    "parked list",
    "parked show",
    "parked retry",
    "parked discard",
    "migration failures",
    "migration acknowledge",
    "catalog triggers",
    "catalog actions",
    "catalog artifacts",
    "catalog filters",
    "bus apply",
    "bus status",
    "db migrate",
    "db status",
    "status",
    "versions",
    "config",
    "errors",
    "schemas",
    "doctor",
)
"""All commands, in the order of the help. `runs list` is `command` in `commands/runs/list.py`;
what a group is for says the docstring of its package.
"""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code: 0 done, 1 refused or failed, 2 wrong usage."""
    WANTS_JSON.set(False)
    try:
        app(arguments, prog_name="lockstep")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:
        # Who read us has left. Nothing more can be said, not even at the end of the interpreter.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (EngineError, BaseExceptionGroup) as error:
        from lockstep.cli.terminal.failure import show  # noqa: PLC0415 - quick without errors

        for one in _errors_in(error):
            show(one, as_json=WANTS_JSON.get())
        return 1
    return 0


def module_of(command: str) -> ModuleType:
    """Load the module of a command, or of a group."""
    return import_module(f"{commands.__name__}.{command.replace('-', '_').replace(' ', '.')}")


def _errors_in(error: BaseException) -> list[EngineError]:
    """Take a group of errors apart; if one of them is none of ours, it is a bug and raised."""
    if isinstance(error, BaseExceptionGroup):
        return [one for inner in error.exceptions for one in _errors_in(inner)]
    if isinstance(error, EngineError):
        return [error]
    raise error


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lockstep {__version__}")
        raise typer.Exit


def _options(
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


def _made() -> typer.Typer:
    """Put the commands together as the table says."""
    made = typer.Typer(
        name="lockstep",
        help="Lockstep turns events on NATS JetStream into durable automations.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_options)
    groups: dict[str, typer.Typer] = {}
    for command in COMMANDS:
        group, _, name = command.rpartition(" ")
        if not group:
            # In a group without a name of its own: else typer lists it before all groups.
            alone = typer.Typer(rich_markup_mode=None)
            made.add_typer(alone)
            _add(alone, name, command)
            continue
        if group not in groups:
            about = module_of(group).__doc__
            groups[group] = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
            made.add_typer(groups[group], name=group)
        _add(groups[group], name, command)
    return made


def _add(group: typer.Typer, name: str, command: str) -> None:
    module = module_of(command)
    lines = (f"  lockstep {line}" for line in module.EXAMPLES)
    # `\b` keeps the lines as they are.
    group.command(name, epilog="\n".join(("\b", "Examples:", *lines)))(module.command)


app: Final = _made()
