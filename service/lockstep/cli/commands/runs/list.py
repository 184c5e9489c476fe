"""`lockstep runs list`: what ran."""

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.filters import OfError, OfKey, OfStatus, OfText, Since, moment, wish
from lockstep.cli.options import AsJson, Limit, OfAutomation, OfEvent
from lockstep.cli.terminal import output
from lockstep.client.paging import PAGE
from lockstep_schemas import api

__all__ = ["EXAMPLES", "command", "moment", "wish"]

if TYPE_CHECKING:
    from lockstep.client.remote import Remote

EXAMPLES: Final = (
    "runs list --automation sample-orders --status failed --since 2h",
    "runs list --event 'orders.*' --error 'timed out' --key A-1",
    "runs list --limit 200 --cursor 4711",
)


def command(
    context: typer.Context,
    automation: OfAutomation = None,
    status: OfStatus = None,
    event: OfEvent = None,
    error: OfError = None,
    text: OfText = None,
    key: OfKey = None,
    since: Since = None,
    limit: Limit = 50,
    cursor: Annotated[
        str | None, typer.Option(help="Go on behind a page: what it told as the next cursor.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    wanted = wish(status, event, error, text, key, since, cursor)
    finish(_list(engine(context), automation, wanted, limit, as_json=as_json))


async def _list(
    engine: Reach, automation: str | None, wanted: api.RunsList, limit: int, *, as_json: bool
) -> bool:
    async with engine as remote:
        if automation is not None:
            found = await remote.automation(automation)
            wanted = msgspec.structs.replace(wanted, automation_id=found.id)
        page = await _page(remote, wanted, limit)
    if as_json:
        output.show_json(
            {
                "items": page.items,
                "total": page.total,
                "total_is_estimate": page.total_is_estimate,
                "next_cursor": page.next_cursor,
            }
        )
        return True
    rows = [
        (
            run.id,
            run.automation_name,
            output.status(run.status),
            output.day_or_time(run.started_at),
            output.lasted(run.started_at, run.finished_at),
            run.trigger_event_id,
            run.error_message or run.reason or run.waiting_for or "",
        )
        for run in page.items
    ]
    columns = ("id", "automation", "status", "started", "took", "event", "why")
    output.show(output.table(columns, rows))
    is_counted = not page.total_is_estimate
    is_all = wanted.cursor is None and is_counted and len(page.items) >= page.total
    if page.next_cursor is not None and not is_all:
        output.tell(
            f"{len(page.items)} of {'' if is_counted else 'about '}{page.total} are shown; "
            f"--cursor {page.next_cursor} goes on, see --limit and --since too"
        )
    return True


async def _page(remote: "Remote", wanted: api.RunsList, limit: int) -> api.RunsPage:
    """Read up to `limit` runs, in as many calls as that takes."""
    items = list[api.Run]()
    request = wanted
    while True:
        request = msgspec.structs.replace(request, limit=min(PAGE, limit - len(items)))
        page = await remote.call("runs.list", request, api.RunsPage)
        items += page.items
        if page.next_cursor is None or len(items) >= limit:
            return api.RunsPage(
                items=items,
                total=max(page.total, len(items)),
                total_is_estimate=page.total_is_estimate,
                limit=limit,
                next_cursor=page.next_cursor,
            )
        request = msgspec.structs.replace(request, cursor=page.next_cursor)
