"""Who changes something by hand hears whether it was done, also where the commit is in doubt."""

from typing import Any

import msgspec
import pytest

from doubt.fates import ALL_AFTER, RESET_AFTER, RESET_BEFORE, Once
from doubt.proxy_postgres import PostgresProxy
from doubt.test_unwalked import RECORD, all_ended, between
from engine.engine_fixture import EngineFixture, rows
from lockstep.embedded import Servers

FAIL = {"action": "test.fail", "config": {"reason": "no"}}
WAYS = ["start", "retry", "create", "update", "toggle", "delete"]
MARKS = {
    "start": "runs/create",
    "retry": "runs/create",
    "create": "automations/insert",
    "update": "automations/update",
    "toggle": "automations/update",
    "delete": "automations/delete",
}


async def prepared(engine: EngineFixture, way: str) -> tuple[str, dict[str, Any]]:
    """Give a request, of which nothing is in doubt yet."""
    stored = await engine.automation([FAIL if way == "retry" else RECORD])
    match way:
        case "start":
            return "runs.start", {"automation_id": stored.id, "payload": {"n": "1"}}
        case "retry":
            seen = await stored.run()
            return "runs.retry", {"id": seen.detail.run.id}
        case "create":
            definition = {"name": "new", "triggers": [{"event": "e.x"}], "actions": [RECORD]}
            return "automations.create", {"name": "new", "definition": definition}
        case "update":
            definition = {"name": "u", "triggers": [{"event": "e.y"}], "actions": [RECORD]}
            wanted = {"id": stored.id, "definition": definition, "expected_version": 1}
            return "automations.update", wanted
        case "toggle":
            return "automations.toggle", {"id": stored.id, "enabled": False}
    return "automations.delete", {"id": stored.id}


async def found(dsn: str) -> list[tuple[Any, ...]]:
    """What a request may have changed."""
    return [
        (await rows(dsn, "select count(*) from runs"))[0][0],
        *(await rows(dsn, "select name, status, version from automations order by position")),
    ]


@pytest.mark.parametrize("way", WAYS)
async def test_what_was_done_is_answered_as_done(servers: Servers, dsn: str, way: str) -> None:
    async with between(servers, dsn) as (proxy, engine):
        endpoint, request = await prepared(engine, way)
        before = await found(dsn)
        proxy.arbiter = once = Once(MARKS[way], RESET_AFTER)
        reply = await engine.ask(endpoint, **request)
        assert once.struck
        assert not reply.error_code, reply.body
        assert await found(dsn) != before
        if way in {"start", "retry"}:
            run_id = msgspec.json.decode(reply.body)["run_id"]
            assert await rows(dsn, "select 1 from runs where id::text = $1", run_id)
            await all_ended(dsn)


@pytest.mark.parametrize("way", WAYS)
async def test_what_was_not_done_is_answered_so_and_can_be_asked_again(
    servers: Servers, dsn: str, way: str
) -> None:
    async with between(servers, dsn) as (proxy, engine):
        endpoint, request = await prepared(engine, way)
        before = await found(dsn)
        proxy.arbiter = once = Once(MARKS[way], RESET_BEFORE)
        refused = await engine.ask(endpoint, **request)
        assert once.struck
        told = msgspec.json.decode(refused.body)
        assert (told["error"], "nothing of it was kept" in told["message"]) == (
            "store.unavailable",
            True,
        )
        assert await found(dsn) == before
        assert not (await engine.ask(endpoint, **request)).error_code


class Cut(Once):
    """Lets nobody in any more once it has struck."""

    proxy: PostgresProxy

    def strikes(self, exchange: Any) -> bool:
        """See `Judge`."""
        has = super().strikes(exchange)
        self.proxy.is_open = self.proxy.is_open and not has
        return has


@pytest.mark.parametrize("way", ["start", "create"])
async def test_what_may_have_been_done_is_answered_so(servers: Servers, dsn: str, way: str) -> None:
    async with between(servers, dsn) as (proxy, engine):
        endpoint, request = await prepared(engine, way)
        before = await found(dsn)
        proxy.arbiter = cut = Cut(MARKS[way], ALL_AFTER)
        cut.proxy = proxy
        reply = await engine.ask(endpoint, **request)
        proxy.is_open = True
        told = msgspec.json.decode(reply.body)
        assert (told["code"], told["error"]) == ("busy", "store.in_doubt")
        assert await found(dsn) != before
        if way == "start":
            await all_ended(dsn)
