"""The schema only grows: what the version before asks of it still works."""

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from databases import database, on_server
from engine.engine_fixture import engine_fixture, rows, settings_of
from lockstep.embedded import Servers
from lockstep.engine.serve import open_store
from lockstep.model.errors import ServerUnfit
from lockstep.store.migrate import FOLDER, known, migrate, pending

PREVIOUS = Path(__file__).with_name("previous.sql").read_text()
SCHEMA = re.findall(r"^-- schema: (\w+)$", PREVIOUS, re.MULTILINE)[0]
STATEMENTS = dict(re.findall(r"(?ms)^-- name: ([\w/]+)\n(.*?)(?=^-- name: |\Z)", PREVIOUS))

# What a version that is still at work would stumble over. `-- wider:` says why one does not.
CONTRACTS = re.compile(
    r"\b(drop\s+(table|column|view|constraint)|rename|alter\s+column\s+\w+\s+(type|set\s+data)"
    r"|set\s+not\s+null|add\s+(constraint|check|unique|primary|foreign)|truncate"
    r"|add\s+(?:column\s+)?\w+\s+[^,;]*\bnot\s+null(?![^,;]*\bdefault)"
    r"(?=[^,;]*[,;]))",
    re.IGNORECASE,
)


def contractions(text: str) -> list[str]:
    """Find statements that take something from the schema, and do not say why they may."""
    found = []
    for block in re.split(r"\n\s*\n", text):
        if "-- wider:" not in block:
            sql = re.sub(r"--[^\n]*", "", block)
            created = re.sub(r"create table.*?\n\)", "", sql, flags=re.DOTALL | re.IGNORECASE)
            found += [match[0] for match in CONTRACTS.finditer(created)]
    return found


@pytest.mark.parametrize("name", known()[1:])
def test_a_migration_takes_nothing_away_that_the_version_before_uses(name: str) -> None:
    assert contractions((FOLDER / f"{name}.sql").read_text()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "alter table runs drop column owner;",
        "alter table runs\n    rename column owner to worker;",
        "drop table waits;",
        "alter table runs add column lane text not null;",
        "alter table runs alter column epoch type bigint;",
        "alter table runs alter column owner set not null;",
        "alter table runs add check (epoch > 0);",
    ],
)
def test_what_takes_something_away_is_found(sql: str) -> None:
    assert contractions(sql)
    assert not contractions(f"-- wider: said\n{sql}")


@pytest.mark.parametrize(
    "sql",
    [
        "alter table runs add column lane text;",
        "alter table runs add column lane text not null default '';",
        "create table a (\n    id int primary key,\n    b text not null\n);",
        "create index a on runs (id);",
    ],
)
def test_what_only_grows_is_let_pass(sql: str) -> None:
    assert not contractions(sql)


@pytest.fixture
async def empty(servers: Servers) -> AsyncIterator[str]:
    """An empty database."""
    name = f"u_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name}")
    yield database(servers.postgres_dsn, name)
    await on_server(servers.postgres_dsn, f"drop database {name} with (force)")


async def results(dsn: str) -> dict[str, Sequence[tuple[str, str]]]:
    """Prepare each statement of the version before; give its columns and their types."""
    connection = await asyncpg.connect(dsn)
    try:
        found = {}
        for name, sql in STATEMENTS.items():
            attributes = (await connection.prepare(sql)).get_attributes()
            found[name] = [(one.name, one.type.name) for one in attributes]
        return found
    finally:
        await connection.close()


async def test_the_statements_of_the_version_before_give_the_same_on_the_schema_of_now(
    empty: str, dsn: str
) -> None:
    assert (await migrate(empty, until=SCHEMA))[-1] == SCHEMA
    assert len(STATEMENTS) > 100
    before, now = await results(empty), await results(dsn)
    for name, columns in before.items():
        # By name, as they are read: `r.*` gives a new one in the middle of what follows it.
        assert dict(columns).items() <= dict(now[name]).items(), name


GROW = """
do $$
declare name text;
begin
    for name in select table_name from information_schema.tables
                 where table_schema = 'public' and table_type = 'BASE TABLE'
    loop
        execute format('alter table %I add column of_tomorrow text not null default ''x''', name);
    end loop;
    create table tomorrow (id int primary key);
    insert into schema_migrations (name) values ('9999_tomorrow');
end $$
"""


async def test_this_version_works_on_the_schema_of_the_next_one(servers: Servers, dsn: str) -> None:
    assert await pending(dsn) == []
    await on_server(dsn, GROW)
    assert await pending(dsn) == [], "a schema that is newer is no reason to stay away"
    settings = settings_of(servers.nats_url, dsn, f"u{uuid4().hex[:12]}")
    actions = [
        {"delay": {"seconds": 1}},
        {
            "parallel": [
                {"id": "a", "action": "test.record", "config": {"value": "a"}},
                {"repeat": {"count": 2, "sequence": [{"variables": {"x": 1}}]}},
            ]
        },
        {"wait_for_trigger": {"event": "u.answer", "timeout_seconds": 60}},
    ]
    async with engine_fixture(settings) as opened:
        automation = await opened.automation(actions)
        queued = await opened.automation(actions[:1], mode="queued", max_runs=1)
        for one in (automation, queued, queued):
            await opened.publish(one.event, {})
        assert len(await opened.ended(queued.id, 2)) == 2
        await opened.heard(automation.id, "waiting")
        waiting = "select count(*) from waits where kind = 'event' and state = 'armed'"
        while not (await rows(dsn, waiting))[0][0]:
            await opened.heard(automation.id, "waiting")
        await opened.publish("u.answer", {})
        (run_id,) = await opened.ended(automation.id, 1)
        shown = await opened.call("runs.get", id=run_id)
        assert shown["run"]["status"] == "success"
        again = await opened.call("runs.retry", id=run_id, **{"from": "start"})
        await opened.call("runs.cancel", id=again["run_id"])
        for endpoint in ("runs.list", "automations.list", "dead.list", "catalog.actions"):
            await opened.call(endpoint)
        await opened.call("automations.delete", id=automation.id)


async def test_this_version_does_not_start_on_an_older_schema_and_says_what_to_do(
    servers: Servers, dsn: str
) -> None:
    newest = known()[-1]
    await on_server(dsn, f"delete from schema_migrations where name = '{newest}'")
    settings = settings_of(servers.nats_url, dsn, f"u{uuid4().hex[:12]}")
    with pytest.raises(ServerUnfit, match=f"{newest}: run `lockstep db migrate`"):
        await open_store(settings)
