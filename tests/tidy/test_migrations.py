"""Migrations: whoever applies one reads first what it costs."""

import re

import pytest

from lockstep.store.migrate import FOLDER, known


@pytest.mark.parametrize("name", known())
def test_a_migration_says_when_to_apply_it_what_it_locks_and_what_older_code_makes_of_it(
    name: str,
) -> None:
    head = re.match(r"(?:--.*\n)*", (FOLDER / f"{name}.sql").read_text())
    assert head
    assert head[0].startswith(f"-- {name}: ")
    for what in ("Apply", "Lock", "Older code", "Transaction"):
        assert f"{what}:" in head[0], what


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [int(name.partition("_")[0]) for name in known()]
    assert numbers == [*range(1, len(numbers) + 1)]
