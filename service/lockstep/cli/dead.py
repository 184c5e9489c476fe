"""`lockstep dead`: events that could not be handled."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from rich.text import Text

from lockstep.cli import output
from lockstep.cli.progress import progress
from lockstep.cli.remote import PAGE, Remote, connected
from lockstep.settings import Settings
from lockstep_schemas import dead

ALL = "*"


async def list_letters(
    settings: Settings, event: str | None, limit: int, before: int | None, *, as_json: bool
) -> bool:
    """List dead letters, newest first."""
    async with connected(settings) as remote:
        page = await _page(remote, event, limit, before)
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
            _bytes(one.size),
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


async def show(settings: Settings, letter_id: int, *, as_json: bool) -> bool:
    """Show one dead letter with its headers and its body."""
    async with connected(settings) as remote:
        request = dead.DeadById(letter_id)
        if as_json:
            output.show_raw_json(await remote.ask("dead.show", request))
            return True
        detail = await remote.call("dead.show", request, dead.DeadDetail)
    letter = detail.letter
    about = {
        "letter": str(letter.id),
        "event": letter.event,
        "why": letter.reason,
        "subject": letter.subject,
        "message id": letter.message_id,
        "published": output.moment(letter.published_at),
        "died": output.moment(letter.died_at),
        "deliveries": None if letter.deliveries is None else str(letter.deliveries),
        "size": _bytes(letter.size),
    }
    for name, value in about.items():
        if value:
            output.show_line(Text.assemble((f"{name:<12}", "dim"), output.line(value)))
    for name, value in detail.headers.items():
        output.show_line(Text.assemble(("header      ", "dim"), output.line(f"{name}: {value}")))
    _draw_body(detail)
    return True


async def retry(
    settings: Settings, ids: Sequence[int], event: str | None, *, as_json: bool
) -> bool:
    """Publish the events of dead letters again; false if some could not be."""
    async with connected(settings) as remote:
        done = await _all_of(remote, "dead.retry", ids, event)
    return _tell(done, "retried", as_json=as_json)


async def discard(
    settings: Settings, ids: Sequence[int], event: str | None, *, sure: bool, as_json: bool
) -> bool:
    """Delete dead letters for good, after a question on a terminal; false if some are not there."""
    if not sure and sys.stdin.isatty():
        number = len(ids)
        if event is not None:
            async with connected(settings) as remote:
                number = (await _page(remote, event, 1, None)).total
        of = "" if event in {None, ALL} else f" of {event}"
        question = f"Delete {output.count(number, 'dead letter')}{of} for good?"
        typer.confirm(output.line(question), abort=True, err=True)
    async with connected(settings) as remote:
        done = await _all_of(remote, "dead.discard", ids, event)
    return _tell(done, "discarded", as_json=as_json)


def chosen(ids: Sequence[int] | None, event: str | None, *, everything: bool) -> str | None:
    """Give the event of what was typed, None where ids were.

    Raises:
        typer.BadParameter: Nothing was chosen, or it was in two ways.
    """
    if sum((bool(ids), event is not None, everything)) != 1:
        _wrong("name ids, or --event, or --all")
    if event == "":
        _wrong("--event is empty: name an event id, or orders.* for all under orders.")
    return ALL if everything else event


async def _page(remote: Remote, event: str | None, limit: int, before: int | None) -> dead.DeadPage:
    """Read as many pages as are wanted, as one."""
    items = list[dead.DeadLetter]()
    while True:
        request = dead.DeadList(event=event, limit=min(PAGE, limit - len(items)), before=before)
        page = await remote.call("dead.list", request, dead.DeadPage)
        items += page.items
        before = page.next_before
        if before is None or len(items) >= limit:
            return dead.DeadPage(items, page.total, limit, before)


async def _all_of(
    remote: Remote, endpoint: str, ids: Sequence[int], event: str | None
) -> dead.DeadDone:
    """Call an endpoint until it is through: a request has a limit of letters, and of time."""
    if event is None:
        portions = [ids[start : start + PAGE] for start in range(0, len(ids), PAGE)]
        requests = [dead.DeadSelect(ids=[*portion]) for portion in portions]
    else:
        requests = [dead.DeadSelect(event=event)]
    done, failed = 0, list[dead.DeadFault]()
    total = len(ids) if event is None else (await _page(remote, event, 1, None)).total
    with progress(endpoint.replace(".", " "), total) as advance:
        while requests:
            part = await remote.call(endpoint, requests.pop(0), dead.DeadDone)
            done += part.done
            failed += part.failed
            advance(part.done + len(part.failed))
            if part.cursor is not None:
                requests.append(dead.DeadSelect(event=event, cursor=part.cursor))
    return dead.DeadDone(done, failed)


def _tell(done: dead.DeadDone, verb: str, *, as_json: bool) -> bool:
    if as_json:
        output.show_json({"done": done.done, "failed": done.failed})
    else:
        output.show_line(f"{output.count(done.done, 'dead letter')} {verb}")
        for one in done.failed:
            output.complain(one.message)
    return not done.failed


def _draw_body(detail: dead.DeadDetail) -> None:
    if isinstance(detail.body, str):
        output.show("")
        for text in detail.body.splitlines():
            output.show_line(text)
    elif isinstance(detail.body_base64, str):
        output.tell("the body is no text; --json gives it in base64")
    if detail.body_cut:
        output.tell("only the beginning of the body is shown")


def _bytes(size: int) -> str:
    return f"{size} B" if size < 10_000 else f"{size / 1000:.0f} kB"


def _wrong(text: str) -> NoReturn:
    raise typer.BadParameter(text, param_hint="ID")
