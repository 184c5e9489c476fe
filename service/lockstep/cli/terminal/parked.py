"""Parked rows, and what became of them."""

from collections.abc import Sequence

from rich.text import Text

from lockstep.cli.terminal import output
from lockstep.cli.terminal.table import Table
from lockstep_schemas import parked


def rows_table(found: Sequence[parked.Parked]) -> Table:
    """Make a table of what is parked."""
    rows = [
        (
            one.id,
            output.day_or_time(one.parked_at),
            one.automation_id or "",
            one.event or "",
            one.version,
            one.reason,
        )
        for one in found
    ]
    return output.table(("id", "parked", "automation", "event", "by", "why"), rows)


def draw(detail: parked.ParkedDetail) -> None:
    """Write what is parked, why, and its row."""
    one = detail.parked
    about = {
        "parked": one.id,
        "why": one.reason,
        "by version": one.version,
        "since": output.moment(one.parked_at),
        "automation": one.automation_id,
        "run": one.run_id,
        "event": one.event,
    }
    for name, value in about.items():
        if value:
            output.show_line(Text.assemble((f"{name:<12}", "dim"), output.line(value)))
    output.show("")
    for name, column in detail.row.items():
        output.show_line(Text.assemble((f"{name}  ", "dim"), output.line(str(column))))


def tell_done(done: parked.ParkedDone, verb: str, *, as_json: bool) -> bool:
    """Say how many parked rows were dealt with, and which were not; whether all were."""
    if as_json:
        output.show_json({"done": done.done, "failed": done.failed})
    else:
        output.show_line(f"{output.count(done.done, 'parked row')} {verb}")
        for one in done.failed:
            output.complain(one.message)
    return not done.failed
