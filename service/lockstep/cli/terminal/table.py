"""Tables without lines, easy to read and to cut: into a pipe as wide as they are, else as fits.

Where a table is wider than the terminal, ids are shortened to what commands take for them, then the
last column, which holds long texts, goes below its row, then cells are cut.
"""

import os
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO, TypeAlias

if TYPE_CHECKING:
    from rich.text import Text

GAP: Final = "  "
# Of an id that is shortened: the milliseconds, and 12 random bits for those of the same one.
SHORT_ID: Final = 18
NARROWEST: Final = 6  # columns are cut to no less
BESIDE: Final = 20  # columns that a text below its row has at least, however narrow the terminal
# In these columns stand ids for which commands take their beginnings.
_TAKEN: Final = frozenset({"id", "run", "automation", "parent"})
_ID: Final = re.compile(r"(?:[a-z]+:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CODES: Final[Mapping[str, str]] = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35",
    "cyan": "36", "bold red": "1;31", "bold green": "1;32",
}  # fmt: skip


class Styled(NamedTuple):
    """A text in a style; see `_CODES`."""

    plain: str
    style: str


Cell: TypeAlias = "str | Styled | Text"


class Table(NamedTuple):
    """Columns by name, and rows of clean lines."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def lines(self, width: int | None, *, coloured: bool, is_flat: bool = False) -> Iterator[str]:
        """Give the lines; `width`: that of the terminal, None where there is none.

        Where it is flat, nothing goes below its row: long texts are cut. A terminal is told where
        there is no row; a program sees that by itself.
        """
        shape = _Shape(self, width, is_flat=is_flat)
        yield shape.line([Styled(name, "bold") for name in self.columns], coloured)
        for row in self.rows:
            yield shape.line(row, coloured)
            yield from shape.below(row, coloured)
        if not self.rows and width is not None:
            yield styled("(none)", "dim", coloured=coloured)


def width_of(stream: TextIO) -> int | None:
    """Give how wide what is written may be; None, where there is no terminal: as wide as it is."""
    if not stream.isatty():
        return None
    typed = os.environ.get("COLUMNS", "")
    if typed.isascii() and typed.isdigit() and int(typed):
        return int(typed)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # no descriptor, or one that has no size
        return None


def is_coloured(stream: TextIO) -> bool:
    """Tell whether a stream shows colours, and its reader wants them."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def is_live(stream: TextIO) -> bool:
    """Tell whether what was written to a stream can be drawn anew."""
    return stream.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


def styled(text: str, style: str, *, coloured: bool) -> str:
    """Give a text as a terminal shows it in a style."""
    code = _CODES.get(style, "")
    return f"\x1b[{code}m{text}\x1b[0m" if coloured and code and text else text


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Shorten ids to beginnings of which each is that of one of them; other texts stay."""
    known = sorted({one for one in ids if _ID.fullmatch(one)})
    made = {}
    for index, one in enumerate(known):
        beside = (*known[max(0, index - 1) : index], *known[index + 1 : index + 2])
        shared = max((_shared(one, other) for other in beside), default=0)
        begin = one.index(":") + 1 if ":" in one else 0
        made[one] = one[: max(begin + SHORT_ID, shared + 1)].rstrip("-")
    return made


def _shared(one: str, other: str) -> int:
    """Give how long the beginning is that two texts share."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


class _Shape:
    """How wide the columns of a table are, and what becomes of its cells."""

    def __init__(self, table: Table, width: int | None, *, is_flat: bool) -> None:
        self._columns, self._width = table.columns, width
        self._short: list[dict[str, str]] = [{} for _ in table.columns]
        self._is_split = False
        self._widths = self._natural(table)
        if self._fits():
            return
        for index, name in enumerate(table.columns):
            if name in _TAKEN:
                self._short[index] = short_ids([_plain(row[index]) for row in table.rows])
        self._widths = self._natural(table)
        if self._fits() or len(table.columns) == 1:
            return
        if not is_flat:
            self._is_split = True
            self._widths.pop()
        while not self._fits():
            widest = max(range(1, len(self._widths)), key=self._widths.__getitem__, default=0)
            if self._widths[widest] <= NARROWEST or not widest:
                break
            self._widths[widest] -= 1

    def _natural(self, table: Table) -> list[int]:
        return [
            max([cells(name), *(cells(self._text(index, row[index])) for row in table.rows)])
            for index, name in enumerate(table.columns)
        ]

    def _fits(self) -> bool:
        gaps = len(GAP) * (len(self._widths) - 1)
        return self._width is None or sum(self._widths) + gaps <= self._width

    def _text(self, index: int, cell: Cell) -> str:
        plain = _plain(cell)
        return self._short[index].get(plain, plain)

    def line(self, row: Sequence[Cell], coloured: bool) -> str:
        """Give a row, without what goes below it."""
        parts = []
        for index, width in enumerate(self._widths):
            text = cut(self._text(index, row[index]), width)
            padding = " " * (width - cells(text)) if index + 1 < len(self._widths) else ""
            parts.append(styled(text, _style(row[index]), coloured=coloured) + padding)
        return GAP.join(parts).rstrip()

    def below(self, row: Sequence[Cell], coloured: bool) -> Iterator[str]:
        """Give the long text of a row, where it stands below."""
        if not self._is_split or not _plain(row[-1]):
            return
        name, width = f"{GAP}{self._columns[-1]}: ", max(BESIDE, self._width or 0)
        text = self._text(len(row) - 1, row[-1])
        lines = textwrap.wrap(
            text, width, initial_indent=name, subsequent_indent=GAP * 2, break_on_hyphens=False
        )
        for line in lines:
            yield styled(line, _style(row[-1]) or "dim", coloured=coloured)


def cells(text: str) -> int:
    """Give how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def cut(text: str, width: int) -> str:
    """Shorten a text to so many columns; where something is left out, it ends with a mark."""
    if cells(text) <= width:
        return text
    kept, taken = "", 1
    for character in text:
        taken += _cells(character)
        if taken > width:
            break
        kept += character
    return f"{kept.rstrip()}…"


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _plain(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.plain


def _style(cell: Cell) -> str:
    return "" if isinstance(cell, str) else str(cell.style)
