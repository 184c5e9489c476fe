"""`lockstep dead discard`: delete events for good that could not be handled."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli.context import finish, load
from lockstep.cli.options import EVERY_EVENT, AllLetters, AsJson, LetterIds, OfEvent, letters_of
from lockstep.cli.terminal import output

if TYPE_CHECKING:
    from lockstep.settings.structs import Settings

EXAMPLES: Final = ("dead discard 17", "dead discard --event 'orders.*' --yes")


def command(
    context: typer.Context,
    ids: LetterIds = None,
    event: OfEvent = None,
    everything: AllLetters = False,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for good.

    Asks first on a terminal; elsewhere more than named ones need `--yes`.
    """
    chosen = letters_of(ids, event, everything=everything)
    settings = load(context).settings
    finish(discard_letters(settings, ids or [], chosen, sure=sure, as_json=as_json))


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
