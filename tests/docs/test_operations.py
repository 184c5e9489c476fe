"""The questions of an incident, asked of an engine in which all of it has happened."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, get_args
from uuid import uuid4

import pytest
import pytest_asyncio

from databases import on_server
from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of, variables_of
from engine.shell import Shell, closed_port
from lockstep.embedded import Servers
from lockstep.model.decisions import Stage
from lockstep.model.ids import uuid7
from lockstep.telemetry.health import Health
from patience import patience, until
from shown import same, stands_in
from typed import TOOLS

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE: Final = (Path(__file__).parents[2] / "docs/OPERATIONS.md").read_text()
SECTIONS: Final = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
DOOR: Final = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
# Commands, and what they show, where that stands below them; `...` stands for lines left out.
RUN: Final = re.compile(r"```sh\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
DAMAGE: Final = (
    "update runs set actor = convert_to('{\"type\": \"robot\"}', 'utf8') where status = 'waiting'"
)
MEND: Final = (
    "update runs set actor = '{}' where actor = convert_to('{\"type\": \"robot\"}', 'utf8')"
)
WORKER: Final = """
    insert into workers (id, name, engine_version, heartbeat_at)
    values ($1, 'engine-2', '0.1.0', now() - $2 * interval '1 second')
"""
Json = dict[str, Any]


class Incident:
    """An engine with the door of the page, and what happens to it before each question."""

    def __init__(self, engine: EngineFixture, shell: Shell, dsn: str) -> None:
        self.engine, self.shell, self.dsn = engine, shell, dsn
        self.words: dict[str, str] = {}  # what stands for ids in the commands of the page
        self.shown = shell  # whose settings the commands have

    async def begin(self) -> None:
        """Store the automation."""
        self.shell.write("door.yaml", DOOR)
        await self.shell.run("apply", "door.yaml")

    async def doors(self) -> None:
        """A closed door, an open one, and the same again: none, a run, and a refusal."""
        for number, state in enumerate(("closed", "open", "open"), 1):
            await self.engine.publish("sensor.door", {"state": state}, key="vault")
            await self._handled("sensor.door", number)
        await self._runs("waiting", 1)

    async def fails(self) -> None:
        """The guard answers, and cannot be called."""
        await self.engine.publish("guard.answer", {"host": "guards.example.org"}, key="vault")
        await self._runs("failed", 1)

    async def more_doors(self) -> None:
        """Two more doors are open."""
        for key in ("gate", "cellar"):
            await self.engine.publish("sensor.door", {"state": "open"}, key=key)
        await self._runs("waiting", 2)

    async def enabled(self) -> None:
        """The automation may run again."""
        await self.shell.run("toggle", "Door watch", "--on")

    async def garbage(self) -> None:
        """A publisher sends what is no JSON."""
        await self.engine.publish("sensor.door", b"open!", key="vault")

        async def is_there() -> bool:
            return bool((await self.engine.call("dead.list"))["items"])

        await until(is_there)

    async def damage(self) -> None:
        """A row is damaged by hand, and its run is woken."""
        await self.engine.publish("sensor.door", {"state": "open"}, key="roof")
        run_id = await self._runs("waiting", 1)
        await on_server(self.dsn, DAMAGE)
        await self.engine.make_due(run_id)

        async def is_parked() -> bool:
            return bool((await self.engine.call("parked.list"))["items"])

        await until(is_parked)
        self.words["PARKED_ID"] = f"run:{run_id}"

    async def mended(self) -> None:
        """The row is mended."""
        await on_server(self.dsn, MEND)

    async def killed(self) -> None:
        """A replica of another machine was killed two minutes ago."""
        await rows(self.dsn, WORKER, uuid7(), 120)

    async def away(self) -> None:
        """NATS and PostgreSQL are not where the settings say."""
        gone = f"127.0.0.1:{closed_port()}"
        self.shown = Shell(
            self.shell.folder,
            {
                "LOCKSTEP_NATS__SERVERS": f"nats://{gone}",
                "LOCKSTEP_POSTGRES__DSN": f"postgresql://lockstep@{gone}/lockstep",
            },
        )

    async def back(self) -> None:
        """They are back; and the automation was changed."""
        self.shown = self.shell
        self.shell.write("door.yaml", DOOR.replace("3600", "7200"))
        await self.shell.run("apply", "door.yaml")

    async def _handled(self, event: str, number: int) -> None:
        async def enough() -> bool:
            told = await self.engine.call("events.why", event=event, limit=50)
            return len(told["items"]) >= number

        await until(enough)

    async def _runs(self, status: str, number: int) -> str:
        async def enough() -> list[Json]:
            found: list[Json] = (await self.engine.call("runs.list", status=status))["items"]
            return found if len(found) >= number else []

        await until(enough)
        run_id = str((await enough())[0]["id"])
        self.words["RUN_ID"] = run_id
        return run_id


Happening = Callable[[Incident], Awaitable[None]]
# What happens before a question, and between its commands.
HAPPENS: Final[Mapping[str, tuple[Happening, ...]]] = {
    "Why did my automation not run?": (Incident.doors,),
    "Which runs have failed in the last hour, and why?": (Incident.fails,),
    "How do I stop it all?": (Incident.more_doors,),
    "How do I do failed runs again?": (Incident.enabled,),
    "What do I do with a dead letter?": (Incident.garbage,),
    "What do I do with a parked row?": (Incident.damage, Incident.mended),
    "A replica hangs, or its readiness is red": (Incident.killed,),
    "PostgreSQL or NATS is away, or full": (Incident.away,),
    "How do I go back a version?": (Incident.back,),
}


@pytest_asyncio.fixture(loop_scope="session")
async def incident(servers: Servers, dsn: str, tmp_path: Path) -> AsyncIterator[Incident]:
    """An engine of its own: what is shown of the whole is of this alone."""
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    async with engine_fixture(settings) as engine:
        made = Incident(engine, Shell(tmp_path, variables_of(settings)), dsn)
        await made.begin()
        yield made


async def test_what_a_replica_may_lack_is_all_there() -> None:
    text = SECTIONS["A replica hangs, or its readiness is red"]
    shown = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert shown == [*Health().missing, "stopping"]


async def test_every_stage_that_may_refuse_an_event_is_there() -> None:
    rows = re.findall(r"^\| refused by (.+?) \|", PAGE, re.MULTILINE)
    told = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    assert told == {*get_args(Stage)} - {"wait", "wait_filter"}


async def test_each_command_shows_what_the_page_says(incident: Incident) -> None:
    assert set(HAPPENS) <= set(SECTIONS)
    wrong = []
    for title, text in SECTIONS.items():
        happens = [*HAPPENS.get(title, ())]
        for commands, told in RUN.findall(text):
            if happens:
                await happens.pop(0)(incident)
            shown = await said(incident, commands)
            if told and not stands_in(same(told), same(shown)):
                wrong.append(f"{title}: {commands}{shown}")
    assert not wrong, "\n".join(wrong)


async def said(incident: Incident, commands: str) -> str:
    """Run the lines of a block; give what they show, whatever they exit with."""
    for word, meant in incident.words.items():
        commands = commands.replace(word, meant)
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", commands, cwd=incident.shell.folder,
        env={**incident.shown.variables, "PATH": TOOLS},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with patience():
        out, _ = await process.communicate()
    return out.decode()
