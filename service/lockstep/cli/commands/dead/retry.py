"""`lockstep dead retry`: publish events again that could not be handled."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import typer

from lockstep.cli.context import Reach, engine, finish, load
from lockstep.cli.filters import OfError, OfKey, OfText, letters_wish
from lockstep.cli.options import (
    AllLetters,
    AsJson,
    DryRun,
    LetterIds,
    OfEvent,
    Sure,
)
from lockstep.cli.terminal import output
from lockstep_schemas import dead

if TYPE_CHECKING:
    from lockstep.settings.structs import Settings

EXAMPLES: Final = (
    "dead retry 17 18",
    "dead retry --event orders.created --dry-run",
    "dead retry --error 'no JSON object' --key A-1 --yes",
    "dead retry --all",
)


def command(
    context: typer.Context,
    ids: LetterIds = None,
    event: OfEvent = None,
    error: OfError = None,
    text: OfText = None,
    key: OfKey = None,
    everything: AllLetters = False,
    dry_run: DryRun = False,
    sure: Sure = False,
    as_json: AsJson = False,
) -> None:
    """Publish events again as they were, oldest first, and delete their dead letters.

    All of a filter are shown first, and asked for.
    """
    wanted = letters_wish(event, error, text, key)
    if sum((bool(ids), wanted != dead.DeadList(), everything)) != 1:
        raise typer.BadParameter("name ids, or --event, --error, ..., or --all", param_hint="ID")
    if ids:
        finish(retry_letters(engine(context), ids, None, as_json=as_json))
        return
    settings = load(context).settings
    finish(_retry_many(settings, wanted, sure=sure, dry_run=dry_run, as_json=as_json))


async def _retry_many(
    settings: "Settings", wanted: dead.DeadList, *, sure: bool, dry_run: bool, as_json: bool
) -> bool:
    """Find letters, show them, ask, and publish those that were shown; whether all were."""
    from lockstep.cli.terminal.many import confirm, letters_table, preview
    from lockstep.client.dead_letters import page_of
    from lockstep.client.remote import connected

    async with connected(settings) as remote:
        found = (await page_of(remote, wanted, sys.maxsize)).items
    number = output.count(len(found), "dead letter")
    if dry_run and as_json:
        output.show_json({"items": found, "total": len(found)})
    elif dry_run:
        output.show(letters_table(found))
        output.tell(f"nothing was done; {number} would be retried")
    if dry_run:
        return True
    if found and not sure:
        # Not connected while people think: nothing would answer the server.
        preview(letters_table(found), len(found), "dead letter")
        confirm(f"Retry {number}?", number, sure=sure)
    ids = sorted(one.id for one in found)
    return await retry_letters(connected(settings), ids, None, as_json=as_json)


async def retry_letters(
    engine: Reach, ids: Sequence[int], event: str | None, *, as_json: bool
) -> bool:
    """Publish the events of dead letters again; false if some could not be."""
    from lockstep.cli.terminal.dead_letters import tell_done
    from lockstep.cli.terminal.progress import progress
    from lockstep.client.dead_letters import each_of, number_of

    async with engine as remote:
        with progress("dead retry", await number_of(remote, ids, event)) as advance:
            done = await each_of(remote, "dead.retry", ids, event, advance)
    return tell_done(done, "retried", as_json=as_json)
