"""`lockstep runs`: what ran, and what it did."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import typer
from msgspec import UNSET, Struct, UnsetType
from rich.text import Text

from lockstep.cli import output
from lockstep.cli.remote import PAGE, Remote, connected
from lockstep.cli.tree import FOLDED, run_text, tree
from lockstep.settings import Settings
from lockstep_schemas import api
from lockstep_schemas.run_events import RunStatus

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO: Final = re.compile(r"([0-9]{1,6})([smhd])")


class Wanted(Struct, frozen=True, kw_only=True):
    """Which runs."""

    automation: str | None = None
    status: RunStatus | None = None
    context_key: str | None | UnsetType = UNSET
    since: datetime | None = None
    limit: int = 50
    cursor: str | None = None


async def list_runs(settings: Settings, wanted: Wanted, *, as_json: bool) -> bool:
    """List runs, newest first."""
    async with connected(settings) as remote:
        page = await _page(remote, wanted)
    if as_json:
        output.show_json(
            {"items": page.items, "total": page.total, "next_cursor": page.next_cursor}
        )
        return True
    rows = [
        (
            run.id,
            run.automation_name,
            output.status(run.status),
            output.moment(run.started_at),
            output.lasted(run.started_at, run.finished_at),
            run.trigger_event_id,
            run.error_message or run.reason or run.waiting_for or "",
        )
        for run in page.items
    ]
    columns = ("id", "automation", "status", "started", "took", "event", "why")
    output.show(output.table(columns, rows))
    is_all = wanted.cursor is None and len(page.items) >= page.total
    if page.next_cursor is not None and not is_all:
        output.tell(
            f"{len(page.items)} of {page.total} are shown; "
            f"--cursor {page.next_cursor} goes on, see --limit and --since too"
        )
    return True


async def _page(remote: Remote, wanted: Wanted) -> api.RunsPage:
    """Read as many pages as are wanted, as one."""
    automation = None
    if wanted.automation is not None:
        automation = (await remote.automation(wanted.automation)).id
    items, cursor = list[api.Run](), wanted.cursor
    while True:
        request = api.RunsList(
            automation_id=automation,
            status=wanted.status,
            context_key=wanted.context_key,
            since=wanted.since,
            limit=min(PAGE, wanted.limit - len(items)),
            cursor=cursor,
        )
        page = await remote.call("runs.list", request, api.RunsPage)
        items += page.items
        cursor = page.next_cursor
        if cursor is None or len(items) >= wanted.limit:
            return api.RunsPage(
                items=items,
                total=max(page.total, len(items)),
                limit=wanted.limit,
                next_cursor=cursor,
            )


async def show(settings: Settings, run_id: str, *, whole: bool, as_json: bool) -> bool:
    """Draw one run with its steps."""
    async with connected(settings) as remote:
        detail = await remote.run(run_id)
    if as_json:
        output.show_raw_json(msgspec.json.encode(detail))
        return True
    draw(detail, limit=None if whole else FOLDED)
    return True


def draw(detail: api.RunDetail, limit: int | None = FOLDED) -> None:
    """Write what is to be known of a run: its steps, and where it came from."""
    run = detail.run
    about = {
        "run": run.id,
        "automation": run.automation_id,
        "event": run.trigger_event_id + (f" ({run.trigger_id})" if run.trigger_id else ""),
        "context key": run.context_key,
        "actor": " ".join(
            part for part in (run.actor.type, run.actor.name or run.actor.id) if part
        ),
        "started": output.moment(run.started_at),
        "finished": output.moment(run.finished_at),
        "parent": run.parent_run_id,
        "artifacts": ", ".join(
            f"{one.action_id} ({one.artifact_type})" for one in detail.artifacts
        ),
    }
    output.show(tree(detail.steps, run_text(run), limit=limit), "")
    for wait in detail.waits:
        since = output.moment(wait.armed_at)
        warned = f", {wait.warning}" if wait.warning else ""
        key = f" (context key {wait.context_key})" if wait.context_key is not None else ""
        place = wait.action_path or "run"
        text = f"{place}: {wait.waiting_for}{key}, since {since}{warned}"
        output.show(Text.assemble((f"{'waits for':<12}", "yellow"), output.line(text)))
    for name, value in about.items():
        if value:
            output.show(Text.assemble((f"{name:<12}", "dim"), output.line(value)))


def wanted(
    automation: str | None,
    status: RunStatus | None,
    context_key: str | None,
    since: str | None,
    limit: int,
    cursor: str | None = None,
) -> Wanted:
    """Make a wish of what was typed.

    Raises:
        typer.BadParameter: It is none.
    """
    return Wanted(
        automation=automation,
        status=status,
        context_key=UNSET if context_key is None else context_key or None,
        since=None if since is None else moment(since),
        limit=limit,
        cursor=cursor,
    )


def moment(text: str) -> datetime:
    """Read a time: ISO, in local time unless it has a zone; or how long ago, such as `15m`.

    Raises:
        typer.BadParameter: It is neither.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r}: a time such as 2030-01-31T12:00 or how long ago, such as 15m, is expected",
            param_hint="--since",
        ) from None
