"""Parked rows of a running engine: read and dealt with, in as many calls as that takes."""

import sys
from collections.abc import Sequence

import msgspec

from lockstep.client.paging import PAGE
from lockstep.client.remote import IdAmbiguous, Remote
from lockstep_schemas import parked


async def page_of(
    remote: Remote, kind: parked.ParkedKind | None, automation: str | None, limit: int
) -> parked.ParkedPage:
    """Read as many pages as are wanted, as one; an automation is its id or name."""
    automation_id = None if automation is None else (await remote.automation(automation)).id
    items = list[parked.Parked]()
    cursor: str | None = None
    while True:
        request = parked.ParkedList(
            kind=kind,
            automation_id=automation_id,
            limit=min(PAGE, limit - len(items)),
            cursor=cursor,
        )
        page = await remote.call("parked.list", request, parked.ParkedPage)
        items += page.items
        cursor = page.next_cursor
        if cursor is None or len(items) >= limit:
            return msgspec.structs.replace(page, items=items, limit=limit)


async def chosen(
    remote: Remote, ids: Sequence[str], kind: parked.ParkedKind | None, automation: str | None
) -> list[str]:
    """Give the ids that were named, by their beginnings too, or those of all that was chosen.

    Raises:
        IdAmbiguous: Several begin so.
    """
    found = [one.id for one in (await page_of(remote, kind, automation, sys.maxsize)).items]
    return [_meant(one, found) for one in ids] if ids else found


async def row_id(remote: Remote, typed: str) -> str:
    """Give the id that is meant: what was typed, or what begins so.

    Raises:
        IdAmbiguous: Several begin so.
    """
    return (await chosen(remote, [typed], None, None))[0]


def _meant(typed: str, known: Sequence[str]) -> str:
    begin = [one for one in known if one.startswith(typed)]
    if typed in begin or not begin:
        return typed
    if len(begin) > 1:
        raise IdAmbiguous("parked rows", typed, begin)
    return begin[0]


async def each_of(remote: Remote, endpoint: str, ids: Sequence[str]) -> parked.ParkedDone:
    """Call an endpoint until it is through: a request has a limit of rows."""
    done, failed = 0, list[parked.ParkedFault]()
    for start in range(0, len(ids), PAGE):
        request = parked.ParkedSelect([*ids[start : start + PAGE]])
        part = await remote.call(endpoint, request, parked.ParkedDone)
        done += part.done
        failed += part.failed
    return parked.ParkedDone(done, failed)
