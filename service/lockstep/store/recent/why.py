"""What became of recent events, for people who ask why."""

from datetime import datetime

import asyncpg

from lockstep.model.decisions import KeptSince, WaitedStep
from lockstep.store.pool import Store
from lockstep.store.queries import query
from lockstep_schemas.why import Consequence, HandledEvent, WhyRequest


class EventViews:
    """Reads what became of events."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def events(self, request: WhyRequest) -> list[HandledEvent]:
        """See `control.why.EventViews`."""
        handled = []
        async with self._store.connection() as connection:
            events = await connection.fetch(
                *query("why/events", event=request.event, limit=request.limit)
            )
            for event in events:
                rows = await connection.fetch(
                    *query(
                        "why/consequences",
                        delivery=event["delivery"],
                        event_id=event["event_id"],
                        sequence=int(event["delivery"].split(":")[1]),
                        time=event["time"],
                        automation_id=request.automation_id,
                    )
                )
                handled.append(
                    HandledEvent(
                        event=event["event_id"],
                        message_id=event["message_id"],
                        delivery=event["delivery"],
                        handled_at=event["received_at"],
                        consequences=[_consequence(row) for row in rows],
                        time=event["time"],
                        context_key=event["context_key"],
                    )
                )
        return handled

    async def refusals(self, automation_id: str, limit: int) -> list[HandledEvent]:
        """See `control.why.EventViews`."""
        async with self._store.transaction() as connection:
            await connection.execute(*query("why/plan_in_order"))
            rows = await connection.fetch(
                *query("why/refusals", automation_id=automation_id, limit=limit)
            )
        return [
            HandledEvent(
                event=row["event_id"],
                message_id=row["message_id"],
                delivery=row["delivery"],
                handled_at=row["at"],
                consequences=[_consequence(row)],
            )
            for row in rows
        ]

    async def waited(
        self,
        event: HandledEvent,
        automation_id: str | None,
        since: datetime,
        until: datetime,
        limit: int,
    ) -> list[WaitedStep]:
        """See `control.why.EventViews`."""
        async with self._store.transaction() as connection:
            await connection.execute(*query("why/plan_in_order"))
            rows = await connection.fetch(
                *query(
                    "why/waited",
                    quoted=f'"{event.event}"',
                    automation_id=automation_id,
                    context_key=event.context_key or None,
                    since=since,
                    until=until,
                    limit=limit,
                )
            )
        return [WaitedStep(**{**dict(row), "run_id": str(row["run_id"])}) for row in rows]

    async def has_automation(self, automation_id: str) -> bool:
        """See `control.why.EventViews`."""
        async with self._store.connection() as connection:
            found = await connection.fetchrow(*query("automations/get", id=automation_id))
        return found is not None

    async def kept_since(self) -> KeptSince:
        """See `control.why.EventViews`."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(*query("why/kept"))
        return KeptSince(None, None) if row is None else KeptSince(*row)


def _consequence(row: asyncpg.Record) -> Consequence:
    run_id = row["run_id"]
    return Consequence(
        automation_id=row["automation_id"],
        trigger_id=row["trigger_id"],
        outcome=row["outcome"],
        gate=row["gate"],
        detail=row["detail"],
        run_id=None if run_id is None else str(run_id),
        action_path=row["action_path"],
    )
