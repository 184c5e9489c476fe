"""What `lockstep dev` makes of the settings, and what it says."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

from lockstep.cli.commands.dev import tell_differences
from lockstep.cli.files import documents
from lockstep.cli.terminal.welcome import welcome
from lockstep.settings.load import (
    ADDRESSES,
    DEV,
    DEV_DEFAULTS,
    DEV_FILE,
    DEV_FIXED,
    Loaded,
    in_dev,
    load,
    note_of,
    passed_over,
)
from lockstep.settings.structs import Settings
from lockstep_schemas.base import Json

SAMPLES = Path(__file__).parents[3] / "deploy" / "samples"
URL, DSN = "nats://127.0.0.1:5", "postgresql://ada:hunter2@/x?host=/s"
# No bound of a number tells what is another one, no pattern what is another text.
OTHERS: dict[str, Json] = {
    "nats.servers": ["nats://far"],
    "nats.lanes": ["slow"],
    "postgres.dsn": "postgresql://far/x",
    "http.allowed_hosts": ["example.com"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def variables(**named: str) -> dict[str, str]:
    """An environment with settings."""
    return {f"LOCKSTEP_{name}": text for name, text in named.items()}


def loaded(**named: str) -> Loaded:
    """Settings of `lockstep dev` in an environment."""
    return load(None, variables(**named), of_dev=True)


def used(**named: str) -> Loaded:
    """What it uses of them."""
    return in_dev(loaded(**named), URL, DSN)


def every_setting() -> Iterator[tuple[str, Json]]:
    """Each setting, with a value that is not its default."""
    usual = Settings()
    for section in msgspec.structs.fields(Settings):
        for one in msgspec.structs.fields(section.type):
            name = f"{section.name}.{one.name}"
            default = getattr(getattr(usual, section.name), one.name)
            yield name, OTHERS.get(name) or other(inspect.type_info(one.type), default)


def other(kind: inspect.Type, default: Json) -> Json:
    """Another value of a type."""
    match kind:
        case inspect.Metadata():
            return other(kind.type, default)
        case inspect.LiteralType():
            return next(value for value in kind.values if value != default)
        case inspect.BoolType():
            return not default
        case inspect.IntType() | inspect.FloatType():
            return default / 2 if kind.le == default else default + 1
    return f"{default}x"


def flat(settings: Settings) -> dict[str, Json]:
    """All values by their names."""
    return {
        f"{section}.{name}": value
        for section, values in msgspec.structs.asdict(settings).items()
        for name, value in msgspec.structs.asdict(values).items()
    }


def as_toml(name: str, value: Json) -> str:
    """A file with one setting."""
    section, _, one = name.partition(".")
    return f"[{section}]\n{one} = {msgspec.json.encode(value).decode()}\n"


@pytest.mark.parametrize(("name", "value"), [*every_setting()], ids=str)
def test_a_setting_is_for_dev_what_it_is_for_serve(folder: Path, name: str, value: Json) -> None:
    """But for the servers, and what servers of our own leave no choice about."""
    (folder / "x").touch()
    file = folder / "settings.toml"
    file.write_text(as_toml(name, value))
    text = ",".join(value) if isinstance(value, list) else str(value)
    for source in (
        {"LOCKSTEP_CONFIG": str(file)},
        {f"LOCKSTEP_{name.replace('.', '__').upper()}": text},
    ):
        of_serve = flat(load(None, source, use_dev=False).settings)
        of_dev = flat(in_dev(load(None, source, of_dev=True), URL, DSN).settings)
        usual = {} if name in DEV_DEFAULTS else DEV_DEFAULTS
        ours = {**DEV_FIXED, "nats.servers": [URL], "postgres.dsn": DSN}
        assert of_dev == {**of_serve, **usual, **ours}
        assert of_serve[name] == value or name == "postgres.password_file"
        assert name in ours or of_dev[name] == value


@pytest.mark.parametrize(("name", "value"), [*every_setting()], ids=str)
def test_other_commands_in_its_folder_see_what_dev_uses(
    folder: Path, name: str, value: Json
) -> None:
    """Also what only its own environment said."""
    (folder / "x").touch()
    text = ",".join(value) if isinstance(value, list) else str(value)
    variable = name.replace(".", "__").upper()
    of_dev = used(**{variable: text})
    DEV_FILE.parent.mkdir()
    DEV_FILE.write_bytes(msgspec.json.encode(note_of(of_dev)))
    seen = load(None, {})
    wanted = flat(of_dev.settings)
    if name.endswith(("folder", "_file")) and name not in DEV_FIXED:
        wanted[name] = str(folder / text)
    assert flat(seen.settings) == wanted
    if name not in {*DEV_FIXED, *ADDRESSES}:
        assert seen.sources[name] == f"{DEV}, environment LOCKSTEP_{variable}"


def test_the_servers_are_our_own_and_any_event_may_be_used() -> None:
    settings = used(NATS__LANES="slow", NATS__SERVERS="nats://far").settings
    assert (settings.nats.servers, settings.postgres.dsn) == ([URL], DSN)
    assert settings.engine.catalog == "open"
    assert settings.nats.lanes == ["slow"]


def test_a_catalog_that_was_asked_for_stays() -> None:
    found = used(ENGINE__CATALOG="strict")
    assert found.settings.engine.catalog == "strict"
    assert found.sources["engine.catalog"] == "environment LOCKSTEP_ENGINE__CATALOG"


def test_a_default_of_dev_says_that_it_is_one() -> None:
    assert used().sources == {"engine.catalog": DEV, **dict.fromkeys(ADDRESSES, DEV)}


def test_credentials_of_other_servers_are_not_used() -> None:
    nats = used(NATS__USER="ada", NATS__PASSWORD="x", NATS__CREDENTIALS_FILE="/c").settings.nats
    assert [nats.user, nats.password, nats.credentials_file] == ["", "", ""]


def test_what_is_set_and_not_used_is_known_with_its_source() -> None:
    found = loaded(NATS__SERVERS="nats://far", NATS__REPLICAS="3", NATS__MANAGE_BUS="true")
    assert dict(passed_over(found)) == {
        "nats.servers": "environment LOCKSTEP_NATS__SERVERS",
        "nats.replicas": "environment LOCKSTEP_NATS__REPLICAS",
    }
    assert not list(passed_over(loaded(ENGINE__MAX_WALKS="3")))


def test_it_says_at_the_start_in_what_it_differs(capsys: pytest.CaptureFixture[str]) -> None:
    tell_differences(loaded(NATS__SERVERS="nats://far"))
    said = capsys.readouterr().err
    assert "engine.catalog is open" in said
    assert "strict" in said
    assert "nats.servers (environment LOCKSTEP_NATS__SERVERS) is not used" in said
    tell_differences(loaded(ENGINE__CATALOG="strict"))
    assert capsys.readouterr().err == ""


def test_in_the_folder_of_dev_nothing_of_other_servers_is_used_but_all_else_may_be_set() -> None:
    DEV_FILE.parent.mkdir()
    DEV_FILE.write_bytes(msgspec.json.encode(note_of(used(ENGINE__MAX_WALKS="3"))))
    seen = load(None, variables(NATS__USER="ada", ENGINE__MAX_WALKS="4"))
    assert (seen.settings.nats.user, seen.settings.engine.max_walks) == ("", 4)
    assert seen.sources["engine.max_walks"] == "environment LOCKSTEP_ENGINE__MAX_WALKS"
    assert seen.sources["engine.catalog"] == DEV


def test_no_secret_is_written_for_the_other_commands() -> None:
    found = used(NATS__PASSWORD="geheim", NATS__TOKEN="geheim", SECRETS__BUS="true")
    note = note_of(found)
    assert note.pid == os.getpid()
    assert b"geheim" not in msgspec.json.encode(note)
    assert note.settings["secrets.bus"][0] is True


def said(folder: Path, *, is_found: bool) -> str:
    """The welcome, with the sample automations of the project."""
    samples = documents.load(sorted(SAMPLES.glob("*.yaml")))
    assert not samples.faults
    lines = welcome(used().settings, folder, samples.documents, is_found=is_found)
    return "\n".join(line.plain for line in lines)


def test_the_welcome_says_what_runs_where_and_what_to_type_next(folder: Path) -> None:
    text = said(Path(".lockstep"), is_found=True)
    assert URL in text
    assert str(folder / ".lockstep") in text
    assert "Triage orders" in text
    assert """publish demo.hello --payload '{"name": "Ada"}'""" in text
    assert "hunter2" not in text
    assert "--nats-url" not in text


def test_commands_that_do_not_find_dev_are_told_the_address() -> None:
    assert f"--nats-url {URL} publish" in said(Path("data"), is_found=False)
