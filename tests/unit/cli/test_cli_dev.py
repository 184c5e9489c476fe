"""What `lockstep dev` makes of the settings, and what it says."""

from pathlib import Path

import pytest

from lockstep.cli import documents
from lockstep.cli.dev import settings_for, welcome
from lockstep.config import Loaded, load

SAMPLES = Path(__file__).parents[3] / "deploy" / "samples"
URL, DSN = "nats://127.0.0.1:5", "postgresql://ada:hunter2@/x?host=/s"


def loaded(**variables: str) -> Loaded:
    """Settings of an environment."""
    return load(None, {f"LOCKSTEP_{name}": text for name, text in variables.items()}, use_dev=False)


def test_the_servers_are_our_own_and_any_event_may_be_used() -> None:
    settings = settings_for(loaded(NATS__LANES="slow", NATS__SERVERS="nats://far"), URL, DSN)
    assert (settings.nats.servers, settings.postgres.dsn) == ([URL], DSN)
    assert settings.engine.catalog == "open"
    assert settings.nats.lanes == ["slow"]


def test_a_catalog_that_was_asked_for_stays() -> None:
    assert settings_for(loaded(ENGINE__CATALOG="strict"), URL, DSN).engine.catalog == "strict"


def test_credentials_of_other_servers_are_not_used() -> None:
    there = loaded(NATS__USER="ada", NATS__PASSWORD="x", NATS__CREDENTIALS_FILE="/c")
    nats = settings_for(there, URL, DSN).nats
    assert [nats.user, nats.password, nats.credentials_file] == ["", "", ""]


def said(folder: Path) -> str:
    """The welcome, with the sample automations of the project."""
    samples = documents.load(sorted(SAMPLES.glob("*.yaml")))
    assert not samples.faults
    settings = settings_for(loaded(), URL, DSN)
    return "\n".join(line.plain for line in welcome(settings, folder, samples.documents))


def test_the_welcome_says_what_runs_where_and_what_to_type_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = said(Path(".lockstep"))
    assert URL in text
    assert str(tmp_path / ".lockstep") in text
    assert "Triage orders" in text
    assert """publish demo.hello --payload '{"name": "Ada"}'""" in text
    assert "hunter2" not in text
    assert "--nats-url" not in text


def test_commands_elsewhere_are_told_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"--nats-url {URL} publish" in said(tmp_path / "data")
