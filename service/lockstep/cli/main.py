"""The table of the commands, and what typer makes of it."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from lockstep import __version__
from lockstep.cli import commands
from lockstep.cli.context import Options

if TYPE_CHECKING:
    from typer._click.core import Command, Context  # typer has no other name for them

COMMANDS: Final[Mapping[str, str]] = {
    "dev": "Run servers, engine and samples on this machine.",
    "serve": "Run one engine against the servers of the settings.",
    "apply": "Store what files say; show what changes.",
    "validate": "Say what is wrong in files; needs no server.",
    "publish": "Publish an event.",
    "start": "Start a run by hand.",
    "toggle": "Enable or disable an automation.",
    "why": "Say what events started, and what refused them.",
    "cancel": "Cancel runs by their ids, or all of a filter.",
    "migrate-subscriptions": "Turn webhook subscriptions into automations.",
    "retry": "Start runs of the same version and event once more.",
    "bench": "Measure the engine, with servers of its own.",
    "test": "Run test cases of automations; needs no server.",
    "automations list": "List automations, oldest first.",
    "automations show": "Show an automation as YAML that `apply` takes.",
    "automations delete": "Delete automations and their history for good; "
    "asks first on a terminal.",
    "runs list": "List runs, newest first.",
    "runs show": "Draw the steps of a run as a tree, and the event that started it.",
    "runs watch": "Follow runs: on a terminal in a table, else event by event.",
    "dead list": "List dead letters, newest first.",
    "dead show": "Show a dead letter with its headers and its body.",
    "dead retry": "Publish events again as they were, oldest first, and delete their dead letters.",
    "dead discard": "Delete dead letters for good.",
    "parked list": "List what is parked, the longest parked first.",
    "parked show": "Show what is parked, why, and its row.",
    "parked retry": "Let each replica try again what is parked: within seconds, each does.",
    "parked discard": "End what is parked: runs are cancelled or fail, events become dead letters.",
    "migration failures": "List what failed and is not acknowledged, oldest first.",
    "migration acknowledge": "List failures no longer, until they fail again.",
    "catalog triggers": "List the types of triggers, or show one with its JSON Schemas.",
    "catalog actions": "List the types of actions, or show one with its JSON Schema.",
    "catalog artifacts": "List the types of artifacts, or show one with its JSON Schema.",
    "catalog filters": "List the filters and tests of templates and expressions, "
    "and what each does.",
    "bus apply": "Create what is missing and update what differs, and show it; "
    "also if manage_bus is off.",
    "bus status": "Say what is missing or different; exit 1 if something is.",
    "db migrate": "Bring the schema up to date.",
    "db status": "Say which migrations are applied; exit 1 if some are missing.",
    "status": "Show versions, workers, queues, runs.",
    "versions": "List, show or compare versions of an automation.",
    "config": "Show the settings, and where each comes from.",
    "errors": "Explain the codes of errors.",
    "schemas": "Write the JSON Schemas and the AsyncAPI document.",
    "doctor": "Say what is wrong, and how to mend it.",
}
"""All commands, in the order of the help, and what each does: the first line of its docstring, so
that a list of commands imports none of them. `runs list` is `command` in `commands/runs/list.py`;
what a group is for says the docstring of its package.
"""


def module_of(command: str) -> ModuleType:
    """Load the module of a command, or of a group."""
    return import_module(f"{commands.__name__}.{command.replace('-', '_').replace(' ', '.')}")


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


class Commands(TyperGroup):
    """Commands that are rows of the table until one is used: then its module is imported."""

    def resolve_command(
        self, ctx: "Context", args: list[str]
    ) -> "tuple[str | None, Command | None, list[str]]":
        """Find the command that was typed, and load it."""
        typed, found, rest = super().resolve_command(ctx, args)
        return typed, command_of(found.row) if isinstance(found, _Row) else found, rest


class _Row(TyperCommand):
    """What a list shows of a command."""

    def __init__(self, row: str) -> None:
        # In full: what is shortened ends in the middle of its line.
        text = COMMANDS[row]
        super().__init__(row.rpartition(" ")[2], help=text, short_help=text, rich_markup_mode=None)
        self.row = row


class _Root(Commands):
    """All commands and groups, as the table says."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - what typer hands to a group
        super().__init__(**attributes)
        groups: dict[str, Commands] = {}
        for command in COMMANDS:
            group, _, _name = command.rpartition(" ")
            if not group:
                self.add_command(_Row(command))
                continue
            if group not in groups:
                about = module_of(group).__doc__
                groups[group] = Commands(
                    name=group, help=about, no_args_is_help=True, rich_markup_mode=None
                )
                self.add_command(groups[group])
            groups[group].add_command(_Row(command))


def command_of(command: str) -> "Command":
    """Load a command."""
    module = module_of(command)
    lines = (f"  lockstep {line}" for line in module.EXAMPLES)
    made = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    # `\b` keeps the lines as they are.
    made.command(command.rpartition(" ")[2], epilog="\n".join(("\b", "Examples:", *lines)))(
        module.command
    )
    return get_command(made)


app: Final = typer.Typer(
    name="lockstep",
    help="Lockstep turns events on NATS JetStream into durable automations.",
    cls=_Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(_options)
