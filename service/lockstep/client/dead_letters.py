"""Dead letters of a running engine: read and dealt with, in as many calls as that takes."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from lockstep.client.paging import PAGE
from lockstep.client.remote import ActInterrupted, ApiRefused, Remote
from lockstep.model.errors import EngineError
from lockstep_schemas import dead

PORTION: Final = 50
"""Of letters that are named: so many in a request, so that one sees how far it is."""


async def page_of(remote: Remote, wanted: dead.DeadList, limit: int) -> dead.DeadPage:
    """Read as many pages as are wanted, as one."""
    items, request = list[dead.DeadLetter](), wanted
    while True:
        request = msgspec.structs.replace(request, limit=min(PAGE, limit - len(items)))
        page = await remote.call("dead.list", request, dead.DeadPage)
        items += page.items
        if page.next_before is None or len(items) >= limit:
            return msgspec.structs.replace(page, items=items, limit=limit)
        request = msgspec.structs.replace(request, before=page.next_before)


async def number_of(remote: Remote, ids: Sequence[int], event: str | None) -> int:
    """Count what was chosen: these ids, or where there is an event, the letters of it."""
    return (
        len(ids) if event is None else (await page_of(remote, dead.DeadList(event=event), 1)).total
    )


async def each_of(
    remote: Remote,
    endpoint: str,
    ids: Sequence[int],
    event: str | None,
    advance: Callable[[int], None],
) -> dead.DeadDone:
    """Call an endpoint until it is through: a request has a limit of letters, and of time.

    `advance` is told how many more are done.

    Raises:
        ActInterrupted: It could be said of some, and not of all.
    """
    if event is None:
        portions = [ids[start : start + PORTION] for start in range(0, len(ids), PORTION)]
        requests = [dead.DeadSelect(ids=[*portion]) for portion in portions]
    else:
        requests = [dead.DeadSelect(event=event)]
    done, failed = 0, list[dead.DeadFault]()
    is_one = len(requests) == 1
    while requests:
        request = requests.pop(0)
        try:
            part = await remote.call(endpoint, request, dead.DeadDone)
        except EngineError as error:
            if is_one or not (isinstance(error, ApiRefused) and error.fault.code == "not_found"):
                if done or failed:
                    raise _interrupted(error, done, len(failed)) from error
                raise
            part = dead.DeadDone(0, [_gone(one) for one in request.ids or ()])
        done += part.done
        failed += part.failed
        advance(part.done + len(part.failed))
        if part.cursor is not None:
            requests.append(dead.DeadSelect(event=event, cursor=part.cursor))
    return dead.DeadDone(done, failed)


def _interrupted(error: EngineError, done: int, failed: int) -> ActInterrupted:
    return ActInterrupted(
        f"{error}; before that it was done to {done} dead letters and refused for {failed}; of "
        "the others, those that are still there can be named again: see `lockstep dead list`"
    )


def _gone(letter_id: int) -> dead.DeadFault:
    return dead.DeadFault(letter_id, "not_found", f"dead letter '{letter_id}' not found")
