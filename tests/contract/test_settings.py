"""The reference of settings: current, and nothing in it without a word."""

from pathlib import Path

import msgspec

from lockstep.cli.files import reference
from lockstep.settings import load as reader
from lockstep.settings.structs import Settings

PAGE = Path(__file__).parents[2] / "deploy/CONFIGURATION.md"


def test_the_page_is_the_one_that_is_generated() -> None:
    wanted = "`lockstep config --reference > deploy/CONFIGURATION.md`"
    assert PAGE.read_text() == reference.page(), f"run {wanted} and commit what it writes"


def test_every_setting_is_described() -> None:
    assert [one.name for one in reference.settings() if not one.description.strip()] == []


def test_every_setting_is_there_with_a_variable_that_sets_it() -> None:
    found = {one.name: one for one in reference.settings()}
    expected = {name for name, _, _ in reader.Loaded(Settings(), {}).shown()}
    assert set(found) == expected | set(reader.FROM_FILES)
    for name, one in found.items():
        if name.endswith("_file") or not isinstance(one.default, str):
            continue
        wrong = reader.load(environ={one.variable: ""}, use_dev=False)
        assert name not in wrong.sources, "empty counts as not set"


def test_the_defaults_are_those_in_force() -> None:
    shown = {name: value for name, value, _ in reader.Loaded(Settings(), {}).shown()}
    for one in reference.settings():
        if one.name in shown:
            assert msgspec.to_builtins(one.default) == msgspec.to_builtins(shown[one.name])


def test_secrets_are_marked() -> None:
    assert {one.name for one in reference.settings() if one.secret} == reader.SECRETS
    row = next(line for line in reference.page().splitlines() if "`nats.password`" in line)
    assert "**Secret.**" in row
