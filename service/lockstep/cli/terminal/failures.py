"""Webhook subscriptions that could not be imported, in a table."""

from collections.abc import Sequence

from lockstep.cli.terminal import output
from lockstep.cli.terminal.table import Table
from lockstep_schemas.migration import ImportFailure


def table(failures: Sequence[ImportFailure]) -> Table:
    """Give a row for each, with what was wrong with it."""
    rows = [
        (
            one.id,
            one.name or "",
            one.provider or "",
            one.event or "",
            output.day_or_time(one.failed_at),
            f"{one.reason}: {one.detail}",
        )
        for one in failures
    ]
    return output.table(("id", "name", "provider", "event", "failed", "why"), rows)
