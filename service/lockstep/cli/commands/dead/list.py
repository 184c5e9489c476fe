"""`lockstep dead list`: events that could not be handled."""

from typing import Annotated, Final

import msgspec
import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.filters import OfError, OfKey, OfText, letters_wish
from lockstep.cli.options import AsJson, Limit, OfEvent
from lockstep.cli.terminal import output
from lockstep_schemas import dead

EXAMPLES: Final = (
    "dead list",
    "dead list --event 'orders.*' --limit 200",
    "dead list --error 'no JSON object' --key A-1",
)


def command(
    context: typer.Context,
    event: OfEvent = None,
    error: OfError = None,
    text: OfText = None,
    key: OfKey = None,
    limit: Limit = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Only older than this id.")] = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""
    wanted = msgspec.structs.replace(letters_wish(event, error, text, key), before=before)
    finish(list_letters(engine(context), wanted, limit, as_json=as_json))


async def list_letters(engine: Reach, wanted: dead.DeadList, limit: int, *, as_json: bool) -> bool:
    """List dead letters, newest first."""
    from lockstep.cli.terminal.dead_letters import size_text
    from lockstep.client.dead_letters import page_of

    async with engine as remote:
        page = await page_of(remote, wanted, limit)
    if as_json:
        output.show_json(
            {
                "items": page.items,
                "total": page.total,
                "total_is_estimate": page.total_is_estimate,
                "next_before": page.next_before,
            }
        )
        return True
    rows = [
        (
            str(one.id),
            output.day_or_time(one.died_at),
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
            f"{len(page.items)} of {'at most ' if page.total_is_estimate else ''}{page.total} "
            "are shown; see --limit and "
            f"--before {page.next_before}"
        )
    return True
