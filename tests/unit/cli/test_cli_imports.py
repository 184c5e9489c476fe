"""A command imports what it needs: its processor time is that of its imports, above all."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lockstep.cli.entry import run
from lockstep.cli.main import COMMANDS

OF_SERVERS = {
    "uvicorn",
    "prometheus_client",
    "opentelemetry",
    "uvloop",
    "aiohttp",
    "multiprocessing",
}
OF_THE_STORE = {"asyncpg"}
OF_THE_BUS = {"nats"}
OF_DEFINITIONS = {"jinja2", "regex", "re2", "cronsim", "jsonschema_rs"}
OF_PROGRAMS = {"lockstep.catalog", "lockstep.model.program", "lockstep.render"}
OF_SERVICES = {"nats.micro"}
OF_TYPER = {"pydantic", "rich"}
OF_TRACEBACKS = {"rich.traceback", "pygments", "attr"}
HERE = {"lockstep.cli", "lockstep.client", "lockstep.model"}

NOBODY = ("--nats-url", "nats://127.0.0.1:1")
ASKING = (
    "automations list",
    "automations show x",
    "cancel x",
    "catalog triggers",
    "catalog actions x",
    "dead list",
    "parked list",
    "publish a.b",
    "retry x",
    "runs list",
    "runs show x",
    "start x",
    "status",
    "toggle x",
    "why x",
)
DOOR = """
name: Door
definition:
  name: Door
  triggers: [{event: sensor.door, filter: trigger.payload.state == 'open'}]
  actions: [{action: automation.log, config: {message: "{{ trigger.payload.room }}"}}]
"""


def imported(*lines: Sequence[str]) -> set[str]:
    """Run commands in a new interpreter; give the modules that are loaded then."""
    program = (
        "import sys\n"
        "from lockstep.cli.entry import run\n"
        f"for line in {[[*line] for line in lines]!r}:\n"
        "    run(line)\n"
        "print('loaded:', *sys.modules)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("loaded:")[2].split())


def test_the_version_and_the_list_of_all_commands_are_told_without_typer() -> None:
    found = imported(["--help"], ["-h"], ["--version"])
    assert found & {"typer", "msgspec", "asyncio", "lockstep.cli.main"} == set()


def test_a_list_of_commands_imports_none_of_them() -> None:
    groups = {row.partition(" ")[0] for row in COMMANDS if " " in row}
    found = imported(["--config"], *([group, "--help"] for group in groups))
    assert found & {"asyncio", "msgspec", "structlog", *OF_TYPER} == set()
    ours = {name for name in found if name.startswith("lockstep.")}
    of_groups = {f"lockstep.cli.commands.{group}" for group in groups}
    assert ours == of_groups | {
        "lockstep.cli", "lockstep.cli.commands", "lockstep.cli.context", "lockstep.cli.entry",
        "lockstep.cli.main", "lockstep.client", "lockstep.client.unreachable", "lockstep.model",
        "lockstep.model.errors",
    }  # fmt: skip


def test_a_command_that_asks_an_engine_imports_nothing_of_an_engine() -> None:
    found = imported(*([*NOBODY, *line.split()] for line in ASKING))
    assert "nats" in found
    heavy = OF_SERVERS | OF_SERVICES | OF_THE_STORE | OF_DEFINITIONS | OF_PROGRAMS
    heavy |= OF_TRACEBACKS | {"pydantic"}
    assert found & heavy == set()
    assert not [name for name in found if name.startswith(("lockstep.telemetry", "lockstep.store"))]


def test_a_check_of_files_imports_neither_servers_nor_the_bus(tmp_path: Path) -> None:
    file = tmp_path / "door.yaml"
    file.write_text(DOOR)
    found = imported(["validate", str(file)])
    assert "jinja2" in found
    assert found & (OF_SERVERS | OF_THE_STORE | OF_THE_BUS | OF_TRACEBACKS | OF_TYPER) == set()


def test_applying_files_imports_nothing_that_judges_them_and_no_rich_where_no_terminal_is(
    tmp_path: Path,
) -> None:
    file = tmp_path / "door.yaml"
    file.write_text(DOOR)
    found = imported([*NOBODY, "apply", str(file)])
    assert {"nats", "lockstep.cli.files.rollout"} <= found
    heavy = OF_SERVERS | OF_SERVICES | OF_THE_STORE | OF_DEFINITIONS | OF_PROGRAMS
    heavy |= OF_TRACEBACKS | {"pydantic", "rich.progress"}
    assert found & heavy == set()


def test_an_engine_that_runs_cases_imports_nothing_that_tells_others_of_it() -> None:
    program = "import sys, lockstep.cli.silence, lockstep.testbed.sharing\nprint(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert {"asyncpg", "lockstep.engine.engine"} <= found
    assert found & {"uvicorn", "prometheus_client", "opentelemetry", "aiohttp", "rich"} == set()


def test_the_codes_of_errors_are_found_without_what_has_none() -> None:
    found = imported(["errors"])
    assert "lockstep.engine.errors" in found
    assert found & (OF_SERVERS | OF_THE_STORE | OF_TRACEBACKS | {"pydantic"}) == set()
    assert not [name for name in found if name.startswith(("lockstep.store", "lockstep.testbed"))]


@pytest.mark.parametrize("servers", ["ws://127.0.0.1:1", "wss://a.example"])
def test_no_server_may_be_named_for_which_nats_py_needs_aiohttp(
    servers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--nats-url", servers, "status"]) == 1
    assert "nats.servers" in capsys.readouterr().err
