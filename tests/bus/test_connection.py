"""Connecting takes patience, an unfit server is named, and a dead client does not go unnoticed."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from bus.helpers import Connecting, Server, free_port
from lockstep.bus import api, liveness
from lockstep.bus.connection import connect
from lockstep.bus.settings import BusSettings
from lockstep.model.errors import ServerUnfit, SettingError, Unavailable
from patience import LIMIT_SECONDS, briefly, patience, until


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Server]:
    """A server that wants a password and has no JetStream."""
    running = Server(tmp_path, "--user", "us", "--pass", "right", jetstream=False)
    running.start()
    yield running
    running.kill()


@asynccontextmanager
async def impostor(version: str) -> AsyncIterator[str]:
    """A server that greets with any version and only answers pings; its URL."""
    writers: list[asyncio.StreamWriter] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"version": version, "max_payload": 1_048_576, "headers": True}
        writers.append(writer)
        writer.write(f"INFO {json.dumps(info)}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def test_it_waits_until_the_server_comes(tmp_path: Path, prefix: str) -> None:
    server = Server(tmp_path)
    connecting = asyncio.create_task(connect(server.settings(prefix)))
    await asyncio.sleep(0)
    server.start()
    try:
        connection = await connecting
        assert connection.healthy
        assert connection.server == server.url
        await connection.close()
        assert connection.closed.is_set()
    finally:
        server.kill()


async def test_waiting_for_the_server_can_be_cancelled(prefix: str) -> None:
    settings = BusSettings(servers=[f"nats://127.0.0.1:{free_port()}"], prefix=prefix)
    connecting = asyncio.create_task(connect(settings))
    with pytest.raises(TimeoutError):
        async with briefly(0.3):
            await asyncio.shield(connecting)
    connecting.cancel()
    await asyncio.wait({connecting}, timeout=LIMIT_SECONDS)
    assert connecting.cancelled()


async def test_patience_has_an_end_if_wanted() -> None:
    port = free_port()
    settings = BusSettings(servers=[f"nats://us:secret@127.0.0.1:{port}"])
    with pytest.raises(Unavailable, match=f"no NATS server answers at nats://127.0.0.1:{port}"):
        await connect(settings, patience_seconds=0)


@pytest.mark.parametrize("version", ["2.11.4", "1.4.1", "2.9.0-beta.1"])
async def test_an_old_server_is_refused_with_both_versions(version: str) -> None:
    async with impostor(version) as url:
        expected = f"NATS {version} at {url} is too old: Lockstep needs NATS 2.12 or newer"
        with pytest.raises(ServerUnfit) as caught:
            await connect(BusSettings(servers=[url]))
        assert str(caught.value) == expected


async def test_a_server_that_says_no_version_is_refused() -> None:
    async with impostor("newest") as url:
        with pytest.raises(ServerUnfit, match=r"says version 'newest'; Lockstep needs NATS 2\.12"):
            await connect(BusSettings(servers=[url]))


async def test_a_server_without_jetstream_is_refused_unless_it_is_not_needed(
    secured: Server, prefix: str
) -> None:
    settings = secured.settings(prefix, user="us", password="right")
    with pytest.raises(ServerUnfit, match="has no JetStream: start it with `-js`"):
        await connect(settings)
    connection = await connect(settings, needs_jetstream=False)
    assert connection.connected
    await connection.close()


async def test_wrong_credentials_are_no_reason_to_try_for_ever(
    secured: Server, prefix: str
) -> None:
    settings = secured.settings(prefix, user="us", password="wrong")
    with pytest.raises(ServerUnfit, match=r"refuses us \(Authorization Violation\): see user"):
        await connect(settings)


async def test_a_server_that_does_not_fit_is_passed_over(
    secured: Server, server: Server, prefix: str
) -> None:
    settings = BusSettings(servers=[secured.url, server.url] * 3, prefix=prefix)
    connection = await connect(settings)
    assert connection.server == server.url
    await connection.wire.force_reconnect()
    await until(lambda: connection.wire.stats["reconnects"] == 1)
    assert connection.server == server.url
    await connection.close()


async def test_a_certificate_that_nobody_knows_ends_the_attempt(
    tmp_path: Path, prefix: str
) -> None:
    """And does so at once, though nats-py would wait for ever."""
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key -out"
    try:
        subprocess.run([*make.split(), "cert"], cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    files = ("--tlscert", str(tmp_path / "cert"), "--tlskey", str(tmp_path / "key"))
    running = Server(tmp_path, "--tls", *files)
    running.start()
    try:
        with pytest.raises(ServerUnfit, match=r"certificate verify failed.*see tls_ca_file"):
            async with patience():
                await connect(running.settings(prefix))
    finally:
        running.kill()


async def test_a_missing_file_is_named_with_its_setting() -> None:
    with pytest.raises(SettingError, match="tls_ca_file: there is no file /no/where"):
        await connect(BusSettings(tls_ca_file="/no/where"))


async def test_a_client_that_lost_its_read_loop_is_connected_anew(
    connecting: Connecting,
) -> None:
    connection = await connecting()
    reading = connection.wire._reading_task
    assert reading is not None
    reading.cancel()
    await asyncio.wait({reading})
    assert connection.connected  # it does not know
    connection.own(liveness.watch(connection, every=0.05, answer=1.0), "watch")
    await until(lambda: connection.wire.stats["reconnects"] >= 1)
    await until(lambda: connection.healthy)
    assert await api.call(connection, "INFO")
    assert not connection.closed.is_set()


async def test_a_client_whose_probes_are_never_answered_is_given_up(prefix: str) -> None:
    async with impostor("2.12.0") as url:
        settings = BusSettings(servers=[url], prefix=prefix, give_up_seconds=3.0)
        connection = await connect(settings, needs_jetstream=False)
        connection.own(liveness.watch(connection, every=0.05, answer=0.1), "watch")
        async with patience():
            await connection.closed.wait()
        assert "NATS is there, and the client" in connection.closed_reason
        assert connection.wire.stats["reconnects"] >= 1
        assert not connection.healthy
        with pytest.raises(Unavailable, match="NATS is there"):
            connection.post("a", b"")
        await connection.close()


async def test_a_client_that_hangs_in_a_reconnect_is_connected_anew(
    connecting: Connecting,
) -> None:
    connection = await connecting()
    connection.wire._status = connection.wire.RECONNECTING
    connection.own(liveness.watch(connection, every=0.05, answer=0.5, stuck=0.1), "watch")
    await until(lambda: connection.wire.stats["reconnects"] >= 1)
    assert await api.call(connection, "INFO")
    assert not connection.closed.is_set()


async def test_a_client_that_the_server_threw_out_is_connected_anew(
    connecting: Connecting,
) -> None:
    connection = await connecting()
    came: list[bytes] = []
    subject = f"{connection.settings.prefix}.x"
    await connection.listen(subject, lambda _subject, _reply, _head, body: came.append(body))
    connection.wire.post("a", b"x" * (connection.max_payload + 1), "", b"")
    await until(lambda: connection.wire.stats["reconnects"] == 1 and connection.connected)
    connection.post(subject, b"still heard")
    await until(lambda: came == [b"still heard"])
    assert await api.call(connection, "INFO")


async def test_a_task_that_fails_is_told_and_ends_nothing_else(connecting: Connecting) -> None:
    connection = await connecting()

    async def fail() -> None:
        raise ValueError("unexpected")

    with capture_logs() as logs:
        await asyncio.wait({connection.own(fail(), "some.task")}, timeout=LIMIT_SECONDS)
        await until(lambda: logs)
    assert [(line["event"], line["task"]) for line in logs] == [("bus.task_failed", "some.task")]
    assert connection.healthy


async def test_a_loop_that_fails_is_begun_again(connecting: Connecting) -> None:
    connection = await connecting()
    begun: list[int] = []

    async def loop() -> None:
        begun.append(1)
        if len(begun) < 3:
            raise ValueError("unexpected")

    async with patience():
        await connection.keep(loop, "some.loop")
    assert len(begun) == 3


async def test_a_request_that_broke_with_the_connection_is_not_sent_on_the_next(
    mortal: Server, prefix: str
) -> None:
    """Whoever asked was told, and may have asked again: late it would be done a second time."""
    connection, came = await connect(mortal.settings(prefix)), list[bytes]()
    await connection.listen("a.*", lambda _subject, _reply, _head, body: came.append(body))
    mortal.halt()
    for _ in range(16):  # more than what lies between us and the server takes
        connection.wire.post("a.fill", b"x" * 1_000_000, "", b"")
    await until(lambda: connection.wire.pending_data_size == 0)
    asking = asyncio.create_task(connection.requests.ask("a.b", b"late", b"", LIMIT_SECONDS))
    await until(lambda: connection.wire.pending_data_size > 0)
    connection.wire.post("a.c", b"kept", "", b"")
    mortal.kill()
    with pytest.raises(Unavailable):
        await asking
    mortal.start()
    await until(lambda: connection.connected and came == [b"kept"])
    assert await api.call(connection, "INFO")
    assert came == [b"kept"]
    await connection.close()


def test_settings_do_not_show_secrets() -> None:
    settings = BusSettings(
        servers=["nats://us:hunter2@host:4222"], password="hunter2", token="hunter2"
    )
    assert "hunter2" not in repr(settings)
    assert "nats://host:4222" in repr(settings)


@pytest.mark.parametrize(
    "field", [{"prefix": "a.b"}, {"lanes": ["a b"]}, {"replicas": 0}, {"servers": ["http://a"]}]
)
def test_settings_have_bounds(field: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(field, BusSettings)
