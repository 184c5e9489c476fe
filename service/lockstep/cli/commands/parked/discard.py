"""`lockstep parked discard`: end what no replica can handle."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli.context import finish, load
from lockstep.cli.options import AllParked, AsJson, OfAutomation, OfKind, ParkedIds, parked_of
from lockstep.cli.terminal import output
from lockstep_schemas.parked import ParkedKind

if TYPE_CHECKING:
    from lockstep.settings.structs import Settings

EXAMPLES: Final = (
    "parked discard run:019ab36e-96a1-7c1e-8f0b-5f5c1d5a3b11",
    "parked discard --kind event --automation 'Door watch' --yes",
)


def command(
    context: typer.Context,
    ids: ParkedIds = None,
    kind: OfKind = None,
    automation: OfAutomation = None,
    everything: AllParked = False,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """End what is parked: runs are cancelled or fail, events become dead letters.

    Asks first on a terminal; elsewhere more than named ones need `--yes`.
    """
    parked_of(ids, kind, automation, everything=everything)
    settings = load(context).settings
    finish(discard_parked(settings, ids or [], kind, automation, sure=sure, as_json=as_json))


async def discard_parked(
    settings: "Settings",
    ids: Sequence[str],
    kind: ParkedKind | None,
    automation: str | None,
    *,
    sure: bool,
    as_json: bool,
) -> bool:
    """End what is parked, after a question on a terminal; false if some of it was not."""
    from lockstep.cli.terminal.many import confirm
    from lockstep.cli.terminal.parked import tell_done
    from lockstep.client.parked import chosen, each_of
    from lockstep.client.remote import connected

    async with connected(settings) as remote:
        named = await chosen(remote, ids, kind, automation)
    if named and not sure and (not ids or sys.stdin.isatty()):
        # Not connected while people think: nothing would answer the server.
        question = f"Discard {output.count(len(named), 'parked row')} for good?"
        confirm(question, output.count(len(named), "parked row"), sure=sure)
    async with connected(settings) as remote:
        done = await each_of(remote, "parked.discard", named)
    return tell_done(done, "discarded", as_json=as_json)
