"""Traces: who has published, what ran, which step took long, and who was asked, in one tree."""

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID, uuid4

import msgspec
import pytest

pytest.importorskip("opentelemetry.sdk", reason="needs the extra `otel`")

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from engine.provider import provider
from engine.test_language import fail, record
from engine.test_probes import free_port, served
from lockstep import bus
from lockstep.bus import headers
from lockstep.embedded import Servers
from lockstep.engine.parts import Seams
from lockstep.engine.serve import serve
from lockstep.model.errors import SettingError
from lockstep.ports.clock import Clock
from lockstep.settings.structs import Settings, TraceSettings
from lockstep.store.clock import DatabaseClock
from lockstep.telemetry.traces import END_MILLISECONDS, OtelTraces

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PUBLISHED = f"00-{TRACE}-{PARENT}-01"


class Asked(SpanProcessor):
    """Notes how long it may take to send what is left."""

    def __init__(self) -> None:
        self.limits: list[int] = []

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send nothing."""
        self.limits.append(timeout_millis)
        return True


@pytest.fixture
def settings(servers: Servers, dsn: str) -> Settings:
    """Those of an engine on its own."""
    return settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")


class WrittenSpans:
    """The spans that were written."""

    def __init__(self, ratio: float = 1.0) -> None:
        self.exporter = InMemorySpanExporter()
        self.traces = OtelTraces(TraceSettings(enabled=True, ratio=ratio), "0")
        self.traces.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """All, in the order of their ends."""
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        """The one span of a name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found


class ClockAhead(DatabaseClock):
    """That of a database whose clock is an hour ahead of this machine's."""

    def now(self) -> datetime:
        """See `ports.clock.Clock`."""
        return super().now() + timedelta(hours=1)


@asynccontextmanager
async def traced(
    settings: Settings, ratio: float = 1.0, clock: Clock | None = None
) -> AsyncIterator[tuple[EngineFixture, WrittenSpans]]:
    """An engine whose spans are kept in memory; all of them are there when it is left."""
    written = WrittenSpans(ratio)
    seams = Seams(traces=written.traces, clock=clock)
    async with engine_fixture(settings, seams=seams) as opened:
        yield opened, written


def traceparent(span: ReadableSpan) -> str:
    """As a header has it."""
    context = span.context
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def is_within(span: ReadableSpan, outer: ReadableSpan) -> bool:
    """Whether the one is a child of the other."""
    assert span.parent is not None
    assert outer.context is not None
    return (span.parent.trace_id, span.parent.span_id) == (
        outer.context.trace_id,
        outer.context.span_id,
    )


async def test_event_run_and_step_are_one_tree_below_the_span_of_the_publisher(
    settings: Settings, dsn: str
) -> None:
    async with traced(settings) as (opened, written):
        stored = await opened.automation([record("x", id="one")])
        seen = await stored.run({}, traceparent=PUBLISHED)
    event, run = (
        written.named(f"process {stored.event}"),
        written.named("run " + seen.detail.run.automation_name),
    )
    step = written.named("step test.record")
    assert event.parent is not None
    assert (f"{event.parent.trace_id:032x}", f"{event.parent.span_id:016x}") == (TRACE, PARENT)
    assert is_within(run, event)
    assert is_within(step, run)
    assert (event.kind, step.kind) == (SpanKind.CONSUMER, SpanKind.CLIENT)
    for span in (run, step):
        assert span.attributes is not None
        assert span.attributes["lockstep.run_id"] == seen.detail.run.id
    ((kept,),) = await rows(
        dsn, "select traceparent from runs where id = $1", UUID(seen.detail.run.id)
    )
    assert kept == traceparent(event), "whoever takes the run up knows where it belongs"
    assert run.start_time is not None
    assert step.start_time is not None
    assert run.start_time <= step.start_time


async def test_every_span_is_dated_by_the_one_clock(settings: Settings) -> None:
    begun = ClockAhead().now()
    async with traced(settings, clock=ClockAhead()) as (opened, written):
        stored = await opened.automation([record("x"), fail("no luck")])
        await stored.run({})
    kinds = {span.name.split()[0] for span in written.spans}
    assert kinds == {"process", "run", "step"}
    for span in written.spans:
        assert span.start_time is not None
        assert span.end_time is not None
        assert begun.timestamp() * 1e9 - 1e9 < span.start_time <= span.end_time, span.name
        assert span.end_time < (begun + timedelta(hours=1)).timestamp() * 1e9


async def test_what_a_step_publishes_and_asks_carries_the_span_of_the_step(
    settings: Settings,
) -> None:
    async with traced(settings) as (opened, written):
        action = f"mail{uuid4().hex[:6]}.send"
        await opened.call(
            "catalog.actions.register", id=action, display_name="s", owner="o",
            config_schema={"type": "object"},
        )  # fmt: skip
        out = opened.connection.names.trigger("e.out")
        publish = {"action": "nats.publish", "config": {"subject": out, "payload": "{}"}}
        stored = await opened.automation([{"action": action, "config": {}}, publish])
        async with (
            bus.follow(opened.connection, out) as feed,
            bus.follow(opened.connection, opened.connection.names.run(stored.id, "*")) as told_runs,
            provider(opened, action, lambda _: {"success": True}) as asked,
        ):
            await stored.run({}, traceparent=PUBLISHED)
            note = await anext(aiter(feed))
            run_note = await anext(aiter(told_runs))
    run = next(span for span in written.spans if span.name.startswith("run "))
    assert headers.unpack(asked.heads[0])["traceparent"] == traceparent(
        written.named(f"step {action}")
    )
    assert note.headers["traceparent"] == traceparent(written.named("step nats.publish"))
    assert run_note.headers["traceparent"] == traceparent(run), "run events are of the run"


async def test_a_run_that_slept_has_one_span_and_its_steps_are_within_it(
    settings: Settings,
) -> None:
    async with traced(settings) as (opened, written):
        stored = await opened.automation([record("a"), {"delay": {"seconds": 1}}, record("b")])
        await stored.run({})
    (run,) = [span for span in written.spans if span.name.startswith("run ")]
    steps = [span for span in written.spans if span.name == "step test.record"]
    assert len(steps) == 2
    assert all(is_within(step, run) for step in steps)
    assert run.end_time is not None
    assert run.start_time is not None
    assert run.end_time - run.start_time >= 1e9


async def test_a_run_that_no_event_started_is_the_root_of_a_trace(settings: Settings) -> None:
    async with traced(settings) as (opened, written):
        stored = await opened.automation([record("a")])
        started = await opened.call("runs.start", automation_id=stored.id)
        assert started["status"] == "success"
    (run,) = [span for span in written.spans if span.name.startswith("run ")]
    assert run.parent is None
    assert is_within(written.named("step test.record"), run)


async def test_failures_are_told_with_their_reason(settings: Settings) -> None:
    async with traced(settings) as (opened, written):
        stored = await opened.automation([fail("no luck")])
        await stored.run({})
        sleeps = await opened.automation([{"delay": {"seconds": 60}}])
        await opened.publish(sleeps.event, {})
        run_id = (await opened.heard(sleeps.id, "waiting")).data.run_id
        await opened.call("runs.cancel", id=run_id, reason="enough")
        await opened.heard(sleeps.id, "cancelled")
    step = written.named("step test.fail")
    assert (step.status.status_code, step.status.description) == (StatusCode.ERROR, "no luck")
    failed, cancelled = [span for span in written.spans if span.name.startswith("run ")]
    assert failed.status.status_code is StatusCode.ERROR
    assert (cancelled.status.status_code, cancelled.status.description) == (
        StatusCode.ERROR,
        "enough",
    )


async def test_a_secret_that_a_provider_echoes_is_in_no_span(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_SECRET_TOKEN", "hush-hush-hush")
    async with traced(settings) as (opened, written):
        action = f"vault{uuid4().hex[:6]}.use"
        await opened.call(
            "catalog.actions.register", id=action, display_name="s", owner="o",
            config_schema={"properties": {"token": {"type": "string", "x-secret": True}}},
        )  # fmt: skip
        step = {"action": action, "config": {"token": "${{ secrets.TOKEN }}"}}
        stored = await opened.automation([step])
        error = {"success": False, "error": "wrong token hush-hush-hush"}
        async with provider(opened, action, lambda _: error) as asked:
            await stored.run({})
    assert asked.asked[0]["config"] == {"token": "hush-hush-hush"}
    assert written.named(f"step {action}").status.description == "wrong token ***"
    assert not [span for span in written.spans if "hush-hush" in span.to_json()]


async def test_what_the_publisher_does_not_sample_is_not_written_and_goes_on_as_that(
    settings: Settings,
) -> None:
    async with traced(settings) as (opened, written):
        out = opened.connection.names.trigger("e.out")
        stored = await opened.automation(
            [{"action": "nats.publish", "config": {"subject": out, "payload": "{}"}}]
        )
        async with bus.follow(opened.connection, out) as feed:
            await stored.run({}, traceparent=PUBLISHED[:-2] + "00")
            note = await anext(aiter(feed))
        assert note.headers["traceparent"].startswith(f"00-{TRACE}-")
        assert note.headers["traceparent"].endswith("-00")
    traces = {span.context.trace_id for span in written.spans if span.context is not None}
    assert int(TRACE, 16) not in traces


async def test_of_traces_that_begin_here_as_many_are_written_as_the_setting_says(
    settings: Settings,
) -> None:
    async with traced(settings, ratio=0.0) as (opened, written):
        stored = await opened.automation([record("a")])
        await stored.run({})
        await opened.call("runs.start", automation_id=stored.id)
    assert not written.spans


async def test_a_child_is_below_the_step_that_started_it(settings: Settings) -> None:
    async with traced(settings) as (opened, written):
        child = await opened.automation([record("child")])
        config = {"automation": child.id, "wait": True}
        start = {"id": "c", "action": "automation.start", "config": config}
        parent = await opened.automation([start])
        await parent.run({}, traceparent=PUBLISHED)
    runs = {
        str(span.attributes["lockstep.automation_id"]): span
        for span in written.spans
        if span.attributes and span.name.startswith("run ")
    }
    assert is_within(runs[child.id], written.named("step automation.start"))
    assert is_within(written.named("step automation.start"), runs[parent.id])


def test_without_the_setting_nothing_of_it_is_loaded() -> None:
    code = (
        "import sys, lockstep.engine.assembly, lockstep.engine.serve;"
        "print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_without_the_extra_the_setting_is_refused_and_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lockstep import telemetry

    monkeypatch.delattr(telemetry, "traces", raising=False)
    monkeypatch.delitem(sys.modules, "lockstep.telemetry.traces")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    wanted = msgspec.structs.replace(settings, traces=TraceSettings(enabled=True))
    with pytest.raises(SettingError, match=r"lockstep\[otel\]"):
        await serve(wanted)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """What stands for a collector: its address, and what it was sent."""
    sent: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", sent
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_replica_sends_its_spans_to_the_collector_before_it_ends(
    settings: Settings, collector: tuple[str, list[bytes]]
) -> None:
    endpoint, sent = collector
    wanted = msgspec.structs.replace(
        settings, traces=TraceSettings(enabled=True, endpoint=endpoint)
    )
    async with served(wanted) as opened:
        stored = await opened.automation([record("a")])
        await opened.publish(stored.event, {})
        await opened.ended(stored.id, 1)
    assert b"step test.record" in b"".join(sent)


async def test_a_collector_that_is_away_does_not_hold_up_the_end(settings: Settings) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}/v1/traces"
    wanted = msgspec.structs.replace(
        settings, traces=TraceSettings(enabled=True, endpoint=endpoint)
    )
    async with served(wanted) as opened:
        stored = await opened.automation([record("a")])
        await opened.publish(stored.event, {})
        await opened.ended(stored.id, 1)


def test_the_end_gives_the_last_spans_some_seconds_and_no_more() -> None:
    written = WrittenSpans()
    asked = Asked()
    written.traces.provider.add_span_processor(asked)
    written.traces.close()
    (limit,) = asked.limits
    assert 0 < limit <= END_MILLISECONDS
