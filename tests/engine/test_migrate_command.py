"""`lockstep db migrate` names the stored patterns that could not be saved any more."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from lockstep import store
from lockstep.cli.commands.db import migrate as command

PATTERN = "{{ trigger.payload.x | regex_match('(?=a)b') }}"


def definition(value: str) -> dict[str, Any]:
    """A definition in which a template stands."""
    action = {"id": "a", "action": "test.record", "config": {"value": value}}
    return {"name": "n", "triggers": [{"event": "e.x"}], "actions": [action]}


async def keep(dsn: str, definitions: list[Any]) -> None:
    """Store automations as an earlier version would have."""
    database = await store.Store.connect(dsn, 1)
    try:
        rows = [(f"a{number}", "n", raw) for number, raw in enumerate(definitions)]
        await store.AutomationStore(database).insert_many(rows)
    finally:
        await database.close()


async def migrated(dsn: str, *, as_json: bool) -> tuple[str, str]:
    """Migrate, which goes well whatever is found; give what is printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        assert await command._migrate(dsn, as_json=as_json)
    return out.getvalue(), err.getvalue()


async def test_patterns_that_are_out_of_date_are_named_some_at_most(dsn: str) -> None:
    await keep(dsn, [definition(PATTERN)] * 12 + [definition("fine")])
    _, told = await migrated(dsn, as_json=False)
    assert told.count("look-around") == command.SHOWN
    assert "automation a0: actions[0].config.value" in told
    assert "and 2 more: `lockstep doctor` lists them" in told
    out, _ = await migrated(dsn, as_json=True)
    assert len(json.loads(out)["findings"]) == command.SHOWN


@pytest.mark.parametrize("broken", [{"actions": 17}, "nonsense"])
async def test_a_definition_that_cannot_be_read_hides_no_pattern_and_fails_nothing(
    dsn: str, broken: Any
) -> None:
    await keep(dsn, [broken, definition(PATTERN)])
    out, _ = await migrated(dsn, as_json=True)
    found = [(one["verdict"], one["found"][:14]) for one in json.loads(out)["findings"]]
    assert found == [("unknown", "automation a0 "), ("warning", "automation a1:")]


async def test_nothing_is_told_where_all_is_well(dsn: str) -> None:
    await keep(dsn, [definition("fine")])
    _, told = await migrated(dsn, as_json=False)
    assert told == "the schema is up to date\n"
