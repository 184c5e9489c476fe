"""Secrets: resolved for the call only, and seen nowhere else; looked for in every place."""

import io
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import nats
import pytest
import pytest_asyncio

from engine.engine_fixture import EngineFixture, engine_fixture, settings_of
from engine.provider import done, provider
from engine.test_control import refused
from lockstep import bus
from lockstep.catalog import Registry
from lockstep.embedded import Servers
from lockstep.model.types import ActionContext, ActionResult
from lockstep.settings.structs import LogSettings, SecretSettings, Settings
from lockstep.telemetry import logs
from processes import call, environment, lockstep, talking

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
IN_ENVIRONMENT = 'env-Pa55 w&rd/"x"é'
IN_FILE = "file-hunter2-hunter2"
ON_BUS = "bus-s3cr3t+token="
ALL = (IN_ENVIRONMENT, IN_FILE, ON_BUS)
CONFIG: Json = {
    "type": "object",
    "properties": {
        "token": {"type": "string", "x-secret": True},
        "headers": {"type": "object", "additionalProperties": {"type": "string", "x-secret": True}},
        "deep": {"x-secret": True},
        "open": {"type": "string"},
    },
}
ASKING: Json = {
    "token": "Bearer ${{ secrets.ENVIRONMENT }} for {{ trigger.payload.who }}",
    "headers": {"X-Key": "${{secrets.FILE}}"},
    "deep": [{"a": ["${{ secrets.BUS }}"]}],
    "open": "${{ secrets.FILE }}",
}
RETRY: Json = {"attempts": 2, "delay_seconds": 0}
HANDED: Json = {
    "token": f"Bearer {IN_ENVIRONMENT} for Ann",
    "headers": {"X-Key": IN_FILE},
    "deep": [{"a": [ON_BUS]}],
    "open": "${{ secrets.FILE }}",
}


async def in_tables(dsn: str, words: tuple[str, ...]) -> list[str]:
    """Find where words stand in any column of any table."""
    connection = await asyncpg.connect(dsn)
    try:
        columns = await connection.fetch(
            "select table_name, column_name, data_type from information_schema.columns"
            " where table_schema = 'public'"
        )
        found = []
        for table, column, kind in columns:
            shown = f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
            for word in words:
                forms = [word, word.encode("unicode_escape").decode()]
                if kind == "bytea":
                    query = (
                        f"select count(*) from {table} where position($1::bytea in {column}) > 0"
                    )
                    counts = [await connection.fetchval(query, word.encode())]
                    counts.append(await connection.fetchval(query, json.dumps(word)[1:-1].encode()))
                else:
                    query = f"select count(*) from {table} where position($1 in {shown}) > 0"
                    counts = [await connection.fetchval(query, form) for form in forms]
                found += [f"{table}.{column}"] if any(counts) else []
        return found
    finally:
        await connection.close()


async def in_streams(url: str, prefix: str, words: tuple[str, ...]) -> list[str]:
    """Find where words stand in any message of any stream, KV buckets among them."""
    client = await nats.connect(url)
    found = []
    try:
        stream_of = client.jetstream()
        for info in await stream_of.streams_info():
            if prefix.upper() not in info.config.name.upper():
                continue
            for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):
                try:
                    message = await stream_of.get_msg(info.config.name, sequence)
                except nats.js.errors.NotFoundError:
                    continue
                text = f"{message.subject} {message.headers} {(message.data or b'').decode()}"
                found += [f"{info.config.name}:{message.subject}" for w in words if shows(text, w)]
    finally:
        await client.close()
    return found


def shows(text: str, word: str) -> bool:
    """Say whether a text shows a word, as it is or as JSON writes it."""
    return word in text or json.dumps(word)[1:-1] in text or repr(word)[1:-1] in text


def with_secrets(settings: Settings, folder: Path) -> Settings:
    """Let all three sources be asked."""
    (folder / "FILE").write_text(IN_FILE + "\n")
    wanted = SecretSettings(folder=str(folder), bus=True)
    return msgspec.structs.replace(settings, secrets=wanted)


@pytest_asyncio.fixture(loop_scope="session")
async def keeper(
    servers: Servers, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[EngineFixture]:
    """An engine with all sources, its log in `LOG`, and a plug-in that leaks as it can."""
    monkeypatch.setenv("LOCKSTEP_SECRET_ENVIRONMENT", IN_ENVIRONMENT)
    lines = io.StringIO()
    monkeypatch.setattr(sys, "stderr", lines)
    logs.configure(LogSettings(level="debug", format="json"))
    settings = settings_of(servers.nats_url, dsn, f"s{uuid4().hex[:10]}")
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(engine_fixture(with_secrets(settings, tmp_path)))
        opened.assembly.knowledge.catalog.register("leaky", leaky)
        connection = await bus.connect(settings.nats)
        stack.push_async_callback(connection.close)

        def answer(_subject: bytes, reply: bytes, _head: bytes, body: bytes) -> None:
            name = json.loads(body)["name"]
            asked[name] += 1
            is_known = name == "BUS" or (name == "LATE" and asked[name] > 1)
            value = {"value": ON_BUS} if is_known else {}
            connection.post(reply.decode(), json.dumps(value).encode())

        await connection.listen(connection.names.secret, answer)
        await connection.settled()
        opened.log = lines  # type: ignore[attr-defined] # for this file only
        yield opened


def leaky(registry: Registry) -> None:
    """Actions that show what they were handed wherever they can."""
    registry.artifact("loot")

    @registry.action("raise", config=CONFIG)
    async def fail(context: ActionContext) -> ActionResult:
        context.logger.error("action.logged", message=context.config, token=str(context.config))
        raise RuntimeError(f"refused: {context.config!r} {ON_BUS}")

    @registry.action("echo", config=CONFIG, produces="loot")
    async def echo(context: ActionContext) -> ActionResult:
        config: Any = context.config
        handed.append(config)
        context.logger.info("action.logged", message=config["token"])
        loot = {"config": config, IN_FILE: 1, "url": f"https://x/?k={config['deep'][0]['a'][0]}"}
        return ActionResult(artifact=loot, external_id=config["token"])

    @registry.action("eat", config=CONFIG, consumes=["loot"])
    async def eat(context: ActionContext) -> None:
        eaten.append(dict(context.consumed_artifacts))


asked: Counter[str] = Counter()
handed: list[Json] = []
eaten: list[Json] = []


def steps(actions: list[Json]) -> list[Json]:
    """Use the artifact once more, so that its content would be in scope, frames and records."""
    note = {
        "id": "noted",
        "action": "test.record",
        "config": {"value": "{{ artifacts.e.loot | json }}"},
    }
    return [*actions, note, {"variables": {"kept": "{{ artifacts.e.loot }}"}}]


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[list[tuple[str, str]]]:
    """Hear all that is said on the bus."""
    seen: list[tuple[str, str]] = []

    async def note(message: Any) -> None:
        text = message.data.decode("utf-8", "replace")
        seen.append((message.subject, f"{message.headers} {text}"))

    listener = await nats.connect(url)
    await listener.subscribe(">", cb=note)
    await listener.flush()
    yield seen
    await listener.drain()


async def use_in_this_process(engine_fixture: EngineFixture) -> None:
    """Hand secrets to actions that echo, log and raise them."""
    handed.clear()
    echoing = await engine_fixture.automation(
        steps([{"id": "e", "action": "leaky.echo", "config": ASKING}, {"delay": {"seconds": 1}}])
    )
    failing = await engine_fixture.automation(
        [{"action": "leaky.raise", "config": ASKING, "retry": RETRY}]
    )
    assert (await echoing.run({"who": "Ann"})).status == "success"
    ended = await failing.run({"who": "Ann"})
    assert (ended.status, "refused: " in ended.error, "***" in ended.error) == (
        "failed", True, True,
    )  # fmt: skip
    assert handed == [HANDED]


async def use_over_the_bus(engine_fixture: EngineFixture) -> None:
    """Hand secrets to a service that echoes them, as an error and as an artifact."""
    await engine_fixture.call(
        "catalog.actions.register",
        id="vault.use", owner="vault", config_schema=CONFIG, produces="loot",
    )  # fmt: skip
    step = {"id": "e", "action": "vault.use", "config": ASKING}
    once = await engine_fixture.automation(steps([step, {"delay": {"seconds": 1}}]))
    again = await engine_fixture.automation(steps([{**step, "retry": RETRY}]))
    replies = iter([
        {"success": False, "error": f"bad token {IN_ENVIRONMENT} {IN_FILE}", "retry_after_ms": 1},
    ] * 2)  # fmt: skip
    async with provider(
        engine_fixture,
        "vault.use",
        lambda request: next(replies, {"success": True, "artifact": {"was": request["config"]}}),
    ) as asked:
        assert (await once.run({"who": "Ann"})).status == "failed"
        assert (await again.run({"who": "Ann"})).status == "success"
    assert asked.asked[-1]["config"] == HANDED


async def test_a_secret_is_handed_over_and_stands_nowhere_else(
    keeper: EngineFixture, dsn: str, servers: Servers
) -> None:
    prefix = keeper.settings.nats.prefix
    async with listening(servers.nats_url) as seen:
        await use_in_this_process(keeper)
        await use_over_the_bus(keeper)
    assert await in_tables(dsn, ALL) == []
    assert await in_streams(servers.nats_url, prefix, ALL) == []
    text = "".join(record.value for record in keeper.recorder.records)
    assert "***" in text
    log_text = keeper.log.getvalue()  # type: ignore[attr-defined] # set by the fixture
    assert "action.logged" in log_text
    assert "Traceback" in log_text
    for word in ALL:
        assert not shows(log_text, word)
        assert not shows(text, word)
    # Who is handed a secret gets it, and who resolves it says it; nobody else hears of it.
    heard = [
        subject
        for subject, body in seen
        if any(shows(body, word) for word in ALL)
        and not subject.startswith((f"{prefix}.action.", "_INBOX."))
    ]
    assert heard == []


async def test_a_value_that_an_event_brings_asks_for_no_secret(keeper: EngineFixture) -> None:
    handed.clear()
    stored = await keeper.automation(
        [{"id": "e", "action": "leaky.echo", "config": {"token": "{{ trigger.payload.who }}"}}]
    )
    seen = await stored.run({"who": "${{ secrets.FILE }}"})
    assert seen.status == "failed"
    assert "asks for a secret" in seen.error
    assert handed == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("UNKNOWN", "secret 'UNKNOWN' is not known; looked in the environment"),
        ("SHORT", "secret 'SHORT' has fewer than 4 characters"),
    ],
)
async def test_a_secret_that_cannot_be_had_fails_the_step_after_its_retries(
    keeper: EngineFixture, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.setenv("LOCKSTEP_SECRET_SHORT", "abc")
    retry = {"attempts": 2, "delay_seconds": 0}
    config = {"token": f"${{{{ secrets.{name} }}}}"}
    stored = await keeper.automation(
        [{"id": "e", "action": "leaky.echo", "config": config, "retry": retry}]
    )
    seen = await stored.run({})
    assert seen.status == "failed"
    assert words in seen.error
    assert seen.step("actions[0]").attempts == 2


async def test_a_retry_after_a_secret_was_not_there_is_handed_what_it_consumes(
    keeper: EngineFixture,
) -> None:
    eaten.clear()
    made = {"id": "e", "action": "leaky.echo", "config": {"token": "t", "deep": [{"a": ["-"]}]}}
    retry = {"attempts": 2, "delay_seconds": 0}
    asks = {"action": "leaky.eat", "config": {"token": "${{ secrets.LATE }}"}, "retry": retry}
    stored = await keeper.automation([made, asks])
    seen = await stored.run({})
    assert (seen.status, seen.step("actions[1]").attempts) == ("success", 2)
    assert [sorted(one) for one in eaten] == [["loot"]]


async def test_a_changed_secret_is_in_force_at_the_next_call(
    keeper: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed.clear()
    config = {"token": "${{ secrets.ROLLED }}", "deep": [{"a": ["-"]}]}
    stored = await keeper.automation([{"id": "e", "action": "leaky.echo", "config": config}])
    for value in ("first-value", "second-value"):
        monkeypatch.setenv("LOCKSTEP_SECRET_ROLLED", value)
        await stored.run({})
    assert [one["token"] for one in handed] == ["first-value", "second-value"]


async def test_a_secret_in_a_field_that_takes_none_is_warned_of(keeper: EngineFixture) -> None:
    step = {"id": "n", "action": "test.record", "config": {"value": "${{ secrets.FILE }}"}}
    definition = {"name": "x", "triggers": [{"event": "e"}], "actions": [step]}
    found = await keeper.call("automations.validate", definition=definition)
    assert found["valid"]
    assert [issue["path"] for issue in found["warnings"]] == [["actions", 0, "config", "value"]]
    body = await refused(keeper, "automations.validate", definition=definition, source="x")
    assert body["code"] == "bad_request"


async def test_another_replica_resolves_again_and_masks_what_it_is_told(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    prefix = f"s{uuid4().hex[:10]}"
    (tmp_path / "FILE").write_text(IN_FILE)
    env = environment(
        NATS__SERVERS=servers.nats_url, NATS__PREFIX=prefix, NATS__STORAGE="memory",
        POSTGRES__DSN=dsn, ENGINE__CATALOG="open", ENGINE__HEARTBEAT_SECONDS="0.3",
        ENGINE__STALE_SECONDS="5", SECRETS__FOLDER=str(tmp_path),
    )  # fmt: skip
    action = {"id": "e", "action": "vault.use", "config": {"token": "${{ secrets.FILE }}"}}
    definition = {"name": "x", "triggers": [{"event": "e"}], "actions": [action]}
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(lockstep("serve", env=env, cwd=tmp_path))
        connection = await stack.enter_async_context(talking(servers.nats_url, prefix))
        fields = {"config_schema": CONFIG, "produces": "loot", "owner": "vault"}
        await call(connection, "catalog.actions.register", id="vault.use", **fields)
        made = await call(connection, "automations.create", name="x", definition=definition)
        settings = settings_of(servers.nats_url, dsn, prefix)
        shell: Any = type("Shell", (), {"settings": settings, "connection": connection})
        asked = await stack.enter_async_context(
            provider(shell, "vault.use", lambda _: {"accepted": True})
        )
        run = await call(connection, "runs.start", automation_id=made["id"])
        assert run["status"] == "waiting"
        os.kill(first.pid, signal.SIGKILL)
        await first.wait()
        await stack.enter_async_context(lockstep("serve", env=env, cwd=tmp_path))
        (request,) = asked.asked
        assert request["config"] == {"token": IN_FILE}
        async with bus.follow(connection, connection.names.run("*", "succeeded")) as feed:
            key = request["idempotency_key"]
            await done(shell, key, success=True, artifact={"token": IN_FILE}, external_id=IN_FILE)
            await anext(aiter(feed))
        detail = await call(connection, "runs.get", id=run["run_id"])
        assert detail["artifacts"][0]["data"] == {"token": "***"}
        assert await in_tables(dsn, (IN_FILE,)) == []
