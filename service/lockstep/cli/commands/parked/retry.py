"""`lockstep parked retry`: let each replica try again what is parked."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import typer

from lockstep.cli.context import finish, load
from lockstep.cli.options import AllParked, AsJson, OfAutomation, OfKind, ParkedIds, Sure, parked_of
from lockstep.cli.terminal import output

if TYPE_CHECKING:
    from lockstep.settings.structs import Settings
    from lockstep_schemas.parked import ParkedKind

EXAMPLES: Final = (
    "parked retry timer:019ab36e-96a1-7c1e-8f0b-5f5c1d5a3b11",
    "parked retry --kind run",
    "parked retry --all --yes",
)


def command(
    context: typer.Context,
    ids: ParkedIds = None,
    kind: OfKind = None,
    automation: OfAutomation = None,
    everything: AllParked = False,
    sure: Sure = False,
    as_json: AsJson = False,
) -> None:
    """Let each replica try again what is parked: within seconds, each does.

    All of a choice are shown first, and asked for.
    """
    parked_of(ids, kind, automation, everything=everything)
    settings = load(context).settings
    if ids:
        finish(retry_parked(settings, ids, as_json=as_json))
    else:
        finish(_retry_many(settings, kind, automation, sure=sure, as_json=as_json))


async def _retry_many(
    settings: "Settings",
    kind: "ParkedKind | None",
    automation: str | None,
    *,
    sure: bool,
    as_json: bool,
) -> bool:
    """Find what is parked, show it, ask, and let replicas try it; whether all could be."""
    from lockstep.cli.terminal.many import confirm, preview
    from lockstep.cli.terminal.parked import rows_table
    from lockstep.client.parked import page_of
    from lockstep.client.remote import connected

    async with connected(settings) as remote:
        found = (await page_of(remote, kind, automation, sys.maxsize)).items
    if found and not sure:
        # Not connected while people think: nothing would answer the server.
        number = output.count(len(found), "parked row")
        preview(rows_table(found), len(found), "parked row")
        confirm(f"Retry {number}?", number, sure=sure)
    return await retry_parked(settings, [one.id for one in found], as_json=as_json)


async def retry_parked(settings: "Settings", ids: Sequence[str], *, as_json: bool) -> bool:
    """Let replicas try again what was named; false if some of it is not parked."""
    from lockstep.cli.terminal.parked import tell_done
    from lockstep.client.parked import chosen, each_of
    from lockstep.client.remote import connected

    async with connected(settings) as remote:
        named = await chosen(remote, ids, None, None) if ids else []
        done = await each_of(remote, "parked.retry", named)
    return tell_done(done, "to be tried again", as_json=as_json)
