"""Figures: all that is measured, as Prometheus reads it.

What only the servers know is asked of them when somebody looks, not more often than every few
seconds, and no answer is waited for longer than a scrape can wait.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

import msgspec
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from lockstep.model.errors import Unavailable
from lockstep.model.findings import Numbers
from lockstep.model.texts import said
from lockstep.ports.clock import StreamClock
from lockstep.telemetry.meter import EndsByAutomation, Histogram, Measures

# Below the 15 s of a scrape: each has new figures, several at once share some.
FRESH_SECONDS: Final = 5.0
SHARE: Final = 20.0
"""An answer that took long is kept so many times longer: tables may be large."""
# Within the 10 s after which Prometheus gives up: the other figures come.
PATIENCE_SECONDS: Final = 3.0
OTHER: Final = "other"

log = structlog.get_logger()


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """Where that comes from which is not counted but looked at."""

    walks: Callable[[], int]
    services: Callable[[], Mapping[str, bool]]  # whether each works, by name
    connections: Callable[[], Mapping[str, int]]  # of the pool, by state
    decisions_dropped: Callable[[], int]  # since the start
    automations: Callable[[], Mapping[str, str]]  # names of those enabled, by id, the oldest first
    stream_clock: StreamClock
    held_up: Callable[[], tuple[int, float]]  # what is past its deadline, and by how much at most
    numbers: Callable[[], Awaitable[Numbers]]
    lag: Callable[[], Awaitable[Mapping[str, int]]]  # events that wait, by consumer group


class Metrics(Collector):
    """The figures of one replica."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures
        self._gauges: Gauges | None = None
        self._numbers: Numbers | None = None
        self._lag: Mapping[str, int] | None = None
        self._asked_at, self._keep_seconds = -FRESH_SECONDS, 0.0
        self._asking = asyncio.Lock()
        self._said = ""
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def look_at(self, gauges: Gauges) -> None:
        """Take the sources of gauges: the engine is there."""
        self._gauges = gauges

    async def text(self) -> bytes:
        """Give all figures; what cannot be asked now is left out."""
        async with self._asking:
            gauges = self._gauges
            if gauges is not None and time.monotonic() - self._asked_at >= self._keep_seconds:
                await self._ask(gauges)
        return generate_latest(self._registry)

    async def _ask(self, gauges: Gauges) -> None:
        began = time.monotonic()
        self._numbers = self._lag = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                self._numbers = await gauges.numbers()
                self._lag = await gauges.lag()
        except TimeoutError:
            self._tell(Unavailable(f"no answer within {PATIENCE_SECONDS:g} s"))
        except Exception as error:  # noqa: BLE001 - the other figures are wanted all the more
            self._tell(error)
        else:
            self._said = ""
        self._asked_at = time.monotonic()
        self._keep_seconds = max(FRESH_SECONDS, SHARE * (self._asked_at - began))

    def _tell(self, error: Exception) -> None:
        reason = said(error)
        if reason != self._said:
            self._said = reason
            log.warning("metrics.incomplete", error=error)

    def collect(self) -> Iterator[Metric]:
        """Give all families; called by the registry."""
        yield from self._counted()
        if self._gauges is not None:
            yield from _looked_at(self._gauges)
            if self._measures.automations.most:
                yield from _by_automation(self._measures.automations, self._gauges.automations())
        if self._numbers is not None:
            yield from _stored(self._numbers)
        if self._lag is not None:
            yield _gauge("event_lag", "Events that no replica has taken yet.", "group", self._lag)

    def _counted(self) -> Iterator[Metric]:
        measures = self._measures
        yield _counter("events", "Events by what became of them.", "outcome", measures.events)
        yield _histogram("batch_events", "Events taken in one transaction.", measures.batches)
        yield _counter(
            "runs_ended", "Runs that this replica saw end.", "status", measures.runs_ended
        )
        yield _histogram("run_duration_seconds", "From start to end of a run.", measures.runs)
        steps = HistogramMetricFamily(
            "lockstep_step_duration_seconds", "From start to end of a step.", labels=["kind"]
        )
        for kind, histogram in sorted(measures.steps.items()):
            steps.add_metric([kind], histogram.buckets(), histogram.total)
        yield steps
        yield _histogram(
            "wakes_late_seconds", "By how much a wake came after its time.", measures.wakes_late
        )
        yield _histogram(
            "loop_stalls_seconds", "Moments in which nothing of it went on.", measures.stalls
        )
        dead_letters = CounterMetricFamily(
            "lockstep_dead_letters", "Events that were dead-lettered."
        )
        dead_letters.add_metric([], measures.events["dead_lettered"])
        yield dead_letters
        requests = CounterMetricFamily(
            "lockstep_api_requests", "Requests of the control API.", labels=["endpoint", "code"]
        )
        for (endpoint, code), number in sorted(measures.requests.items()):
            requests.add_metric([endpoint, code], number)
        yield requests
        yield _counter(
            "listener_failures",
            "Moments at which a listener raised.",
            "listener",
            measures.listener_failures,
        )
        yield _counter(
            "service_failures",
            "Times that a background service raised, or ended by itself.",
            "service",
            measures.service_failures,
        )


def _by_automation(found: EndsByAutomation, names: Mapping[str, str]) -> Iterator[Metric]:
    """What one can be alerted on of one automation; `other` are all that have no figures."""
    ended = CounterMetricFamily(
        "lockstep_automation_runs_ended", "Runs of an automation that this replica saw end.",
        labels=["automation", "status"],
    )  # fmt: skip
    durations = HistogramMetricFamily(
        "lockstep_automation_run_duration_seconds", "From start to end of a run of an automation.",
        labels=["automation"],
    )  # fmt: skip
    info = InfoMetricFamily(
        "lockstep_automation", "What an automation is called.", labels=["automation"]
    )
    own = found.known(names)
    for automation_id, ends in (*sorted(own.items()), (OTHER, found.others)):
        name = names.get(automation_id, automation_id)
        info.add_metric([automation_id], {"name": name})
        for status, number in ends.statuses.items():
            ended.add_metric([automation_id, status], number)
        durations.add_metric([automation_id], ends.runs.buckets(), ends.runs.total)
    yield from (ended, durations, info)


def _looked_at(gauges: Gauges) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "lockstep_walks_active", "Runs that this replica walks.", gauges.walks()
    )
    running = {name: int(is_running) for name, is_running in gauges.services().items()}
    yield _gauge(
        "service_running", "Whether a background service does its work.", "service", running
    )
    dropped = CounterMetricFamily(
        "lockstep_decisions_dropped", "Decisions on events that were not kept for `why`."
    )
    dropped.add_metric([], gauges.decisions_dropped())
    yield dropped
    yield _gauge("pool_connections", "Connections to PostgreSQL.", "state", gauges.connections())
    yield from _clock(gauges.stream_clock)
    number, oldest_seconds = gauges.held_up()
    yield GaugeMetricFamily(
        "lockstep_expiry_held", "What is past its deadline and events may still change.", number
    )
    yield GaugeMetricFamily(
        "lockstep_expiry_oldest_seconds", "For how long the first of these.", oldest_seconds
    )


def _clock(clock: StreamClock) -> Iterator[Metric]:
    offset = clock.offset
    if offset is not None:
        yield GaugeMetricFamily(
            "lockstep_stream_clock_ahead_seconds",
            "By how much the clock of the stream of events is ahead of the engine's.",
            offset.ahead.total_seconds(),
        )
        yield GaugeMetricFamily(
            "lockstep_stream_clock_error_seconds",
            "By how much that may be wrong.",
            offset.error.total_seconds(),
        )
    yield GaugeMetricFamily(
        "lockstep_stream_clock_doubted",
        "Whether that is in doubt; nothing expires then that an event could still change.",
        int(clock.doubt is not None),
    )


def _stored(numbers: Numbers) -> Iterator[Metric]:
    yield _gauge("runs", "Active runs of all replicas.", "status", numbers.runs)
    yield _gauge("waits", "What sleeping runs wait for.", "kind", numbers.waits)
    yield _gauge("parked", "Rows that no replica could handle.", "kind", numbers.parked)
    yield GaugeMetricFamily("lockstep_ready_runs", "Runs that wait for a place.", numbers.ready)
    yield GaugeMetricFamily(
        "lockstep_outbox_depth", "Run events that the bus has not acknowledged.", numbers.outbox
    )
    yield GaugeMetricFamily(
        "lockstep_outbox_oldest_seconds", "Age of the oldest of these.",
        numbers.outbox_oldest_seconds,
    )  # fmt: skip


def _counter(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"lockstep_{name}", text, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family


def _gauge(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(f"lockstep_{name}", text, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(
        f"lockstep_{name}", text, buckets=histogram.buckets(), sum_value=histogram.total
    )
