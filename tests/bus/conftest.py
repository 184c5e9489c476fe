"""A real NATS server for all tests of the bus, and one prefix for each."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bus.helpers import Connecting, Server
from lockstep.bus import api, topology
from lockstep.bus.connection import Connection, connect


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that all tests share; do not kill it."""
    running = Server(tmp_path_factory.mktemp("nats"))
    running.start()
    yield running
    running.kill()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """A server for this test alone, to be killed."""
    running = Server(tmp_path)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test uses."""
    return f"t{uuid4().hex[:12]}"


def streams_of(one: Connection) -> list[str]:
    """Name the streams that `apply` makes."""
    return [stream["name"] for stream in topology.wanted(one).streams]


@pytest.fixture
async def connecting(server: Server, prefix: str) -> AsyncIterator[Connecting]:
    """Make connections to the shared server, with settings; closed and cleaned at the end."""
    made: list[Connection] = []

    async def make(**settings: object) -> Connection:
        name = str(settings.pop("prefix", prefix))
        one = await connect(server.settings(name, **settings))
        made.append(one)
        return one

    yield make
    last = await connect(server.settings(prefix))
    streams = {name for one in [*made, last] for name in streams_of(one)}
    for name in streams:
        try:
            await api.call(last, f"STREAM.DELETE.{name}")
        except api.ApiError as error:
            assert error.err_code in api.NOT_FOUND  # noqa: PT017
    for one in [*made, last]:
        await one.close()


@pytest.fixture
async def connection(connecting: Connecting) -> Connection:
    """A connection whose streams stand; its messages come again after a second."""
    one = await connecting(ack_wait_seconds=1.0)
    await topology.apply(one)
    return one
