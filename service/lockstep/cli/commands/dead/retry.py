"""`lockstep dead retry`: publish events again that could not be handled."""

from collections.abc import Sequence
from typing import Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AllLetters, AsJson, LetterIds, OfEvent, letters_of

EXAMPLES: Final = ("dead retry 17 18", "dead retry --event orders.created", "dead retry --all")


def command(
    context: typer.Context,
    ids: LetterIds = None,
    event: OfEvent = None,
    everything: AllLetters = False,
    as_json: AsJson = False,
) -> None:
    """Publish events again as they were, oldest first, and delete their dead letters."""
    chosen = letters_of(ids, event, everything=everything)
    finish(retry_letters(engine(context), ids or [], chosen, as_json=as_json))


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
