"""`compose.yaml` at work: its services as processes of this machine, and commands on them."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import takewhile
from pathlib import Path
from signal import Signals
from tempfile import TemporaryDirectory, gettempdir

from deploy.machines import (
    accepting,
    environ,
    free_ports,
    initialised,
    make_secrets,
    nats_url,
    tool,
)
from deploy.stack import Json, Service, prepare
from deploy.test_whole import Engine, run, serving
from lockstep.embedded import packages
from lockstep.embedded.lock import lock_folder
from lockstep.embedded.server import Command, guarded, ready
from patience import LIMIT_SECONDS
from processes import environment

OURS = ("migrate", "engine", "cli", "publisher")


@asynccontextmanager
async def nats(service: Service, port: int) -> AsyncIterator[None]:
    """Run the service `nats`, on a port of this machine."""
    program, *words = service.command
    assert program == "nats-server"
    command = Command(
        arguments=(
            *(str(packages.nats_server()), *words),
            *("--addr", "127.0.0.1", "--port", str(port), "--http_port", "-1"),
            *("--ports_file_dir", str(service.root)),
        ),
        stop=Signals.SIGTERM,
        orphaned=Signals.SIGKILL,
    )
    log = service.root / "log"
    with environ(service.env):
        async with lock_folder(service.root, 1) as lock, guarded(command, lock, log) as guard:
            await ready("NATS", guard, log, lambda: nats_url(service.root))
            yield


@asynccontextmanager
async def postgres(service: Service, programs: Path, port: int) -> AsyncIterator[None]:
    """Run the service `postgres`; do what the entry point of its image does before."""
    data = service.root / "var/lib/postgresql/data"
    program, *words = service.command
    assert program == "postgres"
    log = service.root / "log"
    async with lock_folder(service.root, 1) as lock, AsyncExitStack() as stack:
        await initialised(programs, data, lock, log)
        owner = data.stat()
        key = service.root / "run/postgresql/tls.key"
        key.parent.mkdir(exist_ok=True)
        shutil.copy(service.root / "run/secrets/postgres_tls_key", key)
        key.chmod(0o600)
        os.chown(key, owner.st_uid, owner.st_gid)
        open_to_all(service.root)
        # `peer` would want the test to run as the user postgres.
        rules = service.root / "etc/postgresql/pg_hba.conf"
        rules.write_text(f"local all postgres trust\n{rules.read_text()}")
        sockets = Path(stack.enter_context(TemporaryDirectory()))  # a path that is short
        os.chown(sockets, owner.st_uid, owner.st_gid)
        here = (f"--port={port}", "--listen_addresses=127.0.0.1")
        here += (f"--unix_socket_directories={sockets}",)
        command = Command(
            arguments=(str(programs / "postgres"), "-D", str(data), *words, *here),
            stop=Signals.SIGINT, orphaned=Signals.SIGQUIT, unprivileged=data,
        )  # fmt: skip
        async with guarded(command, lock, log) as guard:
            await ready("PostgreSQL", guard, log, lambda: accepting(data))
            script = service.root / "docker-entrypoint-initdb.d/roles.sql"
            with environ({**service.env, "PGHOST": sockets, "PGPORT": port, "PGUSER": "postgres"}):
                words = ["-v", "ON_ERROR_STOP=1", "--no-password", "--no-psqlrc"]
                await asyncio.to_thread(
                    subprocess.run,
                    [programs / "psql", *words, "-f", script],
                    check=True,
                    timeout=LIMIT_SECONDS,
                )
            yield


def open_to_all(root: Path) -> None:
    """Let the user of the server come to its files."""
    for folder in (root, *root.parents):
        if folder.is_relative_to(gettempdir()) and folder != Path(gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o055)


class Compose:
    """The services as processes; `docker compose` as far as the guide uses it on them."""

    def __init__(
        self,
        project: Json,
        folder: Path,
        programs: Path,
        stack: AsyncExitStack,
        *,
        secrets: Path | None = None,
    ) -> None:
        """Lay out the services.

        Args:
            project: What docker compose made of the file.
            folder: Where they are laid out.
            programs: Those of a PostgreSQL that knows TLS.
            stack: What ends them.
            secrets: What make-secrets.sh has made; it is run else.
        """
        self.project, self.programs, self.stack = project, programs, stack
        self.secrets = secrets or folder / "secrets"
        if secrets is None:
            make_secrets(self.secrets)
        self.ports = dict(zip(("nats", "postgres"), free_ports(2), strict=True))
        self.replicas: list[Engine] = []
        hosts = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self.services = {
            name: prepare(project, name, folder, self.secrets, hosts)
            for name in project["services"]
        }
        for name in OURS:
            (self.services[name].root / "etc/lockstep").mkdir(parents=True, exist_ok=True)

    async def up(self) -> None:
        """Start what does not run, as the conditions say: servers, the job, replicas."""
        ports, services = self.ports, self.services
        if not self.replicas:
            await self.stack.enter_async_context(nats(services["nats"], ports["nats"]))
            started = postgres(services["postgres"], self.programs, ports["postgres"])
            await self.stack.enter_async_context(started)
        await self.run("migrate", *services["migrate"].command)
        self.replicas = [one for one in self.replicas if one.process.returncode is None]
        while len(self.replicas) < self.project["services"]["engine"]["deploy"]["replicas"]:
            env = environment() | services["engine"].env
            replica = serving(env, services["engine"].root)
            self.replicas.append(await self.stack.enter_async_context(replica))

    async def run(self, name: str, *words: str) -> str:
        """Run a command of `lockstep` as this service."""
        service = self.services[name]
        home = service.root / "etc/lockstep"
        return await run(*words, env=environment() | service.env, cwd=home)

    async def say(self, line: str) -> str:
        """Carry out a line of the guide."""
        match shlex.split(line):
            case ["docker", "compose", "run", "--rm", "--volume", volume, service, *words]:
                source, target, *_ = volume.split(":")
                place = self.services[service].root / target.lstrip("/")
                place.unlink(missing_ok=True)
                place.symlink_to(source)
                return await self.run(service, *words)
            case ["docker", "compose", "run", "--rm", service, *words]:
                assert not self.project["services"][service].get("entrypoint")
                return await self.run(service, *words)
            case ["docker", "compose", "exec", "engine", "lockstep", *words]:
                return await self.run("engine", *words)
            case ["docker", "compose", "up", *_]:
                await self.up()
                return ""
            case ["docker", "compose", "ps" | "logs", *_]:
                return ""
            case ["docker", "compose", "down"]:
                await self.stack.aclose()
                return ""
            case ["docker", "kill", name]:
                replica = self.replicas[int(name.removeprefix("lockstep-engine-")) - 1]
                replica.process.kill()
                await replica.process.wait()
                return ""
        raise AssertionError(line)


def wrong_flags(page: str, commands: set[str]) -> dict[str, list[str]]:
    """Give the flags that `docker compose` does not have, of the commands that a page uses."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(docker compose [^`]+)`", page)
    used = {tuple(shlex.split(line)[2:]) for line in lines if line.startswith("docker compose ")}
    assert {words[0] for words in used} == commands
    wrong: dict[str, list[str]] = {}
    for command, *words in used:
        known = subprocess.run(
            [tool("docker-compose"), command, "--help"],
            check=True, capture_output=True, text=True, timeout=LIMIT_SECONDS,
        ).stdout  # fmt: skip
        flags = takewhile(lambda word: word.startswith("--"), words)
        missing = [flag for flag in flags if f"{flag} " not in known]
        if missing:
            wrong[command] = missing
    return wrong
