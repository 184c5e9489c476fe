"""What people and programs are shown: results on standard output, the rest on standard error.

All commands write through it, and each is to answer at once: rich, which takes as long to import as
all else that a help needs, is imported where something is drawn. Lines and tables need it not.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TextIO

import msgspec

from lockstep.cli.terminal.table import Cell, Styled, Table, cut, is_coloured, styled, width_of
from lockstep_schemas.base import Json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

STYLES: Final = {
    "success": "green",
    "enabled": "green",
    "failed": "red",
    "cancelled": "magenta",
    "skipped": "dim",
    "disabled": "dim",
    "waiting": "yellow",
    "pending": "yellow",
    "running": "cyan",
}
# Into a pipe no line is broken: wider than any row of a table that has a meaning.
_UNBOUNDED_COLUMNS: Final = 10_000
# Texts of events and errors come from anybody; a terminal must not obey them.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console(*, error: bool = False) -> "Console":
    """Make a console that takes every text as it is; coloured on a terminal, unless NO_COLOR.

    Into a pipe or a file it writes lines as long as they are.
    """
    from rich.console import Console

    made = Console(stderr=error, markup=False, emoji=False, highlight=False)
    if not made.is_terminal:
        made.width = _UNBOUNDED_COLUMNS
    return made


def show(*parts: "str | Table | RenderableType", error: bool = False) -> None:
    """Write results; with `error`, what is shown before there are any."""
    stream = sys.stderr if error else sys.stdout
    for part in parts:
        if isinstance(part, Table):
            coloured = is_coloured(stream)
            for one in part.lines(width_of(stream), coloured=coloured):
                _write(stream, one)
        elif isinstance(part, str):
            _say(stream, part, "")
        else:
            console(error=error).print(part)


def show_line(text: "str | Styled | Text") -> None:
    """Write a result that is one line, however wide the terminal is."""
    _say(sys.stdout, text, "")


def show_parts(parts: Sequence[Styled]) -> None:
    """Write a result in several styles."""
    coloured = is_coloured(sys.stdout)
    texts = (styled(clean(part.plain), part.style, coloured=coloured) for part in parts)
    _write(sys.stdout, "".join(texts))


def show_json(value: Json) -> None:
    """Write a result for programs."""
    show_raw_json(msgspec.json.encode(value))


def show_raw_json(body: bytes) -> None:
    """Write JSON that is there already, in the usual form."""
    sys.stdout.write(msgspec.json.format(body, indent=2).decode() + "\n")
    sys.stdout.flush()


def tell(text: "str | Styled | Text", style: str = "") -> None:
    """Say how it goes: not a result."""
    _say(sys.stderr, text, style)


def tell_stopping() -> None:
    """Say that a signal was heard."""
    tell("stopping; the same again does it at once")


def complain(text: str) -> None:
    """Say what went wrong."""
    error = styled("error: ", "bold red", coloured=is_coloured(sys.stderr))
    _write(sys.stderr, error + clean(text))


def _say(stream: TextIO, text: "str | Styled | Text", style: str) -> None:
    if isinstance(text, str):
        text = Styled(text, style)
    if isinstance(text, Styled):
        _write(stream, styled(clean(text.plain), text.style, coloured=is_coloured(stream)))
    else:
        console(error=stream is sys.stderr).print(text, soft_wrap=True)


def _write(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


def clean(text: str) -> str:
    """Take control characters out of a text."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def line(text: str) -> str:
    """Make one clean line of a text."""
    return clean(" ".join(text.split()))


def fitting(text: str, width: int) -> str:
    """Make one clean line of a text, cut to so many columns."""
    return cut(line(text), width)


def count(number: int, noun: str) -> str:
    """Give a number of things."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Give what several of a thing are called: `runs`, `entries`."""
    if noun.endswith("y") and noun[-2:-1] not in {"a", "e", "o", "u"}:
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def status(word: str) -> Styled:
    """Give a status in its colour."""
    return Styled(clean(word), STYLES.get(word, ""))


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    """Make a table without lines: easy to read, easy to cut."""
    cleaned = [[line(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    return Table(columns, cleaned)


def moment(at: datetime | None) -> str:
    """Give a date and time as it is here; without the date if it is that of today."""
    if at is None:
        return ""
    here, today = at.astimezone(), datetime.now().astimezone().date()
    return here.strftime("%H:%M:%S" if here.date() == today else "%Y-%m-%d %H:%M:%S")


def day_or_time(at: datetime | None) -> str:
    """Give a date and time in a column of a table: of an earlier day without the seconds."""
    if at is None:
        return ""
    here, today = at.astimezone(), datetime.now().astimezone().date()
    if here.date() == today:
        return here.strftime("%H:%M:%S")
    return here.strftime("%m-%d %H:%M" if here.year == today.year else "%Y-%m-%d")


def clock(at: datetime) -> str:
    """Give a time of day as it is here, to the millisecond."""
    return at.astimezone().strftime("%H:%M:%S.%f")[:-3]


def lasted(start: datetime | None, end: datetime | None) -> str:
    """Give a duration; empty while it is not over."""
    return "" if start is None or end is None else duration(end - start)


def duration(span: timedelta) -> str:
    """Give a duration for people: `3 ms`, `1.2 s`, `4 min 5 s`, `2 h 3 min`, `5 d 1 h`."""
    milliseconds = max(0, round(span.total_seconds() * 1000))
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    seconds = milliseconds // 1000
    for unit, inner, size, part in (("min", "s", 60, 1), ("h", "min", 3600, 60)):
        if seconds < size * (60 if unit == "min" else 24):
            return f"{seconds // size} {unit} {seconds % size // part} {inner}"
    return f"{seconds // 86400} d {seconds % 86400 // 3600} h"
