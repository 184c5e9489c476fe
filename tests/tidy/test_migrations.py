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


def test_migrations_have_numbers_of_their_own_in_the_order_of_their_names() -> None:
    """A letter behind a number tells two apart that were written at the same time."""
    numbers = [name.partition("_")[0] for name in known()]
    assert all(re.fullmatch(r"\d{4}[a-z]?", number) for number in numbers)
    assert numbers == sorted(set(numbers))
