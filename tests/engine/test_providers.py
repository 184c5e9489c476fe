"""The sample providers, as they stand in `deploy/samples`: run as processes, called, killed."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from engine.engine_fixture import EngineFixture
from engine.test_language import record
from patience import patience

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
SAMPLES = Path(__file__).parents[2] / "deploy" / "samples"
PYTHON = [sys.executable, str(SAMPLES / "provider-python" / "provider.py")]


@asynccontextmanager
async def started(
    command: list[str], engine_fixture: EngineFixture
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a provider until it has registered its two actions."""
    process = await asyncio.create_subprocess_exec(
        *command, engine_fixture.settings.nats.servers[0], stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with patience():
            for _ in range(2):
                line = (await process.stdout.readline()).decode()
                assert '"success":true' in line
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def step(action: str, config: Json, **fields: object) -> list[Json]:
    """Call an action, and record what it produced."""
    local = "receipt" if action.startswith("mailer") else "job"
    note = record(f"{{{{ artifacts.a.{local} | json }}}}")
    return [{"id": "a", "action": action, "config": config, **fields}, note]


async def test_the_python_sample_has_fewer_than_sixty_lines() -> None:
    assert len(Path(PYTHON[1]).read_text().splitlines()) < 60


async def test_the_python_sample_answers_at_once_and_later(alone: EngineFixture) -> None:
    async with started(PYTHON, alone):
        send = await alone.automation(step("mailer.send", {"to": "{{ trigger.payload.to }}"}))
        seen = await send.run({"to": "ann@example.org"})
        assert seen.recorded == ['{"number":"M-1","to":"ann@example.org"}']
        assert "'ann' is no address" in (await send.run({"to": "ann"})).error
        digest = await alone.automation(step("mailer.digest", {"seconds": 0.2}))
        seen = await digest.run()
        assert seen.recorded == ['{"number":"D-1","mails":1}']
        assert "waiting" in [event.type.rpartition(".")[2] for event in seen.events]


async def test_a_provider_that_dies_in_the_middle_is_asked_again_when_it_is_back(
    alone: EngineFixture,
) -> None:
    retry = {"attempts": 50, "delay_seconds": 1, "backoff": "constant"}
    async with started(PYTHON, alone) as process:
        digest = await alone.automation(
            step("mailer.digest", {"seconds": 0.5}, timeout_seconds=1, retry=retry)
        )
        await alone.publish(digest.event, {})
        await alone.heard(digest.id, "waiting")
        process.kill()
        await process.wait()
    async with started(PYTHON, alone):
        (run_id,) = await alone.ended(digest.id, 1)
    seen = await digest.seen(run_id)
    assert seen.status == "success"
    assert seen.step("actions[0]").attempts > 1


async def test_the_node_sample_answers_at_once_and_later(alone: EngineFixture, node: Path) -> None:
    async with started(["node", str(node / "provider.mjs")], alone):
        printing = await alone.automation(
            step("printer.print", {"text": "{{ trigger.payload.text }}", "copies": 2})
        )
        assert (await printing.run({"text": "hello"})).recorded == ['{"pages":2}']
        assert "too long for one page" in (await printing.run({"text": "x" * 1001})).error
        bind = await alone.automation(step("printer.bind", {"seconds": 0.2}))
        assert (await bind.run()).recorded == ['{"pages":100}']
