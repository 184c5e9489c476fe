"""The endpoints `runs.cancel_many` and `runs.retry_many`: acts on many runs, each told apart."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec
import structlog

from lockstep.control.errors import InvalidRequest, bad_field
from lockstep.control.fitting import position
from lockstep.control.retry import RetryEndpoint
from lockstep.control.runs import RunViews
from lockstep.model.errors import EngineError, Unavailable
from lockstep.model.faults import fault_of
from lockstep.ports.apart import apart
from lockstep.ports.cancel import Terminator
from lockstep_schemas.api import (
    RunFault,
    RunRetry,
    RunsCancel,
    RunsDone,
    RunsFilter,
    RunsList,
    RunsRetry,
    RunsSelect,
    StatusFilter,
)
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import ACTIVE

PORTION: Final = 100  # runs that one transaction ends, with their events
SECONDS: Final = 5.0  # of one request: who asks waits some 15 s for an answer

log = structlog.get_logger()


class Chosen(msgspec.Struct, frozen=True):
    """Runs of one request, the cursor behind each, and that of what was not looked at."""

    ids: Sequence[str]
    cursors: Sequence[str]
    rest: str | None


class ManyEndpoints:
    """Cancels and retries runs by their ids or by a filter; newest first, those of now only."""

    def __init__(
        self,
        views: RunViews,
        terminator: Terminator,
        retry: RetryEndpoint,
        *,
        portion: int = PORTION,
        seconds: float = SECONDS,
    ) -> None:
        self._views, self._terminator, self._retry = views, terminator, retry
        self._portion, self._seconds = portion, seconds

    async def cancel(self, request: RunsCancel, actor: Actor | None) -> RunsDone:
        """Cancel active runs; one that has ended meanwhile stays as it is, and is told."""
        chosen = await self._chosen(request, "active")
        ended, failed = set[UUID](), list[RunFault]()

        async def end(ids: Sequence[UUID]) -> None:
            found = await self._terminator.cancel(ids, request.reason)
            ended.update(one.run.id for one in found)

        def refused(run_id: UUID, error: Exception) -> None:
            log.error("batch.refused", row=str(run_id), exc_info=error)
            failed.append(_refused(str(run_id), error))

        known = {run_id: _uuid(run_id) for run_id in chosen.ids}
        wanted = [one for one in known.values() if one is not None]
        await apart(wanted, end, refused)
        told = {one.id for one in failed}
        for run_id, one in known.items():
            if one is None or (one not in ended and str(one) not in told):
                failed.append(await self._unended(run_id, one))
        done = RunsDone(len(ended), failed, [], chosen.rest)
        log.info("runs.cancelled", **_about(request, done, actor))
        return done

    async def retry(self, request: RunsRetry, actor: Actor | None) -> RunsDone:
        """Start runs once more, one after the other, for as long as a request may take."""
        chosen = await self._chosen(request, "failed" if request.from_ == "failed" else "ended")

        async def again(run_id: str) -> str:
            wanted = RunRetry(id=run_id, from_=request.from_)
            return (await self._retry.retry(wanted, actor)).run_id

        done = await self._each(chosen, again)
        log.info("runs.retried", **_about(request, done, actor))
        return done

    async def _each(self, chosen: Chosen, act: Callable[[str], Awaitable[str]]) -> RunsDone:
        made, failed = list[str](), list[RunFault]()
        deadline = time.monotonic() + self._seconds
        before: str | None = None
        for run_id, cursor in zip(chosen.ids, chosen.cursors, strict=True):
            if before is not None and time.monotonic() > deadline:
                return RunsDone(len(made), failed, made, before)
            try:
                made.append(await act(run_id))
            except Unavailable:
                if before is None:
                    raise
                # Who asks again is told by the next request, if it is still so.
                return RunsDone(len(made), failed, made, before)
            except EngineError as error:
                failed.append(_refused(run_id, error))
            before = cursor
        return RunsDone(len(made), failed, made, chosen.rest)

    async def _chosen(self, request: RunsSelect, status: StatusFilter) -> Chosen:
        """Give the runs that a request is about: of a filter, a page.

        Raises:
            InvalidRequest: It names none, or in two ways, or those with which it cannot be done.
        """
        if (request.ids is None) == (request.where is None):
            raise InvalidRequest("name either ids or a filter, `where`")
        before = position(request.cursor)
        if request.ids is not None:
            ids = _each_once(request.ids)
            begin, end = before or 0, len(ids)
            numbers = [str(number) for number in range(begin + 1, end + 1)]
            return Chosen(ids[begin:], numbers, None)
        wanted = _allowed(request.where or RunsFilter(), status)
        listed = RunsList(**msgspec.structs.asdict(wanted), limit=self._portion)
        page = await self._views.page(listed, before)
        is_full = len(page.runs) == self._portion
        rest = page.positions[-1] if is_full else page.floor
        return Chosen(
            [run.id for run in page.runs],
            [*map(str, page.positions)],
            None if rest is None else str(rest),
        )

    async def _unended(self, text: str, run_id: UUID | None) -> RunFault:
        """Say why a run was not ended."""
        run = None if run_id is None else await self._views.run(run_id)
        if run is None:
            return RunFault(text, "not_found", f"run '{text}' not found")
        return RunFault(text, "refused", f"run {run.id} has ended as {run.status} already")


def _allowed(where: RunsFilter, status: StatusFilter) -> RunsFilter:
    """Give a filter with a status that the act is for.

    Raises:
        InvalidRequest: It asks for others.
    """
    if where.status is None:
        return msgspec.structs.replace(where, status=status)
    is_active = where.status == "active" or where.status in ACTIVE
    if is_active != (status == "active"):
        which = "that are active" if status == "active" else "that have ended"
        raise bad_field(f"where.status: it is for runs {which}", "where", "status")
    if status == "failed" and where.status != "failed":
        text = f"where.status: a run that is {where.status} has no failed step: give `from: start`"
        raise bad_field(text, "where", "status")
    return where


def _refused(run_id: str, error: Exception) -> RunFault:
    fault = fault_of(error) if isinstance(error, EngineError) else None
    if fault is None:
        return RunFault(run_id, "refused", f"run {run_id}: internal error; see the engine's log")
    return RunFault(run_id, "not_found" if fault.code == "not_found" else "refused", fault.message)


def _each_once(ids: Sequence[str]) -> Sequence[str]:
    """Leave out what names a run that is named already, in another spelling too."""
    found: dict[UUID | str, str] = {}
    for one in ids:
        found.setdefault(_uuid(one) or one, one)
    return [*found.values()]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _about(request: RunsSelect, done: RunsDone, actor: Actor | None) -> dict[str, object]:
    return {
        "where": None if request.where is None else msgspec.to_builtins(request.where),
        "done": done.done,
        "failed": len(done.failed),
        "actor": None if actor is None else actor.name or actor.id or actor.type,
    }
