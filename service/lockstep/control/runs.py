"""The endpoints `runs.*` and `artifacts.*`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec
from msgspec import UNSET

from lockstep.control.errors import ArtifactNotFound, NotFound, RunNotFound, bad_field
from lockstep.control.fitting import LARGEST_ITEM, fitting, position, size_of
from lockstep.control.overdue import OverdueWaits
from lockstep.model.runs import FoundRuns
from lockstep.ports.cancel import Terminator
from lockstep.ports.clock import Clock
from lockstep_schemas.api import (
    Artifact,
    ById,
    Run,
    RunCancel,
    RunDetail,
    RunGet,
    RunsList,
    RunsPage,
    Step,
    Success,
    Wait,
)
from lockstep_schemas.events import Actor

MAX_OFFSET: Final = 10_000  # rows that are read for nothing: some 10 ms


class RunViews(Protocol):
    """Runs, to be read."""

    async def page(self, wanted: RunsList, before: int | None) -> FoundRuns:
        """A page, newest first."""
        ...

    async def run(self, run_id: UUID) -> Run | None:
        """One run."""
        ...

    async def steps(self, run_id: UUID) -> list[Step]:
        """Its steps."""
        ...

    async def artifacts(self, run_id: UUID) -> list[Artifact]:
        """What it produced."""
        ...

    async def waits(self, run_id: UUID) -> list[Wait]:
        """What it waits for."""
        ...

    async def close_artifact(self, artifact_id: UUID, now: datetime) -> bool:
        """Close an artifact; say whether there is one of this id."""
        ...


class RunEndpoints:
    """Lists, shows and cancels runs; closes what they produced."""

    def __init__(
        self, store: RunViews, terminator: Terminator, clock: Clock, overdue: OverdueWaits
    ) -> None:
        self._store, self._terminator, self._clock = store, terminator, clock
        self._overdue = overdue

    async def list(self, request: RunsList, _: Actor | None) -> RunsPage:
        """Newest first. A cursor is the position of the last run of the page before."""
        before = position(request.cursor)
        if before is not None:
            request = msgspec.structs.replace(request, offset=0)
        if request.offset > MAX_OFFSET:
            raise bad_field(
                f"offset: at most {MAX_OFFSET:,}, as all before it is read; `cursor` goes on from "
                "any page: give it the `next_cursor` of that page",
                "offset",
            )
        found = await self._store.page(request, before)
        items = fitting(found.runs)
        is_full = len(items) < len(found.runs) or len(items) == request.limit
        last = found.positions[len(items) - 1] if is_full else found.floor
        return RunsPage(
            items=items,
            total=found.total,
            total_is_estimate=not found.is_exact,
            limit=request.limit,
            offset=UNSET if request.cursor is not None else request.offset,
            next_cursor=None if last is None else str(last),
        )

    async def get(self, request: RunGet, _: Actor | None) -> RunDetail:
        """One run, with its steps, artifacts and waits; in pages where it is large."""
        run_id = _id(request.id, RunNotFound)
        run = await self._store.run(run_id)
        if run is None:
            raise RunNotFound(request.id)
        if request.after is not None:
            run = msgspec.structs.replace(run, trigger_payload=None)
        waits = await self._overdue.explained(await self._store.waits(run_id))
        steps = await self._store.steps(run_id)
        artifacts = await self._store.artifacts(run_id)
        every: list[Step | Artifact] = [*steps, *artifacts]
        detail = RunDetail(run=run, steps=[], artifacts=[], waits=waits)
        begin = request.after or 0
        page = fitting(shown(every[begin:]), taken=size_of(detail))
        after = begin + len(page)
        return msgspec.structs.replace(
            detail,
            steps=[one for one in page if isinstance(one, Step)],
            artifacts=[one for one in page if isinstance(one, Artifact)],
            next_after=after if after < len(every) else UNSET,
        )

    async def cancel(self, request: RunCancel, _: Actor | None) -> Success:
        """Stop a run between two steps, and ask what executes to stop; a finished run stays."""
        run_id = _id(request.id, RunNotFound)
        ended = await self._terminator.cancel([run_id], request.reason)
        if not ended and await self._store.run(run_id) is None:
            raise RunNotFound(request.id)
        return Success()

    async def close_artifact(self, request: ById, _: Actor | None) -> Success:
        """Close an artifact: it is not consumed any more."""
        artifact_id = _id(request.id, ArtifactNotFound)
        if not await self._store.close_artifact(artifact_id, self._clock.now()):
            raise ArtifactNotFound(request.id)
        return Success()


def shown(items: Sequence[Step | Artifact]) -> list[Step | Artifact]:
    """Leave out the content of what is too large for a reply."""
    made: list[Step | Artifact] = []
    for item in items:
        size = size_of(item)
        if size <= LARGEST_ITEM:
            made.append(item)
        elif isinstance(item, Step):
            made.append(msgspec.structs.replace(item, result={"bytes": size}))
        else:
            made.append(msgspec.structs.replace(item, data={"bytes": size}))
    return made


def _id(text: str, unknown: type[NotFound]) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise unknown(text) from None
