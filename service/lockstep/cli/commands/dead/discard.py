"""`lockstep dead discard`: delete events for good that could not be handled."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli.context import finish, load
from lockstep.cli.filters import OfError, OfKey, OfText, letters_wish
from lockstep.cli.options import EVERY_EVENT, AllLetters, AsJson, LetterIds, OfEvent, letters_of
from lockstep.cli.terminal import output

if TYPE_CHECKING:
    from lockstep.settings.structs import Settings
    from lockstep_schemas import dead

EXAMPLES: Final = (
    "dead discard 17",
    "dead discard --event 'orders.*' --yes",
    "dead discard --error 'no JSON object' --key A-1",
)


def command(
    context: typer.Context,
    ids: LetterIds = None,
    event: OfEvent = None,
    error: OfError = None,
    text: OfText = None,
    key: OfKey = None,
    everything: AllLetters = False,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for good.

    Asks first on a terminal; elsewhere more than named ones need `--yes`.
    """
    if all(one is None for one in (error, text, key)):
        chosen = letters_of(ids, event, everything=everything)
        settings = load(context).settings
        finish(discard_letters(settings, ids or [], chosen, sure=sure, as_json=as_json))
        return
    wanted = letters_wish(event, error, text, key)
    if ids or everything:
        raise typer.BadParameter("name ids, or --event, --error, ..., or --all", param_hint="ID")
    finish(_discard_found(load(context).settings, wanted, sure=sure, as_json=as_json))


async def _discard_found(
    settings: "Settings", wanted: "dead.DeadList", *, sure: bool, as_json: bool
) -> bool:
    """Find letters, show them, ask, and delete those that were shown; whether all were."""
    from lockstep.cli.terminal.many import confirm, letters_table, preview
    from lockstep.client.dead_letters import page_of
    from lockstep.client.remote import connected

    async with connected(settings) as remote:
        found = (await page_of(remote, wanted, sys.maxsize)).items
    if found and not sure:
        # Not connected while people think: nothing would answer the server.
        number = output.count(len(found), "dead letter")
        preview(letters_table(found), len(found), "dead letter")
        confirm(f"Delete {number} for good?", number, sure=sure)
    ids = sorted(one.id for one in found)
    return await discard_letters(settings, ids, None, sure=True, as_json=as_json)


async def discard_letters(
    settings: "Settings", ids: Sequence[int], event: str | None, *, sure: bool, as_json: bool
) -> bool:
    """Delete dead letters for good, after a question on a terminal; false if some are not there."""
    from lockstep.cli.terminal.dead_letters import tell_done
    from lockstep.cli.terminal.many import confirm
    from lockstep.cli.terminal.progress import progress
    from lockstep.client.dead_letters import each_of, number_of
    from lockstep.client.remote import connected

    if not sure and (event is not None or sys.stdin.isatty()):
        # Not connected while people think: nothing would answer the server.
        number = len(ids)
        if event is not None:
            async with connected(settings) as remote:
                number = await number_of(remote, ids, event)
        of = "" if event in {None, EVERY_EVENT} else f" of {event}"
        question = f"Delete {output.count(number, 'dead letter')}{of} for good?"
        confirm(question, output.count(number, "dead letter"), sure=sure)
    async with connected(settings) as remote:
        with progress("dead discard", await number_of(remote, ids, event)) as advance:
            done = await each_of(remote, "dead.discard", ids, event, advance)
    return tell_done(done, "discarded", as_json=as_json)
