"""Run events as they happen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.text import Text

from lockstep import bus
from lockstep.cli.context import Reach
from lockstep.cli.filters import EventFilter
from lockstep.cli.terminal import output
from lockstep.cli.terminal.board import Board, drawn
from lockstep.cli.terminal.tree import draw
from lockstep.client.paging import PAGE
from lockstep.client.remote import Remote, read
from lockstep.model.errors import EngineError, Unavailable
from lockstep_schemas import api
from lockstep_schemas.run_events import ACTIVE, RunEvent, RunEventData

# Live events may be missed: a run that is watched is looked up again after so long a silence,
# in which people believe still that nothing happens, and which costs the engine nothing.
LOOK_SECONDS: Final = 3.0
# By how much the clock of an engine may be behind ours, without that an event is missed.
_MARGIN: Final = timedelta(seconds=10)

_STYLES: Final = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "magenta",
    "skipped": "dim",
    "waiting": "yellow",
    "warning": "yellow",
}


async def watch_all(
    engine: Reach,
    automation: str | None,
    wanted: EventFilter,
    *,
    as_json: bool,
) -> bool:
    """Write run events, of all automations or of one, until interrupted.

    Where a connection breaks it goes on when there is one again, with what it missed.
    """
    async with engine as remote:
        of = "*" if automation is None else (await remote.automation(automation)).id
        subject = remote.connection.names.run(of, ">")
        async with bus.follow(remote.connection, subject) as feed:
            output.tell(f"watching {subject}; Ctrl-C ends it")
            async for body in _Unbroken(remote.connection, feed, subject, _warn):
                event = read(subject, body, RunEvent)
                if not wanted.fits(event.data):
                    continue
                if as_json:
                    output.show_line(body.decode("utf-8", "replace"))
                else:
                    output.show_line(event_text(event, with_run=True))
    return True


async def watch_live(engine: Reach, automation: str | None, wanted: EventFilter) -> bool:
    """Draw the runs that are active, or have just ended, until interrupted."""
    async with engine as remote:
        of = None if automation is None else (await remote.automation(automation)).id
        subject = remote.connection.names.run(of or "*", ">")
        board = Board(wanted, f"watching {subject}, Ctrl-C ends it")
        async with bus.follow(remote.connection, subject) as feed:
            request = api.RunsList(
                automation_id=of,
                status="active",
                event=wanted.event,
                error=wanted.error,
                text=wanted.text,
                context_key=wanted.key,
                limit=PAGE,
            )
            for run in (await remote.call("runs.list", request, api.RunsPage)).items:
                board.begin(run)
            async with drawn(board):
                async for body in _Unbroken(remote.connection, feed, subject, board.say):
                    board.take(read(subject, body, RunEvent))
    return True


def _warn(text: str) -> None:
    output.tell(text, "yellow")


class _Unbroken:
    """A feed with what it missed while there was no connection; no event stands in it twice."""

    def __init__(
        self,
        connection: bus.Connection,
        feed: bus.Feed,
        subject: str,
        say: Callable[[str], None],
        *,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._connection, self._feed, self._subject = connection, feed, subject
        self._say, self._look_seconds = say, look_seconds
        self._gaps, self._is_lost = 0, False
        self._last = datetime.now(UTC)
        self._margin = timedelta(0)
        self._seen: dict[str, None] = {}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            note = await self._next()
            if self._feed.gaps + self._feed.dropped > self._gaps:
                self._gaps = self._feed.gaps + self._feed.dropped
                if self._is_lost:
                    self._is_lost = False
                    self._say("connected to NATS again")
                for body in await self._missed():
                    if self._is_new(body):
                        yield body
            if note is not None and self._is_new(note.body):
                yield note.body

    async def _next(self) -> bus.Note | None:
        """Wait for an event; shortly, so that the state of the connection is noticed too."""
        try:
            async with asyncio.timeout(self._look_seconds):
                return await anext(self._feed)
        except TimeoutError:
            if not self._connection.connected and not self._is_lost:
                self._is_lost = True
                self._say("the connection to NATS is lost; waiting for it")
            return None

    async def _missed(self) -> list[bytes]:
        """Look in the stream for what was published meanwhile."""
        stream = self._connection.names.runs_stream
        since = self._last - self._margin
        try:
            found = await bus.since(self._connection, stream, self._subject, since, bus.FEED_LIMIT)
        except EngineError as error:
            self._say(f"some events were missed here: {error}")
            return []
        return [one.data for one in found]

    def _is_new(self, body: bytes) -> bool:
        event = read(self._subject, body, RunEvent)
        if event.id in self._seen:
            return False
        self._seen[event.id] = None
        if len(self._seen) > bus.FEED_LIMIT:
            del self._seen[next(iter(self._seen))]
        if event.time > self._last or not self._margin:
            # An event is stored after its time, and the clocks of others are not ours.
            self._last, self._margin = event.time, _MARGIN
        return True


async def watch_run(
    engine: Reach, typed: str | None, automation: str | None, *, as_json: bool
) -> bool:
    """Write the events of one run, else of the newest, until it has ended; whether it succeeded."""
    async with engine as remote:
        run = (await remote.run(typed or await remote.newest_run(automation, None))).run
        subject = remote.connection.names.run(run.automation_id, ">")
        async with bus.follow(remote.connection, subject) as feed:
            # Looked at anew: from here on nothing is missed.
            detail = await remote.run(run.id)
            if not as_json:
                output.tell(f"{output.line(run.automation_name)} v{run.version}", "bold")
                _tell_steps(detail)
            detail = await _until_ended(remote, feed, detail, as_json=as_json)
    if not as_json:
        draw(detail)
    return detail.run.status == "success"


async def _until_ended(
    remote: Remote, feed: bus.Feed, detail: api.RunDetail, *, as_json: bool
) -> api.RunDetail:
    """Tell the events of a run, each once, until it has ended, and give all of it then."""
    shown: set[tuple[str, str]] = {(step.action_path, step.status) for step in detail.steps}
    run_id, told = detail.run.id, 0
    while detail.run.status in ACTIVE:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                note = await anext(feed)
        except TimeoutError:
            detail = await _again(remote, detail)
            continue
        event = read(note.subject, note.body, RunEvent)
        if event.subject != run_id or event.data.seq <= told:
            continue  # of another, or heard again: they come in order
        told = event.data.seq
        if as_json:
            output.show_line(note.body.decode("utf-8", "replace"))
        elif not is_shown(event, shown):
            output.tell(event_text(event))
        if event.data.status not in ACTIVE:
            detail = await _again(remote, detail)
    return detail


async def _again(remote: Remote, detail: api.RunDetail) -> api.RunDetail:
    """Look the run up again; where nobody answers just now, what was known of it."""
    try:
        return await remote.run(detail.run.id)
    except Unavailable as error:
        if remote.connection.closed.is_set():
            raise
        output.tell(f"{error}; looking again", "yellow")
        return detail


def is_shown(event: RunEvent, shown: set[tuple[str, str]]) -> bool:
    """Tell whether a step was there already when the watch began."""
    status = {"step_succeeded": "success"}.get(what(event), what(event).removeprefix("step_"))
    key = (event.data.path or "", status)
    if key not in shown:
        return False
    shown.discard(key)
    return True


def _tell_steps(detail: api.RunDetail) -> None:
    for step in detail.steps:
        text = Text(f"{output.clock(step.started_at)}  {'  ' * step.action_path.count('.')}")
        text.append(f"{step.action_path} {step.provider_action_id or step.action_kind}  ")
        output.tell(text.append(*output.status(step.status)))


def what(event: RunEvent) -> str:
    """Give what happened: `started`, `step_failed`."""
    return event.type.rpartition(".")[2]


def event_text(event: RunEvent, *, with_run: bool = False) -> Text:
    """Describe a run event in one line; steps are indented as deep as they are."""
    data, happened = event.data, what(event)
    text = Text(f"{output.clock(data.at)}  ", style="")
    if with_run:
        text.append(f"{event.subject}  {output.line(data.automation_name)}  ", style="dim")
    if data.path is None:
        text.append("run ")
    else:
        kind = output.line(data.provider_action_id or data.action_kind or "")
        text.append(f"{'  ' * data.path.count('.')}{output.line(data.path)} {kind}  ")
    word = happened.removeprefix("step_")
    text.append(word, style=_STYLES.get(word, ""))
    for part in _details(data):
        text.append(f"  {part}", style="red" if part == data.error else "dim")
    return text


def _details(data: RunEventData) -> list[str]:
    parts = list[str]()
    if data.duration_ms is not None:
        parts.append(f"{data.duration_ms} ms")
    if data.attempts is not None and data.attempts > 1:
        parts.append(f"{data.attempts} attempts")
    parts += [output.line(part) for part in (data.error, data.reason, data.waiting_for) if part]
    return parts
