"""How much room what waits look back on takes: all that is stored counts, and is known at once."""

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.waits import LAST, Awaited, Looking, topic
from lockstep.store import Batches, RecentEvents
from lockstep_schemas.events import Actor
from store_fixture import StoreFixture, store_fixture

LARGE: Final = "ü" * 200_000  # two bytes each
SAID: Final[list[dict[str, Any]]] = [
    {"body": f'"{LARGE}"'.encode()}, {"actor": Actor(id="u", name=LARGE)}, {"context_key": LARGE},
    {"message_id": LARGE}, {"delivery": LARGE},
]  # fmt: skip
"""Where a publisher may say much."""


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """An empty database."""
    async with store_fixture(dsn) as opened:
        yield opened


async def kept(laboratory: StoreFixture, number: int, **said: Any) -> list[Event]:
    """Have events handled on which some wait looks back."""
    plain = [laboratory.event("a", {"n": n}) for n in range(number)]
    events = [msgspec.structs.replace(one, **said) for one in plain]
    async with Batches(laboratory.database, uuid7()).transaction() as tx:
        await tx.keep_recent(events, events[0].time)
    return events


async def sequences(laboratory: StoreFixture) -> list[int]:
    """Which events are kept."""
    rows = await laboratory.rows("select sequence from recent_events order by sequence")
    return [row["sequence"] for row in rows]


@pytest.mark.parametrize("said", SAID, ids=lambda one: next(iter(one)))
async def test_all_that_a_publisher_has_said_counts(
    laboratory: StoreFixture, said: dict[str, Any]
) -> None:
    events = await kept(laboratory, 8, **said)
    numbers = [one.sequence for one in events]
    assert {row["size"] for row in await laboratory.rows("select size from recent_events")} == {
        events[0].size
    }
    assert events[0].size > 400_000
    assert not await RecentEvents(laboratory.database, 1_700_000).drop(100)
    assert await sequences(laboratory) == numbers[4:]


@pytest.mark.parametrize("said", SAID, ids=lambda one: next(iter(one)))
async def test_a_page_of_events_has_a_megabyte_of_all_that_is_read(
    laboratory: StoreFixture, said: dict[str, Any]
) -> None:
    events = await kept(laboratory, 8, **said)
    key = events[0].context_key
    wait = Awaited(
        place=0, id=uuid4(), run_id=uuid4(), filter=None, run_scope=None, path="actions[0]",
        warning=None, automation_id="x",
    )  # fmt: skip
    began = (events[0].time, events[0].sequence)
    look = Looking(wait, topic("a", key), "a", key, began, None, 0.0, None, is_kept=True)
    batches = Batches(laboratory.database, uuid7())
    page = await batches.recent(look, ((events[0].time, 0), LAST))
    assert [event.sequence for _, event in page] == [one.sequence for one in events[:2]]
