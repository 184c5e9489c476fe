"""Probes: who looks from outside learns whether a replica lives, is ready, and what it does."""

import asyncio
import json
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.engine_fixture import EngineFixture, settings_of
from engine.test_language import fail, record
from engine.test_sleep import holding
from lockstep import bus, store, telemetry
from lockstep.catalog import Recorder
from lockstep.embedded import Servers
from lockstep.engine import instruments, serve
from lockstep.engine.engine import Engine
from lockstep.model.errors import SettingError
from lockstep.settings.structs import ProbeSettings, Settings
from lockstep.telemetry import probe_server
from lockstep.telemetry.metrics import Metrics
from lockstep.telemetry.probe_server import AT_ONCE
from patience import LIMIT_SECONDS, briefly, patience
from processes import environment, lockstep

NAMES = {
    "lockstep_events", "lockstep_event_lag", "lockstep_batch_events", "lockstep_runs",
    "lockstep_runs_ended", "lockstep_run_duration_seconds", "lockstep_step_duration_seconds",
    "lockstep_walks_active", "lockstep_waits", "lockstep_wakes_late_seconds",
    "lockstep_outbox_depth", "lockstep_outbox_oldest_seconds", "lockstep_pool_connections",
    "lockstep_ready_runs", "lockstep_dead_letters", "lockstep_api_requests",
    "lockstep_listener_failures", "lockstep_service_running", "lockstep_service_failures",
    "lockstep_decisions_dropped", "lockstep_loop_stalls_seconds", "lockstep_parked",
    "lockstep_stream_clock_ahead_seconds", "lockstep_stream_clock_error_seconds",
    "lockstep_stream_clock_doubted", "lockstep_expiry_held", "lockstep_expiry_oldest_seconds",
    "lockstep_automation_runs_ended", "lockstep_automation_run_duration_seconds",
    "lockstep_automation_info",
}  # fmt: skip
"""As the parser names families: without `_total`."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def settings(servers: Servers, dsn: str) -> Settings:
    """Those of a replica with probes."""
    made = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    return msgspec.structs.replace(made, probes=ProbeSettings(port=free_port()))


async def get(settings: Settings, path: str, method: str = "GET") -> tuple[int, str]:
    """Ask a probe."""
    url = f"http://127.0.0.1:{settings.probes.port}{path}"

    def ask() -> tuple[int, str]:
        request = urllib.request.Request(url, method=method)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_SECONDS) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(ask)


async def readiness(settings: Settings) -> tuple[int, list[str]]:
    """Ask `/readyz`: the code, and what is missing."""
    code, text = await get(settings, "/readyz")
    return code, json.loads(text)["missing"]


async def figures(settings: Settings) -> dict[str, Any]:
    """Ask `/metrics`: every sample by its name and labels."""
    code, text = await get(settings, "/metrics")
    assert code == 200
    return {
        sample.name + "".join(f",{k}={v}" for k, v in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[EngineFixture]:
    """A replica as `lockstep serve` runs it."""
    ready: asyncio.Future[Engine] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve.serve(settings, ready=ready.set_result))
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    engine = ready.result()
    connection = engine.assembly.edge.connection
    engine_fixture = EngineFixture(settings, engine, connection, Recorder())
    async with bus.follow(connection, connection.names.run("*", "*")) as feed:
        following = asyncio.create_task(engine_fixture.follow(feed))
        try:
            yield engine_fixture
        finally:
            engine.stop()
            await serving
            following.cancel()


async def test_a_replica_that_takes_events_lives_and_is_ready(settings: Settings) -> None:
    async with served(settings):
        assert await get(settings, "/livez") == (200, '{"alive":true,"fault":null}\n')
        assert await readiness(settings) == (200, [])
        assert (await get(settings, "/readyz", "HEAD")) == (200, "")
        assert (await get(settings, "/readyz", "POST"))[0] == 405
        assert (await get(settings, "/other"))[0] == 404
    with pytest.raises(urllib.error.URLError):
        await get(settings, "/livez")


async def test_a_replica_without_its_servers_lives_and_names_what_it_lacks(
    settings: Settings,
) -> None:
    nowhere = f"postgresql://x@127.0.0.1:{free_port()}/x"
    postgres = msgspec.structs.replace(settings.postgres, dsn=nowhere)
    serving = asyncio.create_task(serve.serve(msgspec.structs.replace(settings, postgres=postgres)))
    try:
        while (answer := await readiness_or_none(settings)) is None:
            await asyncio.sleep(0.01)
        assert answer == (503, ["nats", "postgres", "migrations", "intake"])
        assert (await get(settings, "/livez"))[0] == 200, "a new process would find none either"
    finally:
        serving.cancel()
        await asyncio.wait({serving})


async def test_a_replica_that_lost_a_server_says_so_and_is_ready_when_it_is_back(
    settings: Settings,
) -> None:
    async with served(settings) as engine_fixture:
        engine_fixture.assembly.edge.connection.alive = (
            False  # as the probe of the bus does that gets no answer
        )
        assert (await readiness(settings)) == (503, ["nats"])
        assert (await get(settings, "/livez"))[0] == 200
        engine_fixture.assembly.edge.connection.alive = True
        assert (await readiness(settings)) == (200, [])


async def test_a_replica_that_is_asked_to_stop_is_not_ready_while_its_walks_end(
    settings: Settings,
) -> None:
    async with served(settings) as engine_fixture:
        action, release = holding(engine_fixture)
        stored = await engine_fixture.automation([action])
        await engine_fixture.publish(stored.event, {})
        await engine_fixture.heard(stored.id, "started")
        engine_fixture.engine.stop()
        assert await readiness(settings) == (503, ["stopping"])
        release.set()
        await engine_fixture.ended(stored.id, 1)


async def test_a_process_that_is_told_to_stop_ends_in_good_order_with_its_probes(
    settings: Settings, tmp_path: Path
) -> None:
    """The server of the probes must leave the signals to the engine."""
    env = environment(
        NATS__SERVERS=settings.nats.servers[0], NATS__PREFIX=settings.nats.prefix,
        NATS__STORAGE="memory", POSTGRES__DSN=settings.postgres.dsn,
        PROBES__PORT=settings.probes.port,
    )  # fmt: skip
    async with lockstep("serve", env=env, cwd=tmp_path) as process, patience():
        while await readiness_or_none(settings) != (200, []):
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def readiness_or_none(settings: Settings) -> tuple[int, list[str]] | None:
    """Ask `/readyz`; None while nobody listens."""
    try:
        return await readiness(settings)
    except OSError:
        return None


async def test_every_figure_of_the_table_is_there_and_no_other(settings: Settings) -> None:
    async with served(settings) as engine_fixture:
        stored = await engine_fixture.automation([record("x")])
        await stored_run(engine_fixture, stored.event, stored.id)
        _, text = await get(settings, "/metrics")
        families = list(text_string_to_metric_families(text))
        assert {family.name for family in families if family.samples} == NAMES
        assert {family.name for family in families} == NAMES
        assert all(family.documentation for family in families)


async def stored_run(engine_fixture: EngineFixture, event: str, automation_id: str) -> None:
    """Publish an event and wait for the end of its run."""
    runs = len(engine_fixture.finals(automation_id))
    await engine_fixture.publish(event, {})
    await engine_fixture.ended(automation_id, runs + 1)


async def test_figures_count_what_was_done(settings: Settings) -> None:
    async with served(settings) as engine_fixture:
        works = await engine_fixture.automation(
            [record("x"), {"delay": {"seconds": 1}}, record("y")]
        )
        fails = await engine_fixture.automation([fail("no")])
        waits = await engine_fixture.automation([{"wait_for_trigger": {"event": "e.never"}}])
        for _ in range(3):
            await stored_run(engine_fixture, works.event, works.id)
        await stored_run(engine_fixture, fails.event, fails.id)
        await engine_fixture.publish(waits.event, {})
        await engine_fixture.heard(waits.id, "waiting")
        await engine_fixture.publish("e.poison", b"no JSON")
        found = await until(settings, "lockstep_dead_letters_total", 1)
        assert found["lockstep_events_total,outcome=accepted"] == 5
        assert found["lockstep_events_total,outcome=dead_lettered"] == 1
        assert found["lockstep_batch_events_sum"] == 6
        assert found["lockstep_runs_ended_total,status=success"] == 3
        assert found["lockstep_runs_ended_total,status=failed"] == 1
        assert found["lockstep_run_duration_seconds_count"] == 4
        of_automation = "lockstep_automation_runs_ended_total,automation="
        assert found[f"{of_automation}{works.id},status=success"] == 3
        assert found[f"{of_automation}{works.id},status=failed"] == 0
        assert found[f"{of_automation}{fails.id},status=failed"] == 1
        assert found[f"{of_automation}{waits.id},status=success"] == 0, "a rate needs two numbers"
        assert found[f"{of_automation}other,status=success"] == 0
        durations = "lockstep_automation_run_duration_seconds_count,automation="
        assert [found[f"{durations}{one.id}"] for one in (works, fails, waits)] == [3, 1, 0]
        name = works.event.removeprefix("e.")
        assert found[f"lockstep_automation_info,automation={works.id},name={name}"] == 1
        assert found["lockstep_step_duration_seconds_count,kind=action"] == 7
        assert found["lockstep_step_duration_seconds_count,kind=delay"] == 3
        assert found["lockstep_wakes_late_seconds_count"] == 3
        assert found["lockstep_runs,status=waiting"] == 1
        assert found["lockstep_waits,kind=event"] == 1
        assert found["lockstep_event_lag,group=engine"] == 0
        assert found["lockstep_api_requests_total,code=200,endpoint=automations.create"] == 3
        assert found["lockstep_pool_connections,state=busy"] >= 0


async def until(settings: Settings, name: str, value: float) -> dict[str, Any]:
    """Look at the figures until one has a value; what is counted in the tables may be older."""
    async with patience():
        while True:
            found = await figures(settings)
            # What is asked of the servers is kept for some seconds.
            if found.get(name) == value and found.get("lockstep_runs,status=waiting") == 1:
                return found
            await asyncio.sleep(0.05)


async def test_a_cancelled_run_and_a_skipped_one_are_counted(settings: Settings) -> None:
    async with served(settings) as engine_fixture:
        stored = await engine_fixture.automation(
            [{"delay": {"seconds": 60}}], mode="single", max_runs=1
        )
        await engine_fixture.publish(stored.event, {})
        await engine_fixture.publish(stored.event, {})
        await engine_fixture.heard(stored.id, "skipped")
        run = await engine_fixture.heard(stored.id, "waiting")
        await engine_fixture.call("runs.cancel", id=run.data.run_id)
        await engine_fixture.heard(stored.id, "cancelled")
        found = await figures(settings)
        assert found["lockstep_runs_ended_total,status=skipped"] == 1
        assert found["lockstep_runs_ended_total,status=cancelled"] == 1
        for status in ("skipped", "cancelled"):
            name = f"lockstep_automation_runs_ended_total,automation={stored.id},status={status}"
            assert found[name] == 1


async def test_a_scrape_is_answered_while_the_servers_are_away(settings: Settings) -> None:
    async with served(settings) as engine_fixture:
        gauges = instruments.gauges(engine_fixture.assembly, engine_fixture.engine.services)
        gone = await store.Store.connect(settings.postgres.dsn, 4)
        await gone.close()

        async def numbers() -> Any:
            return await store.numbers(gone)

        found = Metrics(telemetry.Measures())
        found.look_at(msgspec.structs.replace(gauges, numbers=numbers))
        text = (await found.text()).decode()
        assert "lockstep_walks_active 0.0" in text
        assert "lockstep_runs{" not in text, "an old number would be a lie"


async def test_what_the_tables_say_is_asked_for_once_by_many_scrapes(settings: Settings) -> None:
    async with served(settings) as engine_fixture:
        asked = 0

        async def numbers() -> Any:
            nonlocal asked
            asked += 1
            return await store.numbers(engine_fixture.assembly.edge.database)

        found = Metrics(telemetry.Measures())
        found.look_at(
            msgspec.structs.replace(
                instruments.gauges(engine_fixture.assembly, engine_fixture.engine.services),
                numbers=numbers,
            )
        )
        await asyncio.gather(*(found.text() for _ in range(20)))
        assert asked == 1


async def test_a_port_that_is_taken_is_said_with_its_setting(settings: Settings) -> None:
    with (
        socket.create_server(("127.0.0.1", settings.probes.port)),
        pytest.raises(SettingError, match=r"probes\.port"),
    ):
        await serve.serve(settings)


@pytest.mark.parametrize("begins", [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\n"])
async def test_requests_that_nobody_ends_keep_no_probe_from_being_answered(begins: bytes) -> None:
    port = free_port()
    probes = probe_server.Probes(telemetry.Health(), Metrics(telemetry.Measures()))
    made = Settings(probes=ProbeSettings(port=port))
    async with probe_server.opened(probes, "127.0.0.1", port), AsyncExitStack() as stack:
        readers = []
        for _ in range(3 * AT_ONCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(begins)
            readers.append(reader)
        for _ in range(5):
            assert (await get(made, "/livez"))[0] == 200
        async with patience():
            with suppress(ConnectionError):
                assert await readers[0].read() == b""  # it has waited longest, and had to go
            with suppress(ConnectionError):
                assert await readers[-1].read() == b""  # its time is over


async def test_a_client_that_sends_its_request_byte_by_byte_has_a_time_for_it() -> None:
    port = free_port()
    probes = probe_server.Probes(telemetry.Health(), Metrics(telemetry.Measures()))
    async with probe_server.opened(probes, "127.0.0.1", port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        ended = asyncio.create_task(reader.read())
        with suppress(ConnectionError):
            async with patience():
                while not ended.done():
                    writer.write(b"G")
                    await writer.drain()
                    with suppress(TimeoutError):
                        async with briefly(0.2):
                            await asyncio.shield(ended)
        with suppress(ConnectionError):
            assert await ended == b""
        writer.close()


async def test_a_connection_that_asks_again_and_again_is_kept() -> None:
    port = free_port()
    probes = probe_server.Probes(telemetry.Health(), Metrics(telemetry.Measures()))
    async with probe_server.opened(probes, "127.0.0.1", port), patience():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(4):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            await reader.readuntil(b"}\n")
        writer.close()
