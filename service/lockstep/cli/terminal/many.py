"""Acts on many things: what is found is shown, and nothing is done before that is confirmed."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import typer

from lockstep.cli.terminal import output
from lockstep.cli.terminal.progress import progress
from lockstep.cli.terminal.table import Table
from lockstep.client import runs as client
from lockstep.client.remote import connected
from lockstep.model.errors import EngineError
from lockstep_schemas import api, dead

if TYPE_CHECKING:
    from lockstep.settings.structs import Settings

SHOWN: Final = 10
"""Of what was found: so many are shown before one is asked."""


class Unconfirmed(EngineError):
    """An act on many things was not confirmed; nothing was done."""

    code = "cli.unconfirmed"
    category = "conflict"
    advice = "Confirm it on a terminal, or give `--yes`; `--dry-run` shows what it would be for."


class ManyRuns(msgspec.Struct, frozen=True):
    """What is done to runs, in words and as a call."""

    verb: str
    done: str
    endpoint: str
    request: api.RunsSelect


def confirm(question: str, what: str, *, sure: bool) -> None:
    """Ask on a terminal whether to go on.

    Raises:
        Unconfirmed: There is no terminal, and nobody has said yes before.
        typer.Abort: The answer is no.
    """
    if sure:
        return
    if not sys.stdin.isatty():
        raise Unconfirmed(f"nothing was done: this is for {what}; confirm that with --yes")
    typer.confirm(output.line(question), abort=True, err=True)


async def act_on_runs(
    settings: "Settings",
    automation: str | None,
    wanted: api.RunsList,
    act: ManyRuns,
    *,
    sure: bool,
    dry_run: bool,
    as_json: bool,
) -> bool:
    """Find runs, show them, ask, and act on those that were shown; whether all was done."""
    async with connected(settings) as remote:
        found = await client.every(remote, automation, wanted)
    number = output.count(len(found), "run")
    if dry_run:
        _show_runs(found, act, as_json=as_json)
        return True
    if found and not sure:
        # Not connected while people think: nothing would answer the server.
        preview(_runs(found), len(found), "run")
        confirm(f"{act.verb.capitalize()} {number}?", number, sure=sure)
    done = api.RunsDone(0, [])
    if found:
        ids = [one.id for one in found]
        async with connected(settings) as remote:
            with progress(act.verb, len(ids)) as advance:
                done = await client.each_of(remote, act.endpoint, ids, act.request, advance)
    if as_json:
        output.show_json({"done": done.done, "failed": done.failed, "new_ids": done.new_ids})
    else:
        output.show_line(f"{output.count(done.done, 'run')} {act.done}")
        for one in done.failed:
            output.complain(one.message)
    return not done.failed


def preview(table: Table, number: int, noun: str) -> None:
    """Show on standard error what an act is for; of many things the first ones."""
    output.show(Table(table.columns, table.rows[:SHOWN]), error=True)
    if number > SHOWN:
        output.tell(f"and {output.count(number - SHOWN, f'more {noun}')}")


def _show_runs(found: Sequence[api.Run], act: ManyRuns, *, as_json: bool) -> None:
    if as_json:
        items = [{"id": one.id, "status": one.status} for one in found]
        output.show_json({"items": items, "total": len(items)})
        return
    if found:
        output.show(_runs(found))
    output.tell(f"nothing was done; {output.count(len(found), 'run')} would be {act.done}")


def _runs(found: Sequence[api.Run]) -> Table:
    rows = [
        (
            run.id,
            run.automation_name,
            output.status(run.status),
            output.day_or_time(run.started_at),
            run.trigger_event_id,
            run.error_message or run.reason or run.waiting_for or "",
        )
        for run in found
    ]
    return output.table(("id", "automation", "status", "started", "event", "why"), rows)


def letters_table(found: Sequence[dead.DeadLetter]) -> Table:
    """Make a table of dead letters that an act is for."""
    rows = [(str(one.id), output.day_or_time(one.died_at), one.event, one.reason) for one in found]
    return output.table(("id", "died", "event", "why"), rows)
