"""The endpoints `runs.*` and `artifacts.*`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec
from msgspec import UNSET

from lockstep.control.errors import Refusal, not_found
from lockstep.model.runs import Ended
from lockstep.ports import Clock
from lockstep_schemas.api import (
    Artifact,
    ById,
    HandledEvent,
    Run,
    RunCancel,
    RunDetail,
    RunsList,
    RunsPage,
    Step,
    Success,
    Wait,
    Why,
    WhyRequest,
)
from lockstep_schemas.events import Actor


class Runs(Protocol):
    """Runs, to be read."""

    async def page(self, wanted: RunsList, before: int | None) -> tuple[list[Run], int, int | None]:
        """A page, newest first; how many match; the position of the last."""
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

    async def why(self, request: WhyRequest) -> list[HandledEvent]:
        """Find recent events, and what became of each."""
        ...

    async def close_artifact(self, artifact_id: UUID, now: datetime) -> bool:
        """Close an artifact; say whether there is one of this id."""
        ...


class Endings(Protocol):
    """Ends runs from outside."""

    async def cancel(self, run_ids: Sequence[UUID], reason: str | None) -> Sequence[Ended]:
        """Cancel those that are active."""
        ...


class RunEndpoints:
    """Lists, shows and cancels runs; closes what they produced."""

    def __init__(self, store: Runs, endings: Endings, clock: Clock) -> None:
        self._store, self._endings, self._clock = store, endings, clock

    async def list(self, request: RunsList, _: Actor | None) -> RunsPage:
        """Newest first. A cursor is the position of the last run of the page before."""
        before: int | None = None
        if request.cursor is not None:
            if not (request.cursor.isascii() and request.cursor.isdigit()):
                raise Refusal("bad_request", f"cursor '{request.cursor[:40]}' is not one of ours")
            before = min(int(request.cursor), 2**63 - 1)
            request = msgspec.structs.replace(request, offset=0)
        items, total, last = await self._store.page(request, before)
        return RunsPage(
            items=items,
            total=total,
            limit=request.limit,
            offset=UNSET if request.cursor is not None else request.offset,
            next_cursor=str(last) if last is not None and len(items) == request.limit else None,
        )

    async def get(self, request: ById, _: Actor | None) -> RunDetail:
        """One run, with its steps, artifacts and waits."""
        run_id = _id("run", request.id)
        run = await self._store.run(run_id)
        if run is None:
            raise not_found("run", request.id)
        return RunDetail(
            run=run,
            steps=await self._store.steps(run_id),
            artifacts=await self._store.artifacts(run_id),
            waits=await self._store.waits(run_id),
        )

    async def cancel(self, request: RunCancel, _: Actor | None) -> Success:
        """Stop a run between two steps, and ask what executes to stop; a finished run stays."""
        run_id = _id("run", request.id)
        ended = await self._endings.cancel([run_id], request.reason)
        if not ended and await self._store.run(run_id) is None:
            raise not_found("run", request.id)
        return Success()

    async def why(self, request: WhyRequest, _: Actor | None) -> Why:
        """Say of recent events what they started or woke, and which gate refused them."""
        return Why(await self._store.why(request))

    async def close_artifact(self, request: ById, _: Actor | None) -> Success:
        """Close an artifact: it is not consumed any more."""
        artifact_id = _id("artifact", request.id)
        if not await self._store.close_artifact(artifact_id, self._clock.now()):
            raise not_found("artifact", request.id)
        return Success()


def _id(what: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise not_found(what, text) from None
