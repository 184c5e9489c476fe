"""Whatever is asked, an answer comes: a reply, or an error that says what is wrong and where."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from databases import TEMPLATE, database, on_server
from engine.engine_fixture import EngineFixture, engine_fixture, settings_of
from engine.test_language import record
from lockstep import bus
from lockstep.embedded import Servers
from lockstep.model.faults import STATUS
from lockstep_schemas.api import Fault
from patience import LIMIT_SECONDS
from property import questions
from property.questions import Asked, Json, Things

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUNDS: Final = int(os.environ.get("LOCKSTEP_API_ROUNDS", "300"))
AT_ONCE: Final = 24
MOST_AUTOMATIONS: Final = 60
ROOM_FOR_HEADERS: Final = 8192


class World:
    """An engine with things in it, and requests for each of its endpoints."""

    def __init__(self, opened: EngineFixture, client: bus.Connection) -> None:
        self.engine_fixture, self.client = opened, client
        kinds = {name: one.request for name, one in opened.endpoints.items()}
        self.requests = st.one_of(*(questions.of(name, kind) for name, kind in kinds.items()))
        self.fields = {name: kind.__struct_encode_fields__ for name, kind in kinds.items()}

    async def populate(self) -> None:
        """Let there be an automation with a run and an artifact, and a dead letter."""
        make = {"action": "test.create", "id": "mk"}
        wait = {"wait_for_trigger": {"event": "never.comes"}}
        for actions in ([record("x"), make], [make, wait]):
            automation = await self.engine_fixture.automation(actions)
            await self.engine_fixture.publish(automation.event, {"n": 1})
            await self.engine_fixture.heard(automation.id, "step_succeeded")
        await self.engine_fixture.publish("fuzz", b"no json")

    async def things(self) -> Things:
        """Give the ids of what is there; make it anew where it was deleted."""
        stored = (await self.engine_fixture.call("automations.list", limit=200))["items"]
        if not any(one["name"].startswith("n") for one in stored):
            await self.populate()
            return await self.things()
        for one in stored[MOST_AUTOMATIONS:]:
            await self.engine_fixture.call("automations.delete", id=one["id"])
        runs = (await self.engine_fixture.call("runs.list", limit=5))["items"]
        detail = (
            await self.engine_fixture.call("runs.get", id=runs[-1]["id"])
            if runs
            else {"artifacts": []}
        )
        letters = (await self.engine_fixture.call("dead.list", limit=5))["items"]
        page = await self.engine_fixture.call("runs.list", limit=1)
        return {
            "automation": [one["id"] for one in stored[:MOST_AUTOMATIONS]],
            "run": [one["id"] for one in runs],
            "artifact": [one["id"] for one in detail["artifacts"]],
            "letter": [one["id"] for one in letters],
            "cursor": [page.get("next_cursor", "5")],
        }

    async def ask(self, asked: Asked, things: Things) -> None:
        """Ask, and judge the answer."""
        body = questions.encode(asked, things)
        if len(body) > self.client.max_payload - ROOM_FOR_HEADERS:
            return  # the server would cut the connection
        head = b""
        if asked.actor is not None:
            head = b"NATS/1.0\r\nLockstep-Actor: " + asked.actor + b"\r\n\r\n"
        subject = self.client.names.api(asked.endpoint)
        answer = await self.client.ask(subject, body, head, LIMIT_SECONDS)
        self.judge(asked, bus.ApiReply(answer.body, *_error(answer.head)), body)

    def judge(self, asked: Asked, reply: bus.ApiReply, body: bytes) -> None:
        """An answer is a JSON object; an error says the same in its headers and in its body."""
        shown = (asked.endpoint, body[:300], reply.error_code, reply.body[:500])
        if not reply.error_code:
            assert isinstance(json.loads(reply.body), dict), shown
            return
        fault = msgspec.json.decode(reply.body, type=Fault)
        assert reply.error_code in {"400", "404", "409"}, shown
        assert reply.error_code == STATUS[fault.code], shown
        assert fault.message, shown
        assert reply.error, shown
        if fault.code == "bad_request" and asked.field is not None and _is_json(body):
            names = {asked.field, *self.fields[asked.endpoint]}
            places = [issue.path[:1] for issue in fault.issues or ()]
            told = any([name] in places or name in fault.message for name in names)
            assert told, shown


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _error(head: bytes) -> tuple[str, str]:
    read = bus.headers.unpack(head)
    return read.get("Nats-Service-Error-Code", ""), read.get("Nats-Service-Error", "")


def _wrong(kind: type[msgspec.Struct], name: str) -> Json:
    """Give a value that a field does not take, if there is one."""
    candidates: list[Json] = [5, "\0", {"no such key": []}, [[]]]
    for wrong in candidates:
        try:
            msgspec.convert({name: wrong}, kind)
        except msgspec.ValidationError as error:
            if f"`$.{name}" in str(error):
                return wrong
    return None


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Servers) -> AsyncIterator[World]:
    """One engine for all examples."""
    name = f"api_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name} template {TEMPLATE}")
    dsn = database(servers.postgres_dsn, name)
    wanted = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    async with engine_fixture(wanted) as opened:
        client = await bus.connect(wanted.nats)
        yield World(opened, client)
        await client.close()


async def test_each_field_of_each_endpoint_is_named_where_it_is_wrong(world: World) -> None:
    judged = 0
    for endpoint, one in world.engine_fixture.endpoints.items():
        for name in one.request.__struct_encode_fields__:
            wrong = _wrong(one.request, name)
            if wrong is None:
                continue  # any JSON will do
            reply = await world.engine_fixture.ask(endpoint, **{name: wrong})
            fault = msgspec.json.decode(reply.body, type=Fault)
            assert fault.code == "bad_request"
            assert [issue.path[:1] for issue in fault.issues or ()] == [[name]]
            judged += 1
    assert judged > 40


@settings(
    max_examples=ROUNDS,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
@given(data=st.data())
async def test_every_request_is_answered_and_what_is_wrong_is_told(world: World, data: Any) -> None:
    asked = data.draw(st.lists(world.requests, min_size=12, max_size=AT_ONCE))
    things = await world.things()
    await asyncio.gather(*(world.ask(one, things) for one in asked))
