"""Settings: where each comes from, what is wrong with them, and what nobody may see of them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lockstep.model.errors import SettingError
from lockstep.settings.load import Loaded, load

SECRET = "hunter2"  # noqa: S105 - that no output may show


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in: no lockstep.toml, no `lockstep dev` near."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(environ: Mapping[str, str] | None = None, toml: str = "", **overrides: Any) -> Loaded:
    """Read settings from texts."""
    path = None
    if toml:
        path = Path("settings.toml")
        path.write_text(toml)
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load(path, environ or {}, named)


def refused(environ: Mapping[str, str] | None = None, toml: str = "", **overrides: Any) -> str:
    """Read settings that are wrong; give the message."""
    with pytest.raises(SettingError) as caught:
        loaded(environ, toml, **overrides)
    return str(caught.value)


def of_file(name: str) -> dict[str, Any]:
    """The override that names the password file."""
    return {"postgres__password_file": name}


def shown(found: Loaded) -> dict[str, object]:
    """What `lockstep config` shows, by name."""
    return {name: value for name, value, _ in found.shown()}


# Sources


def test_without_any_source_all_settings_have_their_defaults() -> None:
    found = loaded()
    assert found.settings.nats.servers == ["nats://127.0.0.1:4222"]
    assert found.settings.engine.max_walks == 256
    assert found.sources == {}
    assert {source for _, _, source in found.shown()} == {"default"}


def test_a_toml_file_sets_what_it_names_and_nothing_else() -> None:
    found = loaded(toml='[engine]\nmax_walks = 7\n[nats]\nservers = ["nats://a", "nats://b"]\n')
    assert found.settings.engine.max_walks == 7
    assert found.settings.engine.batch_size == 256
    assert found.settings.nats.servers == ["nats://a", "nats://b"]
    assert found.sources["engine.max_walks"] == "settings.toml"


def test_lockstep_toml_of_this_folder_is_read_unasked(folder: Path) -> None:
    (folder / "lockstep.toml").write_text("[engine]\nmax_walks = 8\n")
    assert load(None, {}).settings.engine.max_walks == 8


def test_the_variable_lockstep_config_names_the_file(folder: Path) -> None:
    (folder / "other.toml").write_text("[engine]\nmax_walks = 9\n")
    assert loaded({"LOCKSTEP_CONFIG": "other.toml"}).settings.engine.max_walks == 9


def test_a_double_underscore_in_a_variable_parts_section_and_name() -> None:
    found = loaded({"LOCKSTEP_ENGINE__MAX_READY_RUNS": "12", "OTHER": "x"})
    assert found.settings.engine.max_ready_runs == 12
    assert found.sources["engine.max_ready_runs"] == "environment LOCKSTEP_ENGINE__MAX_READY_RUNS"


def test_the_command_line_beats_the_environment_and_that_the_file() -> None:
    variable = {"LOCKSTEP_ENGINE__MAX_WALKS": "2", "LOCKSTEP_ENGINE__BATCH_SIZE": "2"}
    toml = "[engine]\nmax_walks = 1\nbatch_size = 1\nhop_limit = 1\n"
    engine = loaded(variable, toml, engine__max_walks=3).settings.engine
    assert (engine.max_walks, engine.batch_size, engine.hop_limit) == (3, 2, 1)


def test_a_list_in_a_variable_is_parted_by_commas() -> None:
    found = loaded({"LOCKSTEP_NATS__SERVERS": "nats://a, nats://b,"})
    assert found.settings.nats.servers == ["nats://a", "nats://b"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("1", True), ("YES", True), ("false", False), ("0", False), ("No", False)],
)
def test_booleans_in_variables_are_words_or_digits(text: str, value: bool) -> None:
    assert loaded({"LOCKSTEP_ENGINE__STEP_EVENTS": text}).settings.engine.step_events is value


def test_a_text_that_looks_like_a_boolean_or_number_stays_a_text() -> None:
    found = loaded({"LOCKSTEP_NATS__USER": "1", "LOCKSTEP_NATS__PREFIX": "true"})
    assert (found.settings.nats.user, found.settings.nats.prefix) == ("1", "true")


# Faults


def test_every_wrong_setting_is_named_at_once_each_with_its_source() -> None:
    message = refused(
        {"LOCKSTEP_ENGINE__HOP_LIMIT": "many", "LOCKSTEP_NATS__SERVRS": "nats://a"},
        '[engine]\nmax_walks = 0\n[log]\nlevel = "loud"\n[nope]\nx = 1\n',
        nats__prefix="a.b",
    )
    lines = {line.split()[0]: line for line in message.splitlines()[1:]}
    assert len(lines) == 6
    assert "environment LOCKSTEP_ENGINE__HOP_LIMIT" in lines["engine.hop_limit"]
    assert "settings.toml" in lines["engine.max_walks"]
    assert "settings.toml" in lines["log.level"]
    assert "settings.toml" in lines["nope.x"]
    assert "command line" in lines["nats.prefix"]
    assert "LOCKSTEP_NATS__SERVRS" in message


def test_a_near_miss_in_a_file_is_told_the_right_name() -> None:
    assert "did you mean engine.max_walks?" in refused(toml="[engine]\nmax_wlaks = 1\n")


@pytest.mark.parametrize("variable", ["LOCKSTEP_NATS__SERVRS", "LOCKSTEP_NATS_SERVERS"])
def test_a_near_miss_in_the_environment_is_told_the_right_variable(variable: str) -> None:
    message = refused({variable: "nats://a"})
    assert variable in message
    assert "LOCKSTEP_NATS__SERVERS?" in message


def test_an_unknown_variable_of_ours_is_refused() -> None:
    assert "LOCKSTEP_FROBNICATE" in refused({"LOCKSTEP_FROBNICATE": "1"})


def test_variables_that_kubernetes_sets_for_a_service_called_lockstep_are_left_alone() -> None:
    ports = {
        "LOCKSTEP_SERVICE_HOST": "10.0.0.1",
        "LOCKSTEP_SERVICE_PORT": "8080",
        "LOCKSTEP_PORT": "tcp://10.0.0.1:8080",
        "LOCKSTEP_PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    assert loaded(ports).sources == {}


def test_a_setting_where_a_table_is_expected_is_refused() -> None:
    assert "nats" in refused(toml='nats = "nats://a"\n')


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_seconds_are_finite_and_not_negative(value: str) -> None:
    assert "engine.grace_seconds" in refused({"LOCKSTEP_ENGINE__GRACE_SECONDS": value})


def test_a_file_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(SettingError, match=r"nowhere\.toml: cannot be read"):
        load(Path("nowhere.toml"), {})


@pytest.mark.parametrize("content", [b"[engine", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_an_error_that_names_it(folder: Path, content: bytes) -> None:
    (folder / "broken.toml").write_bytes(content)
    with pytest.raises(SettingError, match=r"broken\.toml: no TOML"):
        load(Path("broken.toml"), {})


# Secrets


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NATS__PASSWORD", SECRET),
        ("NATS__TOKEN", SECRET),
        ("NATS__SERVERS", f"nats://ada:{SECRET}@a:4222,nats://ada:{SECRET}@b:4222"),
        ("NATS__SERVERS", f"nats://{SECRET}@a:4222"),
        ("POSTGRES__DSN", f"postgresql://ada:{SECRET}@a/b"),
        ("POSTGRES__DSN", f"postgresql://ada@a/b?sslmode=disable&password={SECRET}"),
        ("POSTGRES__DSN", f"postgresql://ada@a/b?sslpassword={SECRET}"),
        ("POSTGRES__DSN", f"postgresql://ada:x@{SECRET}@a/b"),
        ("POSTGRES__DSN", f"postgresql://ada:{SECRET}://x@a/b"),
    ],
)
def test_no_secret_is_shown_or_in_a_repr(name: str, value: str) -> None:
    found = loaded({f"LOCKSTEP_{name}": value})
    assert SECRET not in str(list(found.shown()))
    assert SECRET not in repr(found)
    assert SECRET not in repr(found.settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nats__password", [SECRET]),
        ("nats__servers", f"nats://ada:{SECRET}@a"),
        ("nats__servers", [{"url": f"nats://ada:{SECRET}@a"}]),
        ("postgres__dsn", [f"postgresql://ada:{SECRET}@a/b"]),
        ("postgres__dsn", f"host=a user=b password={SECRET}"),
    ],
)
def test_no_secret_is_in_the_message_about_a_wrong_value(name: str, value: Any) -> None:
    assert SECRET not in refused(**{name: value})


def test_what_is_no_secret_is_shown_beside_one() -> None:
    found = shown(loaded({"LOCKSTEP_POSTGRES__DSN": f"postgresql://ada:{SECRET}@a:5/b?x=y"}))
    assert "a:5/b?x=y" in str(found["postgres.dsn"])


def test_the_password_of_a_file_goes_into_the_dsn_and_is_not_shown(folder: Path) -> None:
    (folder / "password").write_text(f"{SECRET} &?/\n")
    dsn = "postgresql://ada@a/b?sslmode=disable"
    found = loaded(postgres__dsn=dsn, **of_file("password"))
    assert found.settings.postgres.dsn == (
        f"postgresql://ada@a/b?sslmode=disable&password={SECRET}%20%26%3F%2F"
    )
    assert SECRET not in str(list(found.shown()))


def test_a_password_file_that_is_not_there_is_named_with_all_else_that_is_wrong() -> None:
    message = refused(engine__max_walks=0, **of_file("nowhere"))
    assert "postgres.password_file" in message
    assert "nowhere" in message
    assert "engine.max_walks" in message


def test_a_password_file_that_is_no_text_is_an_error_and_no_traceback(folder: Path) -> None:
    (folder / "password").write_bytes(b"\xff\xfe\x00")
    assert "postgres.password_file" in refused(**of_file("password"))


# `lockstep dev` in this folder or above


def dev(folder: Path, **fields: object) -> Path:
    """Write what `lockstep dev` would, of this process."""
    note = folder / ".lockstep" / "dev.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    given = {"nats_url": "nats://dev", "postgres_dsn": "postgresql://dev/x", "pid": os.getpid()}
    note.write_text(json.dumps({**given, **fields}))
    return note


def test_the_servers_of_lockstep_dev_in_this_folder_are_used(folder: Path) -> None:
    note = dev(folder)
    found = loaded()
    assert found.settings.nats.servers == ["nats://dev"]
    assert found.settings.postgres.dsn == "postgresql://dev/x"
    assert found.sources["nats.servers"] == str(note)


def test_the_servers_of_lockstep_dev_in_a_folder_above_are_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev(folder)
    (folder / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(folder / "a" / "b")
    assert loaded().settings.nats.servers == ["nats://dev"]


@pytest.mark.parametrize(
    ("name", "value"), [("nats__servers", ["nats://a"]), ("postgres__dsn", "postgresql://a/b")]
)
def test_lockstep_dev_is_not_asked_where_an_address_is_configured(
    folder: Path, name: str, value: Any
) -> None:
    dev(folder)
    found = loaded(**{name: value})
    assert set(found.sources) == {name.replace("__", ".")}


def test_lockstep_dev_itself_does_not_look_for_another(folder: Path) -> None:
    dev(folder)
    assert load(None, {}, use_dev=False).sources == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"nats_url": 1}', '"x"'])
def test_a_broken_dev_json_is_an_error_that_names_it(folder: Path, text: str) -> None:
    note = dev(folder)
    note.write_text(text)
    assert str(note) in refused()


def test_a_dev_json_whose_process_has_ended_is_not_used(folder: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dev(folder, pid=ended.pid)
    assert loaded().sources == {}


# Secrets from files, and what else an environment may hold


@pytest.mark.parametrize("name", ["NATS__PASSWORD", "NATS__TOKEN", "POSTGRES__DSN"])
def test_a_secret_may_be_in_a_file_that_a_variable_names(folder: Path, name: str) -> None:
    (folder / "secret").write_text(f"postgresql://a:{SECRET}@b/c\n")
    found = loaded({f"LOCKSTEP_{name}_FILE": "secret"})
    section, field = name.lower().split("__")
    value = getattr(getattr(found.settings, section), field)
    assert value == f"postgresql://a:{SECRET}@b/c"
    assert "file secret" in found.sources[f"{section}.{field}"]
    assert SECRET not in repr(found)


def test_a_file_of_settings_may_name_the_file_of_a_secret(folder: Path) -> None:
    (folder / "secret").write_text(SECRET)
    assert loaded(toml='[nats]\npassword_file = "secret"').settings.nats.password == SECRET


def test_a_secret_and_its_file_at_once_are_refused(folder: Path) -> None:
    (folder / "secret").write_text(SECRET)
    both = {"LOCKSTEP_NATS__TOKEN": "x", "LOCKSTEP_NATS__TOKEN_FILE": "secret"}
    assert "give one of them" in refused(both)
    assert "give one of them" in refused(toml='[nats]\ntoken_file = "secret"\ntoken = "x"')


def test_the_file_of_a_secret_beats_a_secret_of_a_lower_source(folder: Path) -> None:
    (folder / "secret").write_text(SECRET)
    found = loaded({"LOCKSTEP_NATS__TOKEN_FILE": "secret"}, toml='[nats]\ntoken = "x"')
    assert found.settings.nats.token == SECRET


def test_a_password_file_beside_a_password_is_refused(folder: Path) -> None:
    (folder / "password").write_text("x")
    message = refused(postgres__dsn=f"postgresql://a:{SECRET}@b/c", **of_file("password"))
    assert "give one of them" in message
    assert SECRET not in message


def test_an_empty_variable_is_not_set() -> None:
    assert loaded({"LOCKSTEP_ENGINE__MAX_WALKS": ""}).sources == {}


def test_a_worker_may_not_be_stale_before_its_next_sign_of_life() -> None:
    assert "engine.heartbeat_seconds" in refused(engine__stale_seconds=0.5)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("engine__catalog", "lose", "one of open, strict"),
        ("engine__batch_size", 0, "a whole number from 1 to 1,000"),
        ("engine__step_events", "perhaps", "true or false"),
        ("nats__servers", [], "a list of 1 or more"),
    ],
)
def test_a_wrong_value_is_told_what_is_allowed(name: str, value: Any, words: str) -> None:
    assert f"{words}" in refused(**{name: value})


def test_the_folder_of_triggers_is_beside_the_file_unless_it_is_set(tmp_path: Path) -> None:
    file = tmp_path / "lockstep.toml"
    file.write_text("")
    assert load(file, {}, use_dev=False).settings.engine.triggers_folder == ""
    (tmp_path / "triggers").mkdir()
    loaded = load(file, {}, use_dev=False)
    assert loaded.settings.engine.triggers_folder == str(tmp_path / "triggers")
    assert loaded.sources["engine.triggers_folder"] == f"beside {file}"
    other = load(file, {"LOCKSTEP_ENGINE__TRIGGERS_FOLDER": "/x"}, use_dev=False)
    assert other.settings.engine.triggers_folder == "/x"


def test_a_value_of_a_secret_is_no_setting(tmp_path: Path) -> None:
    load(None, {"LOCKSTEP_SECRET_TOKEN": "value"}, use_dev=False)
