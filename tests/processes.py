"""Whole processes of Lockstep: started, spoken to, killed."""

import asyncio
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import nats

from lockstep import bus
from lockstep.model.errors import Unavailable
from lockstep_schemas.run_events import RunEvent
from patience import LIMIT_SECONDS, patience

POLL_SECONDS = 0.05
TRY_SECONDS = 5.0  # one of many tries: an engine that was killed leaves some without an answer

Json = dict[str, Any]
FINAL = {"succeeded", "failed", "cancelled", "skipped"}


def environment(**settings: object) -> dict[str, str]:
    """The environment of a test process: settings as `ENGINE__MAX_WALKS=4`."""
    ours = {f"LOCKSTEP_{name}": str(value) for name, value in settings.items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP_")}
    return {**clean, "LOCKSTEP_LOG__LEVEL": "error", **ours}


@asynccontextmanager
async def lockstep(
    *arguments: str, env: Mapping[str, str], cwd: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `lockstep`, and see to it that it is gone at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", *arguments, env=dict(env), cwd=cwd,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with patience():
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def dev_servers(folder: Path) -> Json:
    """Wait until `lockstep dev` has said where its servers are."""
    note = folder / "dev.json"
    async with patience():
        while not note.exists():
            await asyncio.sleep(POLL_SECONDS)
    found: Json = json.loads(note.read_text())
    return found


@asynccontextmanager
async def talking(url: str, prefix: str = "lockstep") -> AsyncIterator[bus.Connection]:
    """Connect to the bus, and wait until an engine answers."""
    connection = await bus.connect(bus.BusSettings(servers=[url], prefix=prefix))
    try:
        client = bus.ApiClient(connection)
        async with patience():
            while True:
                try:
                    await client.request("automations.list", b"{}", TRY_SECONDS)
                    break
                except Unavailable:
                    await asyncio.sleep(POLL_SECONDS)
        yield connection
    finally:
        await connection.close()


async def call(connection: bus.Connection, endpoint: str, **request: object) -> Json:
    """Call the API; a refusal fails the test."""
    reply = await bus.ApiClient(connection).request(
        endpoint, json.dumps(request).encode(), LIMIT_SECONDS
    )
    assert not reply.error_code, reply.body.decode()
    found: Json = msgspec.json.decode(reply.body)
    return found


STATE_LOST: Final = "the saved state of the run is gone"


@dataclass
class RunEvents:
    """What the stream of run events holds."""

    by_run: dict[str, list[RunEvent]]

    @property
    def ended(self) -> int:
        """How many runs have told their end."""
        return sum(events[-1].type.rpartition(".")[2] in FINAL for events in self.by_run.values())

    def check(self) -> None:
        """I2: no gap, no double, in order; one end, and it is the last."""
        for run_id, events in self.by_run.items():
            seqs = [event.data.seq for event in events]
            if STATE_LOST in (events[-1].data.error or ""):  # its end comes after a gap
                assert seqs[-1] >= len(seqs), f"run {run_id}: {seqs}"
                seqs = seqs[:-1]
            assert seqs == list(range(1, len(seqs) + 1)), f"run {run_id}: {seqs}"
            ends = [e.type for e in events if e.type.rpartition(".")[2] in FINAL]
            assert len(ends) == 1, f"run {run_id}: {ends}"
            assert events[-1].type == ends[0]


async def read_run_events(
    url: str, prefix: str = "lockstep", credentials: str | None = None
) -> RunEvents:
    """Read the whole stream of run events, in its order."""
    client = await nats.connect(url, user_credentials=credentials)
    try:
        js = client.jetstream()
        stream = f"{prefix.upper()}_RUNS"
        left = (await js.stream_info(stream)).state.messages
        by_run: dict[str, list[RunEvent]] = defaultdict(list)
        subscription = await js.subscribe(f"{prefix}.>", stream=stream, ordered_consumer=True)
        for _ in range(left):
            message = await subscription.next_msg(timeout=LIMIT_SECONDS)
            if message.subject.startswith(f"{prefix}.run."):
                event = msgspec.json.decode(message.data, type=RunEvent)
                if event.data.run_id:  # else it warns of a trigger
                    by_run[event.data.run_id].append(event)
        return RunEvents(by_run)
    finally:
        await client.close()


async def until_ended(url: str, runs: int, prefix: str = "lockstep") -> RunEvents:
    """Wait until so many runs have told their end."""
    async with patience():
        while True:
            found = await read_run_events(url, prefix)
            if found.ended >= runs:
                return found
            await asyncio.sleep(0.2)
