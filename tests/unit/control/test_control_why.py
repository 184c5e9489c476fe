"""What `events.why` says of an event, by what its parts tell: each event stands in one place."""

from datetime import UTC, datetime

import pytest

from lockstep.control.errors import AutomationNotFound
from lockstep.control.why import WhyEndpoint
from lockstep.model.decisions import KeptSince, WaitedStep
from lockstep_schemas.dead import DeadPage
from lockstep_schemas.why import HandledEvent, UnhandledEvent, WhyRequest

AT = datetime(2030, 1, 1, tzinfo=UTC)


class Parts:
    """Events 5 and 7 are handled; the stream has those that it was not told of, and 8."""

    def __init__(self, *listed: int) -> None:
        self.of_stream = listed

    async def events(self, _: WhyRequest) -> list[HandledEvent]:
        return [
            HandledEvent(
                event="a.b", message_id=None, delivery=f"T:{one}:99", handled_at=AT, consequences=[]
            )
            for one in (7, 5)
        ]

    async def refusals(self, _: str, __: int) -> list[HandledEvent]:
        return []

    async def waited(self, *_: object) -> list[WaitedStep]:
        return []

    async def has_automation(self, automation_id: str) -> bool:
        return automation_id == "known"

    async def kept_since(self) -> KeptSince:
        return KeptSince(None, None)

    async def page(self, _: str | None, limit: int, __: int | None) -> DeadPage:
        return DeadPage([], 0, limit, None)

    async def listed(self, event: str, _: int) -> list[UnhandledEvent]:
        return [
            UnhandledEvent(event=event, message_id=None, lane="", sequence=one, stored_at=AT)
            for one in self.of_stream
        ]


async def unhandled(*listed: int) -> list[int]:
    parts = Parts(*listed)
    endpoint = WhyEndpoint(parts, parts, parts, are_kept=True, receipts_hours=24)
    told = await endpoint.why(WhyRequest(event="a.b"), None)
    assert [one.delivery for one in told.items] == ["T:7:99", "T:5:99"]
    return [one.sequence for one in told.unhandled]


async def test_an_event_whose_acknowledgement_is_under_way_is_not_told_as_unhandled() -> None:
    assert await unhandled(7, 8) == [8]
    assert await unhandled(5, 7) == []
    assert await unhandled(6, 75) == [6, 75]


async def test_an_automation_that_is_unknown_is_not_found() -> None:
    parts = Parts()
    endpoint = WhyEndpoint(parts, parts, parts, are_kept=True, receipts_hours=24)
    for event in (None, "a.b"):
        assert await endpoint.why(WhyRequest(event=event, automation_id="known"), None)
        with pytest.raises(AutomationNotFound):
            await endpoint.why(WhyRequest(event=event, automation_id="gone"), None)
