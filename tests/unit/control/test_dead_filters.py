"""Dead letters that are looked for: so many are looked through for a page, and none is left out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lockstep.control import dead as control
from lockstep.control.dead import DeadEndpoints
from lockstep_schemas.dead import DeadLetter, DeadList, DeadPage


def letter(number: int, **fields: Any) -> DeadLetter:
    """A dead letter."""
    about: dict[str, Any] = {
        "id": number, "event": "e", "reason": "r", "subject": "s", "message_id": None,
        "actor": None, "context_key": None, "published_at": None,
        "died_at": datetime(2030, 1, 1, tzinfo=UTC), "deliveries": 1, "size": 1,
    }  # fmt: skip
    return DeadLetter(**{**about, **fields})


class Box:
    """Letters in memory, and how many were read."""

    def __init__(self, letters: Sequence[DeadLetter]) -> None:
        self._newest_first = sorted(letters, key=lambda one: -one.id)
        self.seen = 0

    async def page(self, _: str | None, limit: int, before: int | None) -> DeadPage:
        """See `control.dead.Box`."""
        older = [one for one in self._newest_first if before is None or one.id < before]
        self.seen += len(older[:limit])
        goes_on = older[limit - 1].id if len(older) > limit else None
        return DeadPage(older[:limit], len(self._newest_first), limit, goes_on)


def endpoints(letters: Sequence[DeadLetter]) -> tuple[Box, DeadEndpoints]:
    """Endpoints for a box that only lists."""
    box = Box(letters)
    made: Any = DeadEndpoints
    return box, made(box)


async def test_each_letter_that_fits_stands_on_one_page() -> None:
    some = [letter(n, context_key="k" if n % 7 == 0 else None) for n in range(1, 1_001)]
    _, dead = endpoints(some)
    ids, before = [], None
    while True:
        page = await dead.list(DeadList(context_key="k", limit=30, before=before), None)
        assert len(page.items) <= 30
        ids += [one.id for one in page.items]
        before = page.next_before
        if before is None:
            break
    assert ids == [n for n in range(1_000, 0, -1) if n % 7 == 0]


async def test_a_page_looks_through_no_more_than_its_share_and_says_where_to_go_on() -> None:
    box, dead = endpoints([letter(n) for n in range(1, 5_001)])
    page = await dead.list(DeadList(error="nowhere"), None)
    assert (page.items, page.total_is_estimate) == ([], True)
    assert box.seen == control.LOOKED_THROUGH
    assert page.next_before == 5_000 - control.LOOKED_THROUGH + 1


async def test_where_all_were_looked_through_the_total_is_counted() -> None:
    _, dead = endpoints([letter(1), letter(2, reason="No JSON")])
    page = await dead.list(DeadList(text="no json"), None)
    assert (page.total, page.total_is_estimate, page.next_before) == (1, False, None)


async def test_a_page_that_ends_with_the_last_letter_leads_nowhere() -> None:
    _, dead = endpoints([letter(n, reason="x") for n in range(1, 4)])
    page = await dead.list(DeadList(error="x", limit=3), None)
    assert (len(page.items), page.next_before) == (3, None)
