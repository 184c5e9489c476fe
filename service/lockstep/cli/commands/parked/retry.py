"""`lockstep parked retry`: let each replica try again what is parked."""

from collections.abc import Sequence
from typing import Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AllParked, AsJson, OfAutomation, OfKind, ParkedIds, parked_of
from lockstep_schemas.parked import ParkedKind

EXAMPLES: Final = ("parked retry timer:019ab36e-96a1-7c1e-8f0b-5f5c1d5a3b11", "parked retry --all")


def command(
    context: typer.Context,
    ids: ParkedIds = None,
    kind: OfKind = None,
    automation: OfAutomation = None,
    everything: AllParked = False,
    as_json: AsJson = False,
) -> None:
    """Let each replica try again what is parked: within seconds, each does."""
    parked_of(ids, kind, automation, everything=everything)
    finish(retry_parked(engine(context), ids or [], kind, automation, as_json=as_json))


async def retry_parked(
    engine: Reach,
    ids: Sequence[str],
    kind: ParkedKind | None,
    automation: str | None,
    *,
    as_json: bool,
) -> bool:
    """Let replicas try again; false if some are not parked."""
    from lockstep.cli.terminal.parked import tell_done
    from lockstep.client.parked import chosen, each_of

    async with engine as remote:
        named = await chosen(remote, ids, kind, automation)
        done = await each_of(remote, "parked.retry", named)
    return tell_done(done, "to be tried again", as_json=as_json)
