"""Live run events, as they are followed at a terminal: filters, and a server that goes away."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from bus.helpers import Server
from engine.engine_fixture import EngineFixture
from engine.shell import Shell
from engine.test_sleep import holding
from lockstep import bus
from lockstep.cli.filters import EventFilter
from lockstep.cli.silence import silence
from lockstep.cli.terminal import watch
from lockstep.client.remote import connected
from lockstep.settings.structs import Settings
from lockstep_schemas.run_events import RunEvent, RunEventData, RunStatus
from patience import LIMIT_SECONDS, patience

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A NATS server for this test alone, to be killed."""
    running = Server(tmp_path)
    running.start()
    yield running
    running.kill()


class Teller:
    """Publishes run events as an engine does."""

    def __init__(self, server: Server) -> None:
        self.settings = Settings(nats=server.settings("watched"))
        self._seq = 0

    async def prepare(self) -> None:
        """Have the streams."""
        connection = await bus.connect(self.settings.nats, patience_seconds=LIMIT_SECONDS)
        await bus.apply(connection)
        await connection.close()

    async def tell(self, status: RunStatus) -> str:
        """Publish an event over a connection of its own; give its id."""
        self._seq += 1
        now = datetime.now(UTC)
        data = RunEventData(
            run_id="r1", automation_id="a1", automation_name="Porch", version=1, seq=self._seq,
            trigger_id="t", trigger_event_id="e", context_key=None, status=status, at=now,
        )  # fmt: skip
        event = RunEvent(
            id=f"r1:{self._seq}", source="/watched/a1", type="lockstep.run.started",
            subject="r1", time=now, data=data,
        )  # fmt: skip
        connection = await bus.connect(self.settings.nats, patience_seconds=LIMIT_SECONDS)
        subject = connection.names.run("a1", "started")
        await bus.Publisher(connection).publish(
            subject, msgspec.json.encode(event), {"Nats-Msg-Id": event.id}
        )
        await connection.close()
        return event.id


async def following(teller: "Teller", *statuses: RunStatus) -> None:
    """Watch the runs that it tells of."""
    wanted = EventFilter(statuses)
    await watch.watch_all(connected(teller.settings), None, wanted, as_json=True)


class Screen:
    """What a watch has written so far."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        silence()
        self._captured, self.out, self.err = captured, "", ""

    def look(self) -> None:
        said = self._captured.readouterr()
        self.out, self.err = self.out + said.out, self.err + said.err

    @property
    def ids(self) -> list[str]:
        return [json.loads(line)["id"] for line in self.out.splitlines()]

    async def until(self, wanted: str) -> None:
        """Wait until this is there."""
        async with patience():
            while wanted not in self.out + self.err:
                await asyncio.sleep(0.01)
                self.look()


async def test_a_watch_goes_on_behind_a_restart_of_the_server_with_what_it_missed(
    mortal: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    teller, screen = Teller(mortal), Screen(capsys)
    await teller.prepare()
    watching = asyncio.create_task(following(teller))
    await screen.until("watching")
    told = [await teller.tell("running")]
    await screen.until(told[-1])
    mortal.kill()
    mortal.start()
    told.append(await teller.tell("waiting"))  # at once: the watch is hardly back by now
    await screen.until(told[-1])
    told.append(await teller.tell("success"))
    await screen.until(told[-1])
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    screen.look()
    assert screen.ids == told


async def test_a_watch_tells_only_what_it_is_asked_for(
    mortal: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    teller, screen = Teller(mortal), Screen(capsys)
    await teller.prepare()
    watching = asyncio.create_task(following(teller, "failed"))
    await screen.until("watching")
    await teller.tell("running")
    failed = await teller.tell("failed")
    await screen.until(failed)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert screen.ids == [failed]


async def test_a_live_watch_of_one_automation_tells_its_runs_to_people(
    shared: EngineFixture, shell: Shell
) -> None:
    action, release = holding(shared)
    automation = await shared.automation([action])
    await shared.publish(automation.event, {})
    run_id = (await shared.heard(automation.id, "started")).data.run_id
    async with shell.started("runs", "watch", run_id) as process, patience():
        assert process.stderr is not None
        await process.stderr.readline()  # from here on it follows the run
        release.set()
        out, err = await process.communicate()
    assert f"run         {run_id}" in out.decode()
    assert "run succeeded" in err.decode()


async def test_wrong_filters_of_a_watch_are_wrong_use(shell: Shell) -> None:
    assert "--status" in (await shell.run("runs", "watch", "--status", "nope", code=2)).err
    told = await shell.run("runs", "watch", "r1", "--status", "failed", code=2)
    assert "name a run, or --last, or --automation, --status" in told.err
