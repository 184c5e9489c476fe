"""`lockstep dead list`: events that could not be handled."""

from typing import Annotated, Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson, Limit, OfEvent
from lockstep.cli.terminal import output

EXAMPLES: Final = ("dead list", "dead list --event 'orders.*' --limit 200")


def command(
    context: typer.Context,
    event: OfEvent = None,
    limit: Limit = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Only older than this id.")] = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""
    finish(list_letters(engine(context), event, limit, before, as_json=as_json))


async def list_letters(
    engine: Reach, event: str | None, limit: int, before: int | None, *, as_json: bool
) -> bool:
    """List dead letters, newest first."""
    from lockstep.cli.terminal.dead_letters import size_text
    from lockstep.client.dead_letters import page_of

    async with engine as remote:
        page = await page_of(remote, event, limit, before)
    if as_json:
        output.show_json(
            {"items": page.items, "total": page.total, "next_before": page.next_before}
        )
        return True
    rows = [
        (
            str(one.id),
            output.moment(one.died_at),
            one.event,
            one.message_id or "",
            size_text(one.size),
            one.reason,
        )
        for one in page.items
    ]
    output.show(output.table(("id", "died", "event", "message id", "size", "why"), rows))
    if page.next_before is not None:
        output.tell(
            f"{len(page.items)} of {page.total} are shown; see --limit and "
            f"--before {page.next_before}"
        )
    return True
