"""Automations that some replicas cannot compile: listed as long as one of those lives."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest_asyncio

from lockstep import store
from lockstep.model.ids import uuid7
from store_fixture import StoreFixture, store_fixture


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own, with two automations."""
    async with store_fixture(dsn) as opened:
        await store.AutomationStore(opened.database).insert_many([("a", "a", {}), ("b", "b", {})])
        yield opened


async def started(laboratory: StoreFixture) -> UUID:
    """A worker that lives."""
    worker_id = uuid7()
    await store.WorkerStore(laboratory.database, worker_id).heartbeat("w", "1")
    return worker_id


async def note(laboratory: StoreFixture, worker_id: UUID, **unreadable: str) -> None:
    """Say what a worker cannot compile."""
    await store.ParkedStore(laboratory.database, worker_id).note_automations(unreadable)


async def listed(laboratory: StoreFixture) -> dict[str, str]:
    """The automations that are parked, with the reasons."""
    found = "select automation_id, parked_reason from parked where kind = 'automation'"
    return {row["automation_id"]: row["parked_reason"] for row in await laboratory.rows(found)}


async def writes(laboratory: StoreFixture) -> list[tuple[str, str]]:
    """By which transaction each row was written, or locked, last."""
    found = "select xmin::text, xmax::text from automations order by id"
    return [(row["xmin"], row["xmax"]) for row in await laboratory.rows(found)]


async def test_an_automation_is_listed_until_the_last_that_cannot_compile_it_has_gone(
    laboratory: StoreFixture,
) -> None:
    able, first, second = [await started(laboratory) for _ in range(3)]
    await note(laboratory, able)
    await note(laboratory, first, a="no filter", b="no action")
    await note(laboratory, second, a="no filter")
    assert await listed(laboratory) == {"a": "no filter", "b": "no action"}
    await store.WorkerStore(laboratory.database, first).retire()
    await note(laboratory, able)
    assert await listed(laboratory) == {"a": "no filter"}
    await store.WorkerStore(laboratory.database, second).retire()
    await note(laboratory, able)
    assert await listed(laboratory) == {}


async def test_who_notes_what_is_noted_writes_nothing(laboratory: StoreFixture) -> None:
    able, unable = await started(laboratory), await started(laboratory)
    await note(laboratory, unable, a="no filter")
    before = await writes(laboratory)
    for _ in range(3):
        await note(laboratory, able)
        await note(laboratory, unable, a="no filter")
    assert await writes(laboratory) == before
    await note(laboratory, unable, a="another reason")
    assert await listed(laboratory) == {"a": "another reason"}


async def test_who_can_compile_it_again_takes_itself_off_and_leaves_the_others(
    laboratory: StoreFixture,
) -> None:
    first, second = await started(laboratory), await started(laboratory)
    await note(laboratory, first, a="no filter")
    await note(laboratory, second, a="no filter")
    await note(laboratory, first)
    assert await listed(laboratory) == {"a": "no filter"}
    await note(laboratory, second)
    assert await listed(laboratory) == {}


async def test_who_was_forgotten_and_lives_on_is_listed_again(laboratory: StoreFixture) -> None:
    """A replica that stood still for hours: others take its notes away, and it tells again."""
    able, frozen = await started(laboratory), await started(laboratory)
    await note(laboratory, frozen, a="no filter")
    await store.WorkerStore(laboratory.database, frozen).retire()
    await note(laboratory, able)
    assert await listed(laboratory) == {}
    await store.WorkerStore(laboratory.database, frozen).heartbeat("w", "1")
    await note(laboratory, frozen, a="no filter")
    assert await listed(laboratory) == {"a": "no filter"}
