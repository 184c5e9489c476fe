"""How much memory a replica takes at most, as a process; the bounds are of memory, not of time.

`VmHWM` of Linux: the most that has been resident since the process began.
"""

import asyncio
import json
import random
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from engine.engine_fixture import rows
from engine.test_language import record
from lockstep import bus
from lockstep.embedded import Servers
from patience import patience, until
from processes import call, environment, talking

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MOST_MB = 300
ENDED = "select count(*) from runs where finished_at is not null"
STATUSES = "select status, count(*) as n from runs group by status"


class Replica:
    """A replica, what it logs, and a client of its bus."""

    def __init__(self, process: Process, log: Path, dsn: str, connection: bus.Connection) -> None:
        self.process, self.log, self.dsn, self.connection = process, log, dsn, connection

    async def publish(self, event: str, payload: object) -> None:
        """Publish an event."""
        subject = self.connection.names.trigger(event)
        await bus.Publisher(self.connection).publish(subject, json.dumps(payload).encode(), {})

    async def automation(self, name: str, event: str, triggers: int) -> None:
        """Store an automation that starts so many runs of one event, which use its payload."""
        definition = {
            "name": name,
            "triggers": [{"id": f"t{number}", "event": event} for number in range(triggers)],
            "mode": "parallel",
            "max_runs": 1000,
            "actions": [record("{{ trigger.payload.text | length }}"), {"delay": {"seconds": 1}}],
        }
        await call(self.connection, "automations.create", name=name, definition=definition)

    async def ended(self, runs: int) -> None:
        """Wait until so many runs have ended, all well, and no statement took too long."""

        async def are_over() -> bool:
            return int((await rows(self.dsn, ENDED))[0][0]) >= runs

        await until(are_over, f"{runs} ended runs", every_seconds=0.5)
        assert [tuple(row) for row in await rows(self.dsn, STATUSES)] == [("success", runs)]
        assert "statement timeout" not in self.log.read_text()

    def peak_mb(self) -> float:
        """The most memory that the process has had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024


@asynccontextmanager
async def replica(servers: Servers, dsn: str, folder: Path) -> AsyncIterator[Replica]:
    """Run one."""
    prefix, log = f"m{uuid4().hex[:12]}", folder / "log"
    env = environment(
        NATS__SERVERS=servers.nats_url, NATS__PREFIX=prefix, NATS__STORAGE="memory",
        POSTGRES__DSN=dsn, ENGINE__CATALOG="open", ENGINE__STUB_ACTIONS="true",
        LOG__LEVEL="warning",
    )  # fmt: skip
    with log.open("w") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lockstep", "serve",
            env=env, cwd=folder, stdout=DEVNULL, stderr=out,
        )  # fmt: skip
    try:
        async with talking(servers.nats_url, prefix) as connection:
            yield Replica(process, log, dsn, connection)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        async with patience():
            await process.wait()


async def test_one_event_of_200_kb_that_starts_two_thousand_runs(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    """Text that no compression makes smaller."""
    text = random.Random(1).randbytes(100_000).hex()  # noqa: S311 - no secret
    async with replica(servers, dsn, tmp_path) as one:
        for number in range(20):
            await one.automation(f"a{number}", "m.large", 100)
        await one.publish("m.large", {"text": text})
        await one.ended(2000)
        peak = one.peak_mb()
    print(f"peak: {peak:.0f} MB")  # noqa: T201 - pytest shows it where the test fails
    assert peak <= MOST_MB
    (stored,) = await rows(dsn, "select count(*), sum(octet_length(content)) as size from bodies")
    assert tuple(stored) == (1, len(json.dumps({"text": text})))


@pytest.mark.parametrize("kind", ["text", "numbers"])
async def test_64_events_of_500_kb_on_twelve_automations(
    servers: Servers, dsn: str, tmp_path: Path, kind: str
) -> None:
    """Of numbers: decoded, they are several times as large."""
    chance = random.Random(2)  # noqa: S311 - no secret
    async with replica(servers, dsn, tmp_path) as one:
        for number in range(12):
            await one.automation(f"a{number}", "m.large", 1)
        for number in range(64):
            if kind == "text":
                text: object = chance.randbytes(250_000).hex()
            else:
                text = [chance.randrange(10_000, 100_000) for _ in range(71_000)]
            await one.publish("m.large", {"n": number, "text": text})
        await one.ended(12 * 64)
        peak = one.peak_mb()
    print(f"peak: {peak:.0f} MB")  # noqa: T201 - pytest shows it where the test fails
    assert peak <= MOST_MB
    assert (await rows(dsn, "select count(*) from bodies"))[0][0] == 64
