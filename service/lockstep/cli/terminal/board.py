"""A table of runs that follows their events: on a terminal, drawn anew in its place."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from rich.live import Live
from rich.text import Text

from lockstep.cli.filters import EventFilter
from lockstep.cli.terminal import output
from lockstep.cli.terminal.table import is_coloured
from lockstep_schemas import api
from lockstep_schemas.run_events import ACTIVE, RunEvent

REFRESH_SECONDS: Final = 0.25  # quick enough for eyes, and a fraction of a core at most
MOST: Final = 500  # runs that are kept, however many there are: more than a terminal shows
_BESIDE: Final = 4  # lines of the terminal for what stands around the rows
_COLUMNS: Final = ("id", "automation", "status", "age", "where")


class Row(NamedTuple):
    """A run as it stands."""

    automation: str
    status: str
    where: str
    began: datetime
    ended: datetime | None
    told: int
    """Grows with each event: of runs that have ended, the ones told last are shown."""


class Board:
    """The runs that are active, the newest first, and then those that have ended last."""

    def __init__(self, wanted: EventFilter, about: str) -> None:
        self.note = ""
        self._wanted, self._about = wanted, about
        self._rows: dict[str, Row] = {}
        self._told = 0

    def begin(self, run: api.Run) -> None:
        """Take a run that was there before any event of it was heard."""
        if run.id in self._rows or not self._wanted.has(run.status):
            return
        where = run.waiting_for or run.error_message or run.reason or ""
        began = run.started_at or datetime.now(UTC)  # one that is queued has none yet
        self._put(run.id, Row(run.automation_name, run.status, where, began, None, 0))

    def take(self, event: RunEvent) -> None:
        """Take an event; of a run that is not wanted any more, the row goes."""
        data = event.data
        known = self._rows.pop(event.subject, None)
        if not self._wanted.has(data.status) or (known is None and not self._wanted.fits(data)):
            return
        if known is None:
            began = (
                data.at if data.path else data.at - timedelta(milliseconds=data.duration_ms or 0)
            )
        else:
            began = known.began
        ended = None if data.status in ACTIVE else data.at
        row = Row(data.automation_name, data.status, _where(event), began, ended, 0)
        self._put(event.subject, row)

    def say(self, text: str) -> None:
        """Keep what is to be told beside the rows, with its time; the last of it is shown."""
        self.note = f"{output.clock(datetime.now(UTC))[:8]} {text}"

    def _put(self, run_id: str, row: Row) -> None:
        self._told += 1
        self._rows[run_id] = row._replace(told=self._told)
        if len(self._rows) > MOST:
            self._rows.pop(self._ordered()[-1][0])

    def _ordered(self) -> list[tuple[str, Row]]:
        active = [pair for pair in self._rows.items() if pair[1].ended is None]
        over = [pair for pair in self._rows.items() if pair[1].ended is not None]
        active.sort(key=lambda pair: pair[1].began, reverse=True)
        over.sort(key=lambda pair: pair[1].told, reverse=True)
        return active + over

    def lines(self, width: int, height: int, now: datetime, *, coloured: bool) -> list[str]:
        """Draw it for a terminal of so many columns and lines."""
        found = self._ordered()
        shown = found[: max(1, height - _BESIDE)]
        rows = [
            (run_id, row.automation, output.status(row.status), _age(row, now), row.where)
            for run_id, row in shown
        ]
        table = output.table(_COLUMNS, rows)
        active = sum(row.ended is None for _, row in found)
        foot = f"{active} active, {len(found) - active} ended; {self._about}"
        if len(shown) < len(found):
            foot = f"and {len(found) - len(shown)} more; {foot}"
        lines = [*table.lines(width, coloured=coloured, is_flat=True)]
        return lines + [output.fitting(one, width) for one in (foot, self.note) if one]


@asynccontextmanager
async def drawn(board: Board) -> AsyncIterator[None]:
    """Draw a board on the terminal, again and again, until the block is left."""
    console = output.console()

    def picture() -> Text:
        size = console.size
        lines = board.lines(
            size.width, size.height, datetime.now(UTC), coloured=is_coloured(sys.stdout)
        )
        return Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop")

    # Drawn by the loop itself: no thread looks at rows while they change.
    live = Live(get_renderable=picture, console=console, auto_refresh=False)
    with live:
        async with asyncio.TaskGroup() as tasks:
            drawing = tasks.create_task(_draw(live.refresh))
            try:
                yield
            finally:
                drawing.cancel()
                live.refresh()


async def _draw(refresh: Callable[[], None]) -> None:
    while True:
        refresh()
        await asyncio.sleep(REFRESH_SECONDS)


def _where(event: RunEvent) -> str:
    """Give the step at which a run stands, and what it does there; or why it has ended."""
    data = event.data
    word = event.type.rpartition(".")[2]
    why = data.error or data.reason or data.waiting_for or ""
    if data.path is None:
        return why
    kind = data.provider_action_id or data.action_kind or ""
    return " ".join(one for one in (data.path, kind, word.removeprefix("step_"), why) if one)


def _age(row: Row, now: datetime) -> str:
    """Give since when a run is there, in whole seconds; of one that has ended, how long it was."""
    if row.ended is not None:
        return output.duration(row.ended - row.began)
    span = max(now - row.began, timedelta(0))
    return f"{span.seconds} s" if span < timedelta(minutes=1) else output.duration(span)
