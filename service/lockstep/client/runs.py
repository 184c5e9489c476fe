"""Runs of a running engine: found by a filter, and dealt with in as many calls as that takes."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from lockstep.client.paging import PAGE
from lockstep.client.remote import ActInterrupted, Remote
from lockstep.model.errors import EngineError
from lockstep_schemas import api

PORTION: Final = 50
"""Of an act on many: so many runs in a request, so that one sees how far it is."""


async def every(remote: Remote, automation: str | None, wanted: api.RunsList) -> list[api.Run]:
    """Find all runs of a filter, newest first, without their payloads; an automation by its name.

    They are for an act, so the beginning of an id that somebody chose stands for no automation.

    A run that ends or is deleted meanwhile may stand there; none stands there twice.
    """
    of = None if automation is None else (await remote.automation(automation, whole=True)).id
    request = msgspec.structs.replace(wanted, automation_id=of, limit=PAGE)
    found = list[api.Run]()
    while True:
        page = await remote.call("runs.list", request, api.RunsPage)
        found += (msgspec.structs.replace(one, trigger_payload=None) for one in page.items)
        if page.next_cursor is None:
            return found
        request = msgspec.structs.replace(request, cursor=page.next_cursor)


async def each_of(
    remote: Remote,
    endpoint: str,
    ids: Sequence[str],
    request: api.RunsSelect,
    advance: Callable[[int], None],
) -> api.RunsDone:
    """Act on runs by their ids until all are through; `advance` is told how many more are.

    Raises:
        ActInterrupted: It could be said of some, and not of all.
    """
    done, failed, new_ids = 0, list[api.RunFault](), list[str]()
    for start in range(0, len(ids), PORTION):
        portion = [*ids[start : start + PORTION]]
        cursor: str | None = None
        while True:
            wanted = msgspec.structs.replace(request, ids=portion, cursor=cursor)
            try:
                part = await remote.call(endpoint, wanted, api.RunsDone)
            except EngineError as error:
                if not done and not failed:
                    raise
                raise _interrupted(error, done, len(failed), ids) from error
            done, failed = done + part.done, failed + part.failed
            new_ids += part.new_ids
            advance(part.done + len(part.failed))
            cursor = part.cursor
            if cursor is None:
                break
    return api.RunsDone(done, failed, new_ids)


def _interrupted(error: EngineError, done: int, failed: int, ids: Sequence[str]) -> ActInterrupted:
    """Say how far it came: runs are dealt with in the order in which they were found."""
    through = done + failed
    return ActInterrupted(
        f"{error}; of {len(ids)} runs it was done to {done} and refused for {failed}; what became "
        f"of run {ids[through]}, and of those that `--dry-run` shows below it, is not known"
    )
