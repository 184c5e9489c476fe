"""Traces, by OpenTelemetry: the handling of an event, the run that it starts, each call of a step.

Needs the extra `otel`; imported only where the setting asks for it. A run may sleep for days and
move between replicas, so it has no span that is open: its id is made of that of the run, steps
name it as their parent, and whoever sees the run end writes it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from typing import Final
from uuid import UUID

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from lockstep.model.events import Event
from lockstep.model.messages import Message
from lockstep.model.runs import RunState
from lockstep.model.texts import storable
from lockstep.ports.clock import Clock
from lockstep.settings.structs import TraceSettings
from lockstep_schemas.run_events import RunStatus

END_MILLISECONDS: Final = 3000  # a collector that hangs must not keep us from ending
UNSUCCESSFUL: Final = frozenset({"failed", "cancelled"})


class _Ids(RandomIdGenerator):  # type: ignore[misc, unused-ignore] # unknown without the extra
    """Ids at random, but for the next span that is to have a certain one."""

    def __init__(self) -> None:
        self.span = self.trace = 0

    def generate_span_id(self) -> int:
        found, self.span = self.span, 0
        return found or super().generate_span_id()

    def generate_trace_id(self) -> int:
        found, self.trace = self.trace, 0
        return found or super().generate_trace_id()


class OtelStepSpan:
    """See `ports.telemetry.StepSpan`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """See `ports.telemetry.StepSpan`."""
        return _text(self._span.get_span_context())

    def failed(self, error: str) -> None:
        """See `ports.telemetry.StepSpan`."""
        self._span.set_status(StatusCode.ERROR, storable(error))


class OtelTraces:
    """See `ports.telemetry.Traces`."""

    def __init__(self, settings: TraceSettings, version: str) -> None:
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "lockstep"}
        self._ratio = TraceIdRatioBased(settings.ratio)
        self._ids = _Ids()
        self.provider = TracerProvider(
            sampler=ParentBased(self._ratio),
            resource=Resource.create({**named, "service.version": version}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._tracer = self.provider.get_tracer("lockstep", version)
        self._handled: dict[int, trace.Span] = {}  # of events under way, by their message

    def export(self, endpoint: str) -> None:
        """Send spans to a collector, in the background."""
        exporter = OTLPSpanExporter(endpoint=endpoint or None)
        self.provider.add_span_processor(BatchSpanProcessor(exporter))

    def close(self) -> None:
        """Send what is there; may take some seconds."""
        self.provider.force_flush(END_MILLISECONDS)
        self.provider.shutdown()

    def begun(self, event: Event, at: datetime) -> Event:
        """See `ports.telemetry.Traces.begun`."""
        message = event.message
        if message is None:
            return event
        span = self._handled.get(id(message))  # it may be decoded again
        if span is None:
            span = self._handled[id(message)] = self._tracer.start_span(
                f"process {event.id}",
                _within(_context(event.traceparent)),
                kind=SpanKind.CONSUMER,
                start_time=_ns(at),
                attributes={
                    "messaging.system": "nats",
                    "messaging.operation.type": "process",
                    "messaging.destination.name": message.subject,
                    "messaging.message.id": event.message_id or event.delivery,
                },
            )
        return msgspec.structs.replace(event, traceparent=_text(span.get_span_context()))

    def handled(self, messages: Sequence[Message], error: str | None, at: datetime) -> None:
        """See `ports.telemetry.Traces.handled`."""
        for message in messages:
            span = self._handled.pop(id(message), None)
            if span is not None:
                if error is not None:
                    span.set_status(StatusCode.ERROR, storable(error))
                span.end(_ns(at))

    @contextmanager
    def step(
        self, run: RunState, path: str, action: str, attempt: int, clock: Clock
    ) -> Iterator[OtelStepSpan]:
        """See `ports.telemetry.Traces.step`."""
        span = self._tracer.start_span(
            f"step {action}",
            _within(self._of(run)),
            kind=SpanKind.CLIENT,
            start_time=_ns(clock.now()),
            attributes={
                "lockstep.run_id": str(run.id),
                "lockstep.path": path,
                "lockstep.action": action,
                "lockstep.attempt": attempt,
            },
        )
        # What an action raises may hold a secret; the engine hands it on without.
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            try:
                yield OtelStepSpan(span)
            finally:
                span.end(_ns(clock.now()))

    def run_ended(self, run: RunState, status: RunStatus, at: datetime, error: str | None) -> None:
        """See `ports.telemetry.Traces.run_ended`."""
        of_run = self._of(run)
        parent = _context(run.traceparent)
        self._ids.span, self._ids.trace = of_run.span_id, of_run.trace_id
        span = self._tracer.start_span(
            f"run {run.automation_name}",
            _within(parent),
            start_time=_ns(run.started_at),
            attributes={
                "lockstep.run_id": str(run.id),
                "lockstep.automation_id": run.automation_id,
                "lockstep.automation_version": run.version,
                "lockstep.trigger": run.trigger_event_id,
                "lockstep.status": status,
            },
        )
        self._ids.span = self._ids.trace = 0
        if status in UNSUCCESSFUL:
            span.set_status(StatusCode.ERROR, error)
        span.end(_ns(at))

    def traceparent(self, run: RunState) -> str:
        """See `ports.telemetry.Traces.traceparent`."""
        return _text(self._of(run))

    def _of(self, run: RunState) -> SpanContext:
        """Give the context of the span of a run, which is written when the run has ended."""
        parent = _context(run.traceparent)
        if parent is None:
            # Of its own: the ids and the choice are the same in every replica.
            number = run.id.int
            sampled = self._ratio.should_sample(None, number, "run").decision
            is_taken = sampled is Decision.RECORD_AND_SAMPLE
            flags = TraceFlags(TraceFlags.SAMPLED if is_taken else TraceFlags.DEFAULT)
            return SpanContext(number, _span_id(run.id), is_remote=True, trace_flags=flags)
        return SpanContext(
            parent.trace_id, _span_id(run.id), is_remote=True, trace_flags=parent.trace_flags
        )


def _span_id(run_id: UUID) -> int:
    return int.from_bytes(blake2b(run_id.bytes, digest_size=8).digest(), "big") or 1


def _context(traceparent: str | None) -> SpanContext | None:
    """Read a trace context, which was checked when it came in. Source: W3C Trace Context."""
    if traceparent is None:
        return None
    _, trace_id, span_id, flags = traceparent.split("-")[:4]
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )


def _within(parent: SpanContext | None) -> Context:
    """Give the context of OpenTelemetry in which a span is begun."""
    if parent is None:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def _text(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _ns(at: datetime) -> int:
    return round(at.timestamp() * 1e9)
