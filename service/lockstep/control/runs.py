"""The endpoints `runs.*`."""

from typing import Protocol
from uuid import UUID

import msgspec
from msgspec import UNSET

from lockstep.control.errors import Refusal, not_found
from lockstep_schemas.api import Artifact, ById, Run, RunDetail, RunsList, RunsPage, Step
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


class RunEndpoints:
    """Lists and shows runs."""

    def __init__(self, store: Runs) -> None:
        self._store = store

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
        """One run, with its steps and artifacts."""
        try:
            run_id = UUID(request.id)
        except ValueError:
            raise not_found("run", request.id) from None
        run = await self._store.run(run_id)
        if run is None:
            raise not_found("run", request.id)
        return RunDetail(
            run=run,
            steps=await self._store.steps(run_id),
            artifacts=await self._store.artifacts(run_id),
            waits=[],
        )
