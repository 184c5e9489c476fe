"""How the whole is, in tables."""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final

from rich.text import Text

from lockstep.cli.terminal import output
from lockstep.cli.terminal.table import BESIDE, Cell, width_of
from lockstep_schemas.parked import ParkedKind
from lockstep_schemas.status import QueueStatus, Status, WorkerStatus

FAR_MS: Final = 500.0  # as in the alert
NAME_WIDTH: Final = 14  # of the names of facts, with a gap


def draw(status: Status) -> None:
    """Write all of it, in parts; what a server did not tell is left out, and named at the end."""
    versions = status.versions
    facts = {
        "engine": versions.engine,
        "NATS": versions.nats,
        "PostgreSQL": versions.postgres,
        "schema": versions.migration,
        "dead letters": None if status.dead_letters is None else f"{status.dead_letters:,}",
        "parked": None if status.parked is None else _parked(status.parked),
        "outbox": _outbox(status),
        "clock": _clock(status),
    }
    for name, value in facts.items():
        is_noted = (
            (name == "dead letters" and status.dead_letters)
            or (name == "parked" and status.parked)
            or (name == "clock" and _is_far(status))
        )
        style = "yellow" if is_noted else ""
        for head, text in _beside(name, output.line(value or "no answer")):
            output.show_line(Text.assemble((head, "dim"), (text, style)))
    if status.workers is not None:
        _part(("worker", "host", "version", "up", "heard of", "runs"), _workers(status))
    if status.runs is not None:
        _part(("runs", "", ""), _runs(status))
    if status.queues is not None:
        columns = ("queue", "pending", "in work", "again", "oldest", "consumer")
        _part(columns, map(_queue, status.queues))
    if status.slow_automations:
        _part(("slow automation", "filters"), _slow(status))
    for problem in status.problems:
        output.tell(problem, "red")


def _beside(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Give a fact beside its name, in so many lines as the terminal needs."""
    head, width = f"{name:<{NAME_WIDTH}}", width_of(sys.stdout)
    room = len(text) if width is None else max(BESIDE, width - NAME_WIDTH)
    for one in textwrap.wrap(text, room, break_on_hyphens=False):
        yield head, one
        head = " " * NAME_WIDTH


def _part(columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> None:
    output.show("", output.table(columns, rows))


def _workers(status: Status) -> Iterable[tuple[Cell, ...]]:
    for worker in status.workers or ():
        yield (
            worker.id,
            worker.host,
            worker.version,
            output.duration(status.at - worker.started_at),
            _heard(worker),
            str(worker.runs),
        )


def _slow(status: Status) -> Iterable[tuple[Cell, ...]]:
    for one in status.slow_automations:
        yield one.automation_id, f"{one.average_ms:.1f} ms"


def _heard(worker: WorkerStatus) -> Text:
    ago = f"{_span(worker.silent_seconds)} ago"
    return Text(ago) if worker.alive else Text(f"{ago}, silent", style="red")


def _runs(status: Status) -> Iterable[tuple[Cell, ...]]:
    runs, waits = status.runs, status.waits
    if runs is None:
        return
    ready = "wait for a worker with a free place"
    if runs.oldest_ready_seconds is not None:
        ready += f", the oldest for {_span(runs.oldest_ready_seconds)}"
    yield output.status("running"), f"{runs.running:,}", "are executed now"
    yield Text("ready", output.STYLES["pending"]), f"{runs.ready:,}", ready
    yield Text("queued", output.STYLES["pending"]), f"{runs.queued:,}", "wait for their turn"
    yield output.status("waiting"), f"{runs.waiting:,}", "wait for something"
    if waits is None:
        return
    for name in ("delay", "event", "retry", "remote", "child"):
        if number := getattr(waits, name):
            yield "", f"{number:,}", _WAITS[name]
    if waits.sleeping:
        due = output.moment(waits.next_due_at)
        yield "", f"{waits.sleeping:,}", f"  sleep: only time wakes them, the next at {due}"


_WAITS = {
    "delay": "  for a time",
    "event": "  for an event",
    "retry": "  to try again",
    "remote": "  for the result of a service",
    "child": "  for a run that they started",
}


def _queue(one: QueueStatus) -> tuple[Cell, ...]:
    return (
        f"lane {one.name}" if one.kind == "lane" else one.name,
        f"{one.pending:,}",
        f"{one.ack_pending:,}",
        f"{one.redelivered:,}",
        "" if one.oldest_seconds is None else _span(one.oldest_seconds),
        f"{one.stream}.{one.consumer}",
    )


def _outbox(status: Status) -> str | None:
    outbox = status.outbox
    if outbox is None:
        return None
    oldest = outbox.oldest_seconds
    since = "" if oldest is None else f", the oldest {_span(oldest)} old"
    return f"{output.count(outbox.events, 'run event')} to be published{since}"


def _parked(parked: Mapping[ParkedKind, int]) -> str:
    """Say how much is parked, by kind."""
    if not parked:
        return "nothing"
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(parked.items()))
    return f"{kinds}: see `lockstep parked list`"


def _clock(status: Status) -> str | None:
    clock = status.clock
    if clock is None:
        return "that of the stream of events was not measured yet"
    side = "behind" if clock.ahead_ms < 0 else "ahead of"
    ago = output.duration(status.at - clock.measured_at)
    led = f" on {clock.leader}" if clock.leader else ""
    return (
        f"that of the stream of events{led} is {abs(clock.ahead_ms):.1f} ms {side} PostgreSQL's "
        f"(± {clock.error_ms:.1f} ms), measured {ago} ago"
    )


def _is_far(status: Status) -> bool:
    clock = status.clock
    return clock is None or abs(clock.ahead_ms) > FAR_MS or clock.doubt is not None


def _span(seconds: float) -> str:
    return output.duration(timedelta(seconds=seconds))
