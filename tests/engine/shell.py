"""The command line as people and programs use it: a process of its own."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from engine.engine_fixture import EngineFixture
from patience import patience

Json = dict[str, Any]


@dataclass
class CommandResult:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Json]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def check(self, code: int = 0) -> "CommandResult":
        """Hold what is true of every command: the exit code, no traceback, no colour in a pipe."""
        assert self.code == code, f"{self.out}\n{self.err}"
        assert "Traceback" not in self.err
        assert "\x1b" not in self.out + self.err
        return self


def interruptible() -> None:
    """Take SIGINT as from a terminal: what runs in the background of a shell ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Shell:
    """Runs `lockstep` in a folder of its own."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        clean = {n: v for n, v in os.environ.items() if not n.startswith("LOCKSTEP_")}
        self.variables = {**clean, **variables}

    @asynccontextmanager
    async def started(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start a command, and see to it that it is gone at the end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lockstep", *arguments, cwd=self.folder, env=self.variables,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            preexec_fn=interruptible,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def run(self, *arguments: str, code: int = 0) -> CommandResult:
        """Run a command to its end."""
        async with self.started(*arguments) as process, patience():
            out, err = await process.communicate()
        return CommandResult(process.returncode or 0, out.decode(), err.decode()).check(code)

    def write(self, name: str, value: object) -> str:
        """Write a file; JSON is YAML too."""
        text = value if isinstance(value, str) else json.dumps(value)
        (self.folder / name).write_text(text)
        return name


def definition(name: str, **fields: object) -> Json:
    """A small definition on an event of its own."""
    return {
        "name": name,
        "triggers": [{"event": f"cli.{uuid4().hex}"}],
        "actions": [{"stop": {}}],
        **fields,
    }


def unique(word: str) -> str:
    """A name that no other test has."""
    return f"{word}-{uuid4().hex[:12]}"


async def stored(shared: EngineFixture, name: str) -> list[Json]:
    """The stored automations of this name."""
    found: list[Json] = []
    while True:
        page = await shared.call("automations.list", limit=200, offset=len(found))
        found += page["items"]
        if not page["items"] or len(found) >= page["total"]:
            return [one for one in found if one["name"] == name]


def closed_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
