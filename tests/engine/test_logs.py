"""Log lines: whatever is said of a run says which run, of which automation."""

import asyncio
import json
import os
import sys
from pathlib import Path
from uuid import uuid4

import structlog
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from engine.engine_fixture import engine_fixture, settings_of
from engine.shell import closed_port
from lockstep.catalog import Registry
from lockstep.embedded import Servers
from lockstep.model.types import ActionContext


async def test_what_a_plugin_logs_by_itself_says_run_and_automation(
    servers: Servers, dsn: str
) -> None:
    """Also in a task that it begins, and of two runs at the same time each its own."""
    said: list[dict[str, object]] = []

    def plugin(registry: Registry) -> None:
        @registry.action("talk")
        async def talk(context: ActionContext) -> None:
            async def say() -> None:
                said.append({**get_contextvars(), "meant": context.run_id})

            await asyncio.create_task(say())

    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    async with engine_fixture(settings) as opened:
        opened.assembly.knowledge.catalog.register("talker", plugin)
        stored = await opened.automation([{"action": "talker.talk", "config": {}}])
        await asyncio.gather(*(opened.publish(stored.event, {}) for _ in range(5)))
        await opened.ended(stored.id, 5)
    assert len({one["run_id"] for one in said}) == 5
    assert all(one["run_id"] == one["meant"] for one in said)
    assert {one["automation_id"] for one in said} == {stored.id}
    assert not get_contextvars(), "what is of a run stays with it"


async def test_a_run_that_is_ended_from_outside_is_logged_with_its_automation(
    servers: Servers, dsn: str
) -> None:
    structlog.reset_defaults()
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    with capture_logs() as lines:
        async with engine_fixture(settings) as opened:
            stored = await opened.automation([{"action": "test.slow", "config": {"seconds": 60}}])
            await opened.publish(stored.event, {})
            run_id = (await opened.heard(stored.id, "started")).data.run_id
            await opened.call("runs.cancel", id=run_id)
            await opened.heard(stored.id, "cancelled")
    (line,) = [line for line in lines if line["event"] == "run.stopped"]
    assert (line["run_id"], line["automation_id"]) == (run_id, stored.id)


async def test_a_server_that_is_away_is_logged_with_the_code_of_the_error(tmp_path: Path) -> None:
    away = {
        "LOCKSTEP_NATS__SERVERS": f"nats://127.0.0.1:{closed_port()}",
        "LOCKSTEP_POSTGRES__DSN": f"postgresql://127.0.0.1:{closed_port()}/nobody",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", "serve",
        cwd=tmp_path, env={**os.environ, **away}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async for text in process.stderr:
            line = json.loads(text)
            if line["event"] in {"store.unavailable", "bus.unreachable"}:
                break
    finally:
        process.kill()
        await process.communicate()
    codes = {"store.unavailable": "store.unavailable", "bus.unreachable": "bus.unavailable"}
    assert line["code"] == codes[line["event"]]
    assert "answer" in line.get("error", line.get("reason"))
