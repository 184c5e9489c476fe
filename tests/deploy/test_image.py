"""The image: what goes in, and that its entry point works as a user who may write nothing."""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from deploy.dockerfile import Image, build, instructions
from deploy.machines import DEPLOY, ROOT, Bus, Database, free_ports, nats_server, tool
from patience import LIMIT_SECONDS, patience

FILE = DEPLOY / "Dockerfile"
IGNORED = DEPLOY / "Dockerfile.dockerignore"


def test_all_that_goes_into_the_image_is_pinned_by_hash() -> None:
    given = dict(instructions(FILE.read_text()))
    assert re.fullmatch(r"PYTHON=python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", given["ARG"])
    stages = [rest for word, rest in instructions(FILE.read_text()) if word == "FROM"]
    assert stages == ["${PYTHON} AS build", "${PYTHON}"]
    for word, rest in instructions(FILE.read_text()):
        for command in re.findall(r"pip (?:install|wheel) [^&]*", rest if word == "RUN" else ""):
            assert "--require-hashes" in command or "--no-deps" in command, command
            assert "--no-index" in command or "wheel" in command or "--only-binary" in command


def test_hadolint_finds_nothing() -> None:
    subprocess.run([tool("hadolint"), FILE], check=True, timeout=LIMIT_SECONDS)


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    copied = {
        source
        for word, rest in instructions(FILE.read_text())
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert all((ROOT / source).exists() for source in copied)
    lines = [line for line in IGNORED.read_text().splitlines() if line and line[0] != "#"]
    seen = {line[1:] for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    assert copied == seen


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may look into."""
    made = Path(tempfile.mkdtemp(prefix="lockstep-image-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


class Container:
    """The image run as its user, with nothing of this process's environment."""

    def __init__(self, image: Image, more: Mapping[str, str]) -> None:
        self.image = image
        self.env = {**image.environment, **more}
        self.cwd = image.root / image.workdir.lstrip("/")
        self.cwd.mkdir(parents=True)
        (user, group) = image.user.split(":")
        # Whoever is not root has no other user to be.
        self.who = {"user": int(user), "group": int(group), "extra_groups": []}
        if os.geteuid() != 0:
            self.who = {}

    async def start(self, *words: str) -> Process:
        return await asyncio.create_subprocess_exec(
            *words, env=self.env, cwd=self.cwd, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, **self.who
        )

    async def run(self, *words: str, code: int = 0) -> str:
        """Run what must end with this code; give what it printed."""
        process = await self.start(*words)
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
        assert process.returncode == code, (out + err).decode()
        return (out + err).decode()


def tree(root: Path) -> set[Path]:
    return set(root.rglob("*"))


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    async with nats_server(tmp_path / "bus") as started:
        yield started


async def test_the_entry_point_serves_as_a_user_who_may_write_nothing(
    folder: Path, bus: Bus, database: Database
) -> None:
    image = await asyncio.to_thread(build, FILE, ROOT, folder)
    shutil.copy(database.ca, folder / "ca.crt")
    (port,) = free_ports(1)
    tls = f"sslmode=verify-full&sslrootcert={folder}/ca.crt"
    assert image.env["LOCKSTEP_PROBES__PORT"] == "8080"
    container = Container(image, {
        "LOCKSTEP_NATS__SERVERS": bus.url,
        "LOCKSTEP_NATS__USER": "engine",
        "LOCKSTEP_NATS__PASSWORD": bus.passwords["nats_engine"],
        "LOCKSTEP_NATS__INBOX_PREFIX": "_INBOX_engine",
        "LOCKSTEP_PROBES__PORT": str(port),
    })  # fmt: skip
    entry = image.said["ENTRYPOINT"]
    health = [one.replace("8080", str(port)) for one in image.health]
    extras = "import aiohttp, nkeys, opentelemetry.exporter.otlp.proto.http"
    await container.run("python", "-c", extras)
    if container.who:
        assert "Permission denied" in await container.run("touch", "here", code=1)
    before = tree(folder)
    container.env["LOCKSTEP_POSTGRES__DSN"] = database.dsn("owner", query=tls)
    await container.run(*entry, "db", "migrate")
    container.env["LOCKSTEP_POSTGRES__DSN"] = database.dsn("engine", query=tls)
    await container.run(*health, code=1)
    served = await container.start(*entry, *image.said["CMD"])
    try:
        assert served.stderr
        async with patience():
            while b'"engine.started"' not in (line := await served.stderr.readline()):
                assert line, "it has ended"
        await container.run(*health)
    finally:
        served.terminate()
        await asyncio.wait_for(served.communicate(), LIMIT_SECONDS)
    assert served.returncode == 0
    assert tree(folder) == before
