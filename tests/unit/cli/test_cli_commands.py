"""Every command of the specification is there, with examples; every reading one has `--json`."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from lockstep.cli import commands
from lockstep.cli.main import COMMANDS as ROWS
from lockstep.cli.main import app, command_of, module_of

# The table of section 5 of the specification, but for what reads legacy subscriptions and writes
# schemas: each command with the options that it names.
TABLE: dict[str, set[str]] = {
    "dev": set(),
    "serve": set(),
    "apply": {"--prune", "--dry-run", "--json"},
    "validate": {"--json"},
    "test": {"--only", "--junit", "--json", "-n"},
    "automations list": {"--json"},
    "automations show": {"--json"},
    "runs list": {"--json", "--limit", "--cursor", "--status", "--automation", "--since"},
    "runs show": {"--json"},
    "runs watch": {"--json", "--automation", "--status"},
    "catalog triggers": {"--json"},
    "catalog actions": {"--json"},
    "catalog artifacts": {"--json"},
    "catalog filters": {"--json"},
    "dead list": {"--json"},
    "dead show": {"--json"},
    "dead retry": set(),
    "dead discard": set(),
    "versions": {"--json", "--diff"},
    "publish": {"--payload"},
    "start": set(),
    "cancel": set(),
    "retry": {"--from"},
    "toggle": set(),
    "why": {"--json"},
    "config": {"--json"},
    "status": {"--json"},
    "bus apply": set(),
    "bus status": {"--json"},
    "db migrate": set(),
    "db status": {"--json"},
    "bench": {"--json"},
}


COMMANDS: dict[str, Any] = {row: command_of(row) for row in ROWS}


@pytest.mark.parametrize("command", TABLE)
def test_a_command_of_the_specification_is_there_with_its_options(command: str) -> None:
    options = {name for one in COMMANDS[command].params for name in one.opts}
    assert options >= TABLE[command]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_what_its_arguments_are_and_gives_examples(command: str) -> None:
    for parameter in COMMANDS[command].params:
        assert parameter.help, parameter.name
    assert "Examples:" in COMMANDS[command].epilog


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_a_command_can_be_typed(command: str) -> None:
    for line in module_of(command).EXAMPLES:
        words = shlex.split(line.partition(" > ")[0].partition(" && ")[0])
        while words[0].startswith("--"):  # what stands before the command, with its value
            words = words[2:]
        name = command.split()
        assert words[: len(name)] == name
        COMMANDS[command].make_context(command, words[len(name) :])


def test_the_module_of_a_command_is_where_its_name_says_and_in_the_table() -> None:
    """No module is beside the table, and none of the table is missing."""
    folder = Path(commands.__file__).parent
    modules = (path for path in folder.rglob("*.py") if path.name != "__init__.py")
    found = {" ".join(path.relative_to(folder).with_suffix("").parts) for path in modules}
    assert {name.replace("_", "-") for name in found} == set(ROWS) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_says_of_a_command_what_its_help_begins_with(command: str) -> None:
    assert ROWS[command] == COMMANDS[command].help.splitlines()[0]


def test_what_a_command_does_stands_in_one_line_of_the_list() -> None:
    group = get_command(app)
    shown = group.get_help(group.make_context("lockstep", [], resilient_parsing=True))
    assert "..." not in shown.partition("Commands:")[2]
