"""Ids and cursors that are none: nothing is found by them, and what is beside them is handled."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from engine.engine_fixture import EngineFixture, engine_fixture, rows
from engine.shell import Shell
from engine.test_language import record
from engine.test_parked import LOUD, MAILER, _settings, parked
from lockstep.embedded import Servers
from patience import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_IDS = [
    "outbox:x:99999999999999999999999",
    f"outbox:x:{2**63}",
    "outbox:x:-1",
    "outbox:x:+1",
    "outbox:x:1_0",
    "outbox:x:" + "9" * 380,
    "outbox:\0:1",
    "automation:a\0",
    "automation:",
    "setup:a\0/b",
    "setup:/",
    "event:\0",
    "run:x",
    "x",
    ":",
]


@pytest.mark.parametrize("text", NO_IDS, ids=ascii)
async def test_what_is_no_id_of_a_parked_row_is_found_nowhere(
    shared: EngineFixture, text: str
) -> None:
    for endpoint, request in [
        ("parked.show", {"id": text}),
        ("parked.retry", {"ids": [text]}),
        ("parked.discard", {"ids": [text]}),
    ]:
        refused = await shared.ask(endpoint, **request)
        assert refused.error_code == "404"
        assert b'"parked.not_found"' in refused.body


async def test_what_is_no_id_keeps_no_other_from_being_retried_or_discarded(
    servers: Servers, dsn: str
) -> None:
    settings = _settings(servers, dsn)
    async with engine_fixture(settings, plugins=MAILER) as able:
        await able.automation([record("x")], triggers=[{"event": "p.came", "filter": LOUD}])
    async with engine_fixture(settings) as unable:
        await unable.publish("p.came", {"word": "go"})
        await until(lambda: _is_one_parked(dsn))
        (item,) = await parked(unable, kind="event")
        # As an id of this row is not written: it is not handled by it, and told of once.
        odd = [*NO_IDS, "event:" + UUID(item["id"].removeprefix("event:")).hex]
        for endpoint in ("parked.retry", "parked.discard"):
            done = await unable.call(endpoint, ids=[*odd[:7], item["id"], *odd[7:]])
            assert done["done"] == 1
            assert [(one["id"], one["code"]) for one in done["failed"]] == [
                (text, "not_found") for text in odd
            ]
        assert await parked(unable, kind="event") == []


async def test_all_that_is_parked_is_shown_and_retried_once_confirmed(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    settings = _settings(servers, dsn)
    shell = Shell(
        tmp_path,
        {
            "LOCKSTEP_NATS__SERVERS": servers.nats_url,
            "LOCKSTEP_NATS__PREFIX": settings.nats.prefix,
            "LOCKSTEP_POSTGRES__DSN": dsn,
        },
    )
    async with engine_fixture(settings, plugins=MAILER) as able:
        await able.automation([record("x")], triggers=[{"event": "p.came", "filter": LOUD}])
    async with engine_fixture(settings) as unable:
        await unable.publish("p.came", {"word": "go"})
        await until(lambda: _is_one_parked(dsn))
        (item,) = await parked(unable, kind="event")
        for choice in (["--all"], ["--kind", "event"]):
            told = await shell.run("parked", "retry", *choice, code=1)
            assert "confirm that with --yes" in told.err
            assert item["id"] in told.err  # what it is for, is shown
        told = await shell.run("parked", "retry", "--kind", "event", "--yes")
        assert "1 parked row to be tried again" in told.out
        assert "0 parked rows" in (await shell.run("parked", "retry", "--kind", "run")).out
        named = await shell.run("parked", "retry", item["id"])  # one is not asked for what is named
        assert "1 parked row to be tried again" in named.out


async def _is_one_parked(dsn: str) -> bool:
    return (await rows(dsn, "select count(*) from parked_events"))[0][0] == 1


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "0001-01-01T00:00:00+23:59 automation:x",
        "9999-12-31T23:59:59-23:59 automation:x",
        "2020-01-01T00:00:00 automation:x",
        "2020-01-01T00:00:00+00:00 automation:x\0",
        "2020-01-01T00:00:00+00:00 outbox:x:99999999999999999999999",
        "2020-01-01T00:00:00+00:00 ",
        "2020-01-01T00:00:00+00:00",
    ],
    ids=ascii,
)
async def test_a_cursor_of_parked_rows_that_is_none_is_refused(
    shared: EngineFixture, cursor: str
) -> None:
    refused = await shared.ask("parked.list", cursor=cursor)
    assert refused.error_code == "400"
    assert b"is not one of ours" in refused.body


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"])
async def test_a_cursor_of_parked_rows_may_name_any_moment(shared: EngineFixture, at: str) -> None:
    for last in (f"automation:{uuid4()}", f"run:{uuid4()}", "setup:a/b", f"outbox:x:{2**63 - 1}"):
        page = await shared.call("parked.list", cursor=f"{at}+00:00 {last}")
        assert page["next_cursor"] is None
