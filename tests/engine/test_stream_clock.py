"""Times of events are by the engine's clock, however far that of the stream is from it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from engine.test_language import record
from engine.test_parked import LOUD, MAILER, tried
from lockstep import bus, store, telemetry
from lockstep.embedded import Servers
from lockstep.engine import instruments
from lockstep.engine.parts import Seams
from lockstep.model.errors import BusUnavailable
from lockstep.model.messages import Told
from lockstep.model.run_events import iso
from lockstep.replicas import StreamClock
from lockstep.settings.structs import Settings
from lockstep.telemetry.metrics import Metrics
from patience import until

Json = dict[str, Any]
SLACK = timedelta(seconds=1)  # half the way of a question on a busy machine


class Moved(store.DatabaseClock):
    """The clock of this machine, moved."""

    def __init__(self, by: timedelta = timedelta()) -> None:
        super().__init__()
        self.by = by

    def now(self) -> datetime:
        """See `ports.clock.Clock`."""
        return super().now() + self.by


@pytest.fixture
def settings(servers: Servers, dsn: str) -> Settings:
    """Those of replicas with a stream and a database of their own."""
    return settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}", stale_seconds=60)


def another(opened: EngineFixture, clock: Moved) -> StreamClock:
    """What another replica would measure, on the real stream and the real row."""
    stream = opened.connection.names.triggers_stream
    kept = store.StreamClockStore(opened.assembly.edge.database)
    return StreamClock(stream, bus.Lag(opened.connection).told, kept, clock)


async def one_row(dsn: str, query: str, *arguments: object) -> Any:
    """Look at the one row."""
    (row,) = await rows(dsn, query, *arguments)
    return row


@pytest.mark.parametrize("hours", [3, -30])
async def test_the_time_of_an_event_is_by_the_engines_clock(
    settings: Settings, dsn: str, hours: int
) -> None:
    clock = Moved(timedelta(hours=hours))
    async with engine_fixture(settings, seams=Seams(clock=clock)) as opened:
        automation = await opened.automation(
            [record("{{ trigger.time }}")],
            triggers=[{"event": "e.timed", "filter": "now == trigger.time"}],
            conditions=["now == trigger.time"],
        )
        before = clock.now()
        await opened.publish("e.timed", {})
        (run_id,) = await opened.ended(automation.id, 1)
        after = clock.now()
        run = await one_row(dsn, "select trigger_time, rank_time, status from runs")
        assert run["status"] == "success", run_id
        assert before - SLACK <= run["trigger_time"] <= after + SLACK
        assert run["rank_time"] == run["trigger_time"], "an event is ranked by its time"
        kept = await one_row(dsn, "select time from receipts")
        assert kept["time"] == run["trigger_time"]
        (recorded,) = opened.recorder.records
        assert recorded.value == iso(run["trigger_time"])


async def test_the_time_of_an_event_is_fixed_when_it_is_first_handled(
    settings: Settings, dsn: str
) -> None:
    async with engine_fixture(settings, plugins=MAILER) as able:
        triggers = [{"event": "p.came", "filter": f"({LOUD}) and now == trigger.time"}]
        asks = await able.automation([record("x")], triggers=triggers)
    async with engine_fixture(settings) as unable:
        await unable.publish("p.came", {"word": "go"})
        await until(lambda: _has(dsn, "select time from receipts"))
    first = await one_row(dsn, "select time from receipts")
    seams = Seams(clock=Moved(timedelta(hours=1)))
    async with engine_fixture(settings, plugins=MAILER, seams=seams) as able:
        assert (await able.call("status"))["clock"]["begun_because"] == "jump"
        await tried(able)
        await until(lambda: _has(dsn, "select from runs where finished_at is not null"))
    run = await one_row(dsn, "select trigger_time, status, automation_id from runs")
    assert (run["automation_id"], run["status"]) == (asks.id, "success")
    assert run["trigger_time"] == first["time"]


async def _has(dsn: str, query: str) -> bool:
    return bool(await rows(dsn, query))


async def test_two_replicas_say_the_same_of_the_clock(settings: Settings, dsn: str) -> None:
    async with engine_fixture(settings) as one, engine_fixture(settings) as other:
        await one.assembly.basis.stream_clock.look()
        await other.assembly.basis.stream_clock.look()
        await one.assembly.basis.stream_clock.look()
        kept = await one_row(dsn, "select * from stream_clocks")
        for opened in (one, other):
            known = opened.assembly.basis.stream_clock.known
            assert known is not None
            assert known.offset.error <= SLACK
            assert abs(known.offset.ahead) <= known.offset.error + SLACK
        told = (await one.call("status"))["clock"]
        assert (told["stream"], told["doubt"]) == (one.connection.names.triggers_stream, None)
        assert told["begun_because"] == kept["begun_because"] == "first"


async def test_a_clock_that_is_set_is_noticed_and_taken_over_when_it_is_seen_twice(
    settings: Settings, dsn: str
) -> None:
    async with engine_fixture(settings) as opened:
        clock = Moved()
        replica = another(opened, clock)
        await replica.look()
        assert replica.doubt is None
        clock.by = timedelta(minutes=-5)
        await replica.look()
        assert replica.doubt is not None
        assert replica.offset is not None
        assert abs(replica.offset.ahead) < SLACK
        await replica.look()
        assert replica.doubt is None
        assert abs(replica.offset.ahead - timedelta(minutes=5)) < SLACK
        now_ns = round(datetime.now(UTC).timestamp() * 1e9)
        assert abs(replica.time(now_ns) - clock.now()) < SLACK


async def test_where_the_stream_cannot_be_asked_readiness_status_and_figures_say_so(
    settings: Settings,
) -> None:
    async def silent() -> Told:
        raise BusUnavailable("no answer within 5 s")

    async with engine_fixture(settings, seams=Seams(told=silent)) as opened:
        automation = await opened.automation([record("x")])
        assert (await automation.run({})).status == "success", "what needs no clock goes on"
        health = telemetry.Health()
        health.found("migrations")
        health.connected(opened.connection)
        health.takes_events(opened.engine, opened.assembly.loops.heartbeat)
        (lacking,) = health.missing
        assert "no answer within 5 s" in lacking
        assert "may the user of the engine publish to $JS.API.STREAM.INFO." in lacking
        status = await opened.call("status")
        assert status["clock"] is None
        assert status["problems"] == [lacking]
        figures = Metrics(telemetry.Measures())
        figures.look_at(instruments.gauges(opened.assembly, opened.engine.services))
        text = (await figures.text()).decode()
        assert "lockstep_stream_clock_doubted 1.0" in text
        assert "lockstep_stream_clock_ahead_seconds" not in text


async def test_events_without_an_offset_have_the_time_of_the_stream(
    settings: Settings, dsn: str
) -> None:
    async def silent() -> Told:
        raise BusUnavailable("away")

    seams = Seams(clock=Moved(timedelta(hours=2)), told=silent)
    async with engine_fixture(settings, seams=seams) as opened:
        automation = await opened.automation([record("x")])
        await automation.run({})
        run = await one_row(dsn, "select trigger_time from runs")
        assert abs(run["trigger_time"] - datetime.now(UTC)) < timedelta(hours=1)


async def test_status_shows_the_row(settings: Settings) -> None:
    async with engine_fixture(settings, seams=Seams(clock=Moved(timedelta(seconds=-2)))) as opened:
        told: Json = (await opened.call("status"))["clock"]
        assert 1000 < told["ahead_ms"] < 3000
        assert 0 < told["error_ms"] < 1000
        assert msgspec.convert(told["measured_at"], datetime)
