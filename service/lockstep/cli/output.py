"""What people and programs see: tables on a terminal, JSON where it is asked for."""

import sys
from collections.abc import Sequence
from datetime import datetime

import msgspec
from rich.console import Console
from rich.table import Table

from lockstep_schemas.base import Json

PIPE_COLUMNS = 250  # what is not read on a terminal is not folded to one

# Colour only on a terminal; NO_COLOR is heeded.
results = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

STYLES = {
    "success": "green",
    "failed": "red",
    "cancelled": "yellow",
    "skipped": "yellow",
    "running": "cyan",
    "waiting": "cyan",
    "pending": "cyan",
    "enabled": "green",
    "disabled": "yellow",
}


def print_json(value: object) -> None:
    """Print a value as JSON, one document, for programs."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    sys.stdout.write(text + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows for people; statuses are coloured."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"id", "status"})
    for row in rows:
        table.add_row(*(styled(cell) for cell in row))
    results.print(table)


def styled(cell: object) -> str:
    """Give the text of a cell, with its colour where it is a status."""
    text = "" if cell is None else str(cell)
    style = STYLES.get(text)
    escaped = text.replace("[", r"\[")
    return f"[{style}]{escaped}[/{style}]" if style else escaped


def moment(value: datetime | str | None) -> str:
    """Give a time for people: to the second, UTC."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else value
    return text[:19].replace("T", " ")


def duration(seconds: float) -> str:
    """Give a duration for people."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def fields(value: Json, names: Sequence[str]) -> None:
    """Print some fields of an object, one a line."""
    for name in names:
        if value.get(name) is not None:
            results.print(f"[bold]{name}[/bold]: {styled(value[name])}")
