"""`lockstep runs list`: what ran."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import (
    AsJson,
    Limit,
    OfAutomation,
    OfError,
    OfEvent,
    OfKey,
    OfText,
    key_of,
    typed,
)
from lockstep.cli.terminal import output
from lockstep.client.paging import PAGE
from lockstep_schemas import api

if TYPE_CHECKING:
    from lockstep.client.remote import Remote

EXAMPLES: Final = (
    "runs list --automation sample-orders --status failed --since 2h",
    "runs list --event 'orders.*' --error 'timed out' --key A-1",
    "runs list --limit 200 --cursor 4711",
)

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(
    r"([0-9]{1,6}|an?) *(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)(?: +ago)?"
)


def command(
    context: typer.Context,
    automation: OfAutomation = None,
    status: Annotated[
        str | None,
        typer.Option(
            help="Only those; `active` and `ended` are several.", autocompletion=completion.status
        ),
    ] = None,
    event: OfEvent = None,
    error: OfError = None,
    text: OfText = None,
    key: OfKey = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only since this time, or so long ago: 15m, 2h, '3 days ago'."),
    ] = None,
    limit: Limit = 50,
    cursor: Annotated[
        str | None, typer.Option(help="Go on behind a page: what it told as the next cursor.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    wanted = wish(status, event, error, text, key, since, cursor)
    finish(_list(engine(context), automation, wanted, limit, as_json=as_json))


def wish(
    status: str | None = None,
    event: str | None = None,
    error: str | None = None,
    text: str | None = None,
    key: str | None = None,
    since: str | None = None,
    cursor: str | None = None,
) -> api.RunsList:
    """Make the first request of what was typed.

    Raises:
        typer.BadParameter: It is none.
    """
    return api.RunsList(
        status=None if status is None else _status(status),
        event=typed("--event", event),
        error=typed("--error", error),
        text=typed("--text", text),
        context_key=key_of(key),
        since=None if since is None else moment(since),
        cursor=cursor,
    )


def _status(text: str) -> api.StatusFilter:
    try:
        found: api.StatusFilter = msgspec.convert(text, api.StatusFilter)
    except msgspec.ValidationError:
        known = ", ".join(completion.status(""))
        raise typer.BadParameter(f"{text!r}: one of {known}", param_hint="--status") from None
    return found


def moment(text: str) -> datetime:
    """Read a time: ISO, in local time unless it has a zone; or how long ago it is.

    So are understood: `15m`, `15 min`, `30 minutes ago`, `an hour ago`.

    Raises:
        typer.BadParameter: It is neither.
    """
    wanted = " ".join(text.lower().split())
    ago = _AGO.fullmatch(wanted)
    try:
        if ago is not None:
            number = int(ago[1]) if ago[1].isdigit() else 1
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2][0]]: number})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r}: a time such as 2030-01-31T12:00 or how long ago, such as 15m or "
            "'30 minutes ago', is expected",
            param_hint="--since",
        ) from None


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
