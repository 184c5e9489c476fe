"""What Tab offers without an engine: files, statuses, and else nothing, in silence."""

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from lockstep.cli import completion
from lockstep.cli.main import app


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with some files."""
    monkeypatch.chdir(tmp_path)
    for name in ("door.yaml", "data.json", "notes.txt", ".hidden.yaml", "flows/in.yml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", ["data.json", "door.yaml", "flows/"]),
        ("d", ["data.json", "door.yaml"]),
        (".h", [".hidden.yaml"]),
        ("flows/", ["flows/in.yml"]),
        ("nowhere/", []),
        ("x", []),
    ],
)
def test_files_of_automations_and_folders_are_offered(typed: str, offered: list[str]) -> None:
    assert completion.file(typed) == offered


def test_a_payload_is_offered_files_behind_an_at() -> None:
    assert completion.payload("@d") == ["@data.json"]
    assert completion.payload("{") == []


def test_statuses_are_offered() -> None:
    assert completion.status("s") == ["success", "skipped"]


def test_without_a_server_ids_are_offered_none_in_silence(
    capfd: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--nats-url", "nats://127.0.0.1:1", "status"]
    context: Any = get_command(app).make_context("lockstep", arguments, resilient_parsing=True)
    assert list(completion.automation(context, "")) == []
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
