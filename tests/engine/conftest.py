"""One engine for all tests of the language: each test has an automation and an event of its own."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from databases import TEMPLATE, database, on_server
from engine.engine_fixture import EngineFixture, engine_fixture, settings_of
from engine.shell import Shell
from lockstep import embedded
from lockstep.embedded import Servers
from lockstep.store.migrate import migrate
from patience import LIMIT_SECONDS

NODE = Path(__file__).parents[2] / "deploy/samples/provider-node"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(servers: Servers) -> AsyncIterator[EngineFixture]:
    """An engine that lives as long as the session."""
    name = f"shared_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name} template {TEMPLATE}")
    settings = settings_of(
        servers.nats_url, database(servers.postgres_dsn, name), f"p{uuid4().hex[:12]}"
    )
    async with engine_fixture(settings) as opened:
        yield opened


@pytest.fixture
def shell(shared: EngineFixture, tmp_path: Path) -> Shell:
    """A shell whose settings are those of the shared engine."""
    settings = shared.settings
    return Shell(
        tmp_path,
        {
            "LOCKSTEP_NATS__SERVERS": ",".join(settings.nats.servers),
            "LOCKSTEP_NATS__PREFIX": settings.nats.prefix,
            "LOCKSTEP_POSTGRES__DSN": settings.postgres.dsn,
        },
    )


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineFixture]:
    """An engine with the prefix that the samples have, on servers of its own."""
    async with embedded.start(tmp_path_factory.mktemp("alone"), ephemeral=True) as servers:
        await on_server(servers.postgres_dsn, f"create database {TEMPLATE}")
        dsn = database(servers.postgres_dsn, TEMPLATE)
        await migrate(dsn)
        async with engine_fixture(settings_of(servers.nats_url, dsn, "lockstep")) as opened:
            yield opened


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the Node.js sample, with its packages installed; skips where they cannot be had."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node.js and npm are not installed: what needs them is not run")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(NODE, folder, dirs_exist_ok=True)
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"npm could not install the packages of the sample: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    return folder
