"""Parked events: stored and read some megabytes at a time, however many they are for."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from lockstep import store
from lockstep.model.ids import uuid7
from lockstep.model.parked import ParkedEvent, ParkedId, StoredParkedEvent
from store_fixture import StoredMessage, StoreFixture, store_fixture

MB = 1 << 20


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own, with three automations."""
    async with store_fixture(dsn) as opened:
        await store.AutomationStore(opened.database).insert_many(
            [(name, name, {}) for name in ("c", "a", "b")]
        )
        yield opened


def event(laboratory: StoreFixture, data: bytes, *whose: str) -> list[ParkedEvent]:
    """An event with this body, for these automations."""
    sequence = laboratory.sequence + 1
    made = laboratory.event("e", {})
    message = StoredMessage(data=data, sequence=sequence)
    changed = msgspec.structs.replace(made, message=message)
    return [ParkedEvent(changed, name, "no such filter") for name in whose]


async def park(laboratory: StoreFixture, events: Sequence[ParkedEvent]) -> None:
    """Park events as the pipeline does, by a worker of its own."""
    async with store.Batches(laboratory.database, uuid7()).transaction() as tx:
        await tx.park_events(events)


async def untried(laboratory: StoreFixture, limit: int = 100) -> Sequence[StoredParkedEvent]:
    """What another worker finds to try."""
    worker = store.ParkedStore(laboratory.database, uuid7())
    found = [await worker.event(one) for one in await worker.untried_events(limit)]
    return [one for one in found if one is not None]


async def bodies(laboratory: StoreFixture) -> list[bytes]:
    """The bodies that are stored once for many."""
    return [row["content"] for row in await laboratory.rows("select content from bodies")]


async def test_a_large_body_is_stored_once_for_all_and_read_with_each(
    laboratory: StoreFixture,
) -> None:
    large, small = b"x" * 100_000, b"y" * 100
    alone = event(laboratory, b"z" * 100_000, "a")
    await park(
        laboratory,
        [*event(laboratory, large, "c", "a", "b"), *event(laboratory, small, "a", "b"), *alone],
    )
    assert await bodies(laboratory) == [large]
    found = await untried(laboratory)
    assert sorted((one.automation_id, one.message.data[:1]) for one in found) == [
        ("a", b"x"), ("a", b"y"), ("a", b"z"), ("b", b"x"), ("b", b"y"), ("c", b"x")
    ]  # fmt: skip
    assert {len(one.message.data) for one in found} == {100, 100_000}
    view = store.ParkedView(laboratory.database)
    for one in found:
        assert await view.event(one.id) == one
        shown = await view.get(ParkedId(text=f"event:{one.id}", kind="event", row_id=one.id))
        assert shown is not None
        assert str(shown[1]["body"])[0].encode() == one.message.data[:1]


async def test_a_body_is_parked_for_hundreds_in_statements_of_some_megabytes(
    laboratory: StoreFixture,
) -> None:
    names = [f"n{number}" for number in range(600)]
    automations = store.AutomationStore(laboratory.database)
    await automations.insert_many([(name, name, {}) for name in names])
    with capture_logs() as logs:
        await park(laboratory, event(laboratory, b"x" * (6 * MB), *reversed(names)))
    (line,) = logs
    assert (line["event"], line["number"], len(line["automation_ids"])) == ("row.parked", 600, 5)
    stored = await laboratory.rows("select automation_id, octet_length(body) from parked_events")
    assert sorted(tuple(row) for row in stored) == sorted((name, 0) for name in names)
    assert len(await bodies(laboratory)) == 1


async def test_what_is_parked_again_is_parked_once(laboratory: StoreFixture) -> None:
    events = event(laboratory, b"x" * 100_000, "a", "b")
    await park(laboratory, events)
    await park(laboratory, events)
    assert sorted(one.automation_id for one in await untried(laboratory)) == ["a", "b"]
    assert await _kept(laboratory) == 1, "the body of the second time has nobody"


async def test_an_event_whose_body_is_lost_says_so_and_can_be_buried(
    laboratory: StoreFixture,
) -> None:
    await park(laboratory, event(laboratory, b"x" * 100_000, "a", "b"))
    await laboratory.rows("delete from bodies")
    worker = store.ParkedStore(laboratory.database, uuid7())
    one, _ = await worker.untried_events(10)
    with pytest.raises(ValueError, match="its body is lost"):
        await worker.event(one)
    buried = await worker.event_to_bury(one)
    assert buried is not None
    assert buried.message.data == b""


async def test_a_body_is_forgotten_with_the_last_event_that_was_parked_with_it(
    laboratory: StoreFixture,
) -> None:
    await park(laboratory, event(laboratory, b"x" * 100_000, "a", "b"))
    first, last = (one.id for one in await untried(laboratory))
    assert await _kept(laboratory) == 1
    await _drop(laboratory, first)
    assert await _kept(laboratory) == 1
    await _drop(laboratory, last)
    assert await _kept(laboratory) == 0


async def _drop(laboratory: StoreFixture, event_id: UUID) -> None:
    async with store.Batches(laboratory.database, uuid7()).transaction() as tx:
        await tx.drop_parked_events([event_id])


async def _kept(laboratory: StoreFixture) -> int:
    retention = store.Retention(laboratory.database)
    for _ in range(3):
        await retention.forget_bodies(10)
    return len(await bodies(laboratory))
