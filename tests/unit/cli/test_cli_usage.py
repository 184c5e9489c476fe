"""Wrong use is told and leaves with 2; help is quick and there for every command."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.main import get_command

from lockstep import __version__
from lockstep.cli.entry import run
from lockstep.cli.main import app

HEAVY = {"nats", "asyncpg", "jinja2", "uvloop", "yaml", "jsonschema_rs", "rich", "structlog"}


class Told(NamedTuple):
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


class Shell:
    """Runs commands in this process."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]
    ) -> None:
        self._monkeypatch, self._captured = monkeypatch, captured

    def __call__(self, *arguments: str) -> Told:
        """Run a command as if it were typed."""
        self._monkeypatch.setattr(sys, "argv", ["lockstep", *arguments])
        try:
            code = run()
        except SystemExit as left:
            code = int(left.code or 0)
        said = self._captured.readouterr()
        return Told(code, said.out, said.err)


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """A shell in an empty folder, without settings."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("LOCKSTEP_"):
            monkeypatch.delenv(name)
    return Shell(monkeypatch, capsys)


def commands(group: Any, *above: str) -> Iterator[tuple[str, ...]]:
    """Every command and group below a group, as it is typed."""
    for name, command in getattr(group, "commands", {}).items():
        yield (*above, name)
        yield from commands(command, *above, name)


def test_every_command_has_help_that_says_what_it_does(shell: Shell) -> None:
    found = list(commands(get_command(app)))
    for wanted in (
        ("dev",),
        ("serve",),
        ("apply",),
        ("validate",),
        ("publish",),
        ("config",),
        ("automations", "list"),
        ("automations", "show"),
        ("runs", "list"),
        ("runs", "show"),
        ("runs", "watch"),
        ("db", "migrate"),
        ("db", "status"),
    ):
        assert wanted in found
    for command in found:
        told = shell(*command, "--help")
        assert told.code == 0, command
        assert f"Usage: lockstep {' '.join(command)}" in told.out, command
        assert "\x1b" not in told.out


@pytest.mark.parametrize("group", [(), ("automations",), ("runs",), ("dead",), ("parked",)])
def test_a_list_of_commands_says_of_each_what_it_does_to_the_end(
    shell: Shell, group: tuple[str, ...]
) -> None:
    told = shell(*group, "--help").out
    assert "..." not in told.partition("Commands:")[2]


def test_help_imports_nothing_that_is_slow() -> None:
    """Neither that of all commands nor that of one."""
    lines = [[*command, "--help"] for command in [(), *commands(get_command(app))]]
    program = (
        "import sys\n"
        "from lockstep.cli.entry import run\n"
        f"assert not any(run(line) for line in {lines!r})\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("Usage: lockstep") == len(lines)
    assert not HEAVY & set(done.stderr.splitlines())


@pytest.mark.parametrize("line", ["--version", "--help", "-h"])
@pytest.mark.parametrize("columns", ["40", "79", "80", "81", "200"])
def test_what_is_said_without_typer_is_what_typer_says(
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    app([line], prog_name="lockstep", standalone_mode=False)
    wanted = capsys.readouterr().out
    mend = "write what `app(['--help'], prog_name='lockstep')` says at COLUMNS=80 to cli/help.txt"
    assert shell(line).out == wanted, mend


def test_version_is_told(shell: Shell) -> None:
    told = shell("--version")
    assert (told.code, told.out) == (0, f"lockstep {__version__}\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("publish a.b --payload [1]", "object"),
        ("publish a.b --payload 7", "object"),
        ("publish a.b --payload {", "JSON"),
        ("publish a.b --payload @nowhere.json", "nowhere.json"),
        ("publish a.b --payload @latin1.json", "latin1.json"),
        ("publish a..b", "a..b"),
        ("publish a.*", "a.*"),
        ("publish >", ">"),
        ("publish a.b --actor {}x", "--actor"),
        ('publish a.b --actor {"type":"dog"}', "--actor"),
        ("publish", "argument"),
        ("publish a.b --paylod {}", "--payload"),
        ("--confg x config", "--config"),
        ("frobnicate", "frobnicate"),
        ("runs frobnicate", "frobnicate"),
        ("runs list --limit 0", "--limit"),
        ("runs list --status nope", "--status"),
        ("automations list --status nope", "--status"),
        ("runs show", "argument"),
        ("validate", "argument"),
        ("apply", "argument"),
    ],
)
def test_wrong_use_leaves_with_2_and_says_what_is_wrong(
    shell: Shell, tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "latin1.json").write_bytes(b'{"a": "\xe4"}')
    told = shell(*line.split())
    assert told.code == 2, told
    assert said in told.err
    assert told.out == ""


def test_a_line_break_in_a_message_id_is_wrong_use(shell: Shell) -> None:
    assert shell("publish", "a.b", "--message-id", "a\r\nb").code == 2


def test_wrong_settings_leave_with_1_and_name_all_of_them(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_ENGINE__MAX_WALKS", "0")
    monkeypatch.setenv("LOCKSTEP_NATS__SERVRS", "nats://a")
    told = shell("config")
    assert told.code == 1
    assert "engine.max_walks" in told.err
    assert "LOCKSTEP_NATS__SERVERS?" in told.err
    assert "Traceback" not in told.err


def test_a_file_of_settings_that_is_not_there_is_named(shell: Shell) -> None:
    told = shell("--config", "nowhere.toml", "config")
    assert told.code == 1
    assert "nowhere.toml: cannot be read: No such file" in told.err


def test_a_broken_dev_json_is_told_without_a_traceback(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / ".lockstep").mkdir()
    (tmp_path / ".lockstep" / "dev.json").write_text("{")
    told = shell("config")
    assert told.code == 1
    assert "dev.json: cannot be read" in told.err


def test_what_looks_like_markup_is_shown_as_it_is(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "[red]x[b] :b: [y].yaml").write_text("name: [")
    told = shell("validate", "[red]x[b] :b: [y].yaml")
    assert told.code == 1
    assert told.out.startswith("[red]x[b] :b: [y].yaml:1:8: ")
