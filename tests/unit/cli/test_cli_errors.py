"""`lockstep errors`, and the errors of commands: text for people, JSON for programs."""

import json
from pathlib import Path

import pytest

from lockstep.cli.entry import run
from lockstep.cli.terminal import failure
from lockstep.client.remote import ApiRefused
from lockstep_schemas.api import Fault, Issue

Capture = pytest.CaptureFixture[str]
AWAY = ("--nats-url", "nats://127.0.0.1:1")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, without settings."""
    monkeypatch.chdir(tmp_path)


def test_an_error_is_json_with_json_and_a_line_of_text_without(capsys: Capture) -> None:
    assert run([*AWAY, "runs", "list", "--json"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    fault = json.loads(told.err)
    assert fault.keys() == {"code", "error", "message"}
    assert (fault["code"], fault["error"]) == ("busy", "bus.unavailable")
    assert run([*AWAY, "runs", "list"]) == 1
    assert capsys.readouterr().err == f"error: {fault['message']}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "error", "said"),
    [
        (["--config", "no.toml", "config"], "bad_request", "setting.invalid", "no.toml"),
        (["migrate-subscriptions", "no.yaml"], "bad_request", "migration.file_refused", "no.yaml"),
        (["errors", "no.such"], "not_found", "errors.unknown", "no.such"),
    ],
)
def test_what_is_wrong_here_is_json_too(
    capsys: Capture, arguments: list[str], code: str, error: str, said: str
) -> None:
    assert run([*arguments, "--json"]) == 1
    fault = json.loads(capsys.readouterr().err)
    assert (fault["code"], fault["error"]) == (code, error)
    assert said in fault["message"]


def test_what_the_engine_answered_is_told_as_it_was() -> None:
    issue = Issue(path=["name"], message="too long")
    answered = Fault(code="conflict", error="automation.exists", message="m", issues=[issue])
    assert failure.fault(ApiRefused(answered)) == answered
    old = Fault(code="not_found", message="run 'x' not found")
    assert failure.fault(ApiRefused(old)) == Fault(
        code="not_found", error="api.refused", message="run 'x' not found"
    )


def test_a_code_is_explained(capsys: Capture) -> None:
    assert run(["errors", "run.not_found"]) == 0
    assert "lockstep runs list" in capsys.readouterr().out
    assert run(["errors", "run.not_found", "--json"]) == 0
    one = json.loads(capsys.readouterr().out)
    assert (one["code"], one["status"]) == ("not_found", "404")
    assert run(["errors", "--json"]) == 0
    assert one in json.loads(capsys.readouterr().out)
    assert run(["errors"]) == 0
    assert "run.not_found" in capsys.readouterr().out
