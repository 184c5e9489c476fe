"""Who we are is read anew whenever the connection broke: credentials expire and are renewed."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bus.helpers import Server
from deploy.identities import Signer, write_operator_mode
from lockstep.bus import api, topology
from lockstep.bus.connection import connect
from lockstep.bus.publisher import Publisher
from lockstep.bus.puller import Puller
from lockstep.bus.settings import BusSettings
from lockstep.model.verdicts import Accept
from patience import patience, until


@dataclass
class Operated:
    """A server whose users come with tokens, and who signs these."""

    server: Server
    credentials: Path
    signer: Signer

    def settings(self, prefix: str, **others: object) -> BusSettings:
        """Settings with the credentials file."""
        return self.server.settings(prefix, credentials_file=str(self.credentials), **others)


@pytest.fixture
def operated(tmp_path: Path) -> Iterator[Operated]:
    """A server in operator mode."""
    config, credentials, signer = write_operator_mode(tmp_path, {})
    (tmp_path / "operator.conf").write_text(config)
    running = Server(tmp_path, "-c", str(tmp_path / "operator.conf"))
    running.start()
    yield Operated(running, credentials, signer)
    running.kill()


async def test_a_token_that_expires_is_followed_by_the_one_that_lies_there_by_then(
    operated: Operated, prefix: str
) -> None:
    operated.signer.write(operated.credentials, seconds=2)
    connection = await connect(operated.settings(prefix))
    await topology.apply(connection)
    async with Puller(connection) as puller:
        operated.signer.write(operated.credentials)
        await until(lambda: connection.wire.stats["reconnects"] == 1)
        await Publisher(connection).publish(connection.names.trigger("a"), b"{}", {})
        async with patience():
            (message,) = await puller.batch(1)
        await puller.settle(message, Accept())
        assert not connection.closed.is_set()
    await connection.close()


async def test_a_token_that_is_renewed_late_lets_us_in_again_and_nothing_is_lost(
    operated: Operated, prefix: str
) -> None:
    operated.signer.write(operated.credentials, seconds=2)
    connection = await connect(operated.settings(prefix))
    await topology.apply(connection)
    async with Puller(connection) as puller:
        publisher = Publisher(connection)
        await until(lambda: not connection.connected)
        operated.credentials.write_text("half of a fi")  # as it is being written
        await asyncio.sleep(1)
        assert not connection.closed.is_set()
        operated.signer.write(operated.credentials)
        await until(lambda: connection.healthy)
        await publisher.publish(connection.names.trigger("a"), b"{}", {})
        async with patience():
            assert len(await puller.batch(1)) == 1
    await connection.close()


async def test_a_token_that_nobody_renews_ends_the_connection_in_the_end(
    operated: Operated, prefix: str
) -> None:
    operated.signer.write(operated.credentials, seconds=2)
    connection = await connect(operated.settings(prefix, give_up_seconds=3.0))
    async with patience():
        await connection.closed.wait()
    assert "NATS is there, and the client is not let in" in connection.closed_reason
    await connection.close()


async def test_a_password_that_was_changed_is_read_anew(tmp_path: Path, prefix: str) -> None:
    def write(password: str) -> None:
        (tmp_path / "nats.conf").write_text(f'authorization {{ user: us, password: "{password}" }}')

    write("before")
    server = Server(tmp_path, "-c", str(tmp_path / "nats.conf"))
    server.start()
    try:
        before = server.settings(prefix, user="us", password="before")
        after = server.settings(prefix, user="us", password="after")
        known = [before]
        connection = await connect(before, fresh=lambda: known[-1])
        write("after")
        server.kill()
        server.start()
        await asyncio.sleep(1)
        assert not connection.connected
        known.append(after)
        await until(lambda: connection.healthy)
        assert await api.call(connection, "INFO")
        await connection.close()
    finally:
        server.kill()
