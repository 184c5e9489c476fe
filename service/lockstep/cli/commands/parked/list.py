"""`lockstep parked list`: rows that no replica could handle."""

from typing import Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson, Limit, OfAutomation, OfKind
from lockstep.cli.terminal import output
from lockstep_schemas.parked import ParkedKind

EXAMPLES: Final = ("parked list", "parked list --kind event --limit 200")


def command(
    context: typer.Context,
    kind: OfKind = None,
    automation: OfAutomation = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List what is parked, the longest parked first."""
    finish(list_parked(engine(context), kind, automation, limit, as_json=as_json))


async def list_parked(
    engine: Reach, kind: ParkedKind | None, automation: str | None, limit: int, *, as_json: bool
) -> bool:
    """Show a table of what is parked; as JSON where that is asked for."""
    from lockstep.cli.terminal.parked import rows_table
    from lockstep.client.parked import page_of

    async with engine as remote:
        page = await page_of(remote, kind, automation, limit)
    if as_json:
        output.show_json({"items": page.items, "total": page.total})
        return True
    output.show(rows_table(page.items))
    if len(page.items) < page.total:
        output.tell(f"{len(page.items)} of {page.total} are shown; see --limit")
    return True
