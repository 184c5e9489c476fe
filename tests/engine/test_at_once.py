"""Many ask at once: each is answered as if alone, or told that it is too much just now."""

import asyncio
from collections import Counter

import pytest

from engine.engine_fixture import EngineFixture, Json, Stored
from lockstep import bus

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANSWERED = {"", "503"}
PAIRS = 10


def definition(stored: Stored, number: int) -> Json:
    """A definition that is like no other."""
    action = {"action": "test.record", "id": "r", "config": {"value": f"n{number}"}}
    return {"name": "n", "triggers": [{"event": stored.event}], "actions": [action]}


def codes(replies: list[bus.ApiReply]) -> Counter[str]:
    """Count replies by their code, empty where all is well."""
    return Counter(reply.error_code for reply in replies)


async def test_two_updates_of_one_definition_at_once_are_both_applied(
    shared: EngineFixture,
) -> None:
    stored = await shared.automation([])
    for number in range(PAIRS):
        done = await asyncio.gather(
            *(
                shared.call("automations.update", id=stored.id, definition=definition(stored, some))
                for some in (2 * number, 2 * number + 1)
            )
        )
        assert sorted(one["version"] for one in done) == [2 * number + 2, 2 * number + 3]
    shown = await shared.call("automations.versions", id=stored.id)
    assert [one["version"] for one in shown["items"]] == [*range(1, 2 * PAIRS + 2)]


async def test_of_two_updates_that_expect_the_same_version_one_is_told_that_it_is_stale(
    shared: EngineFixture,
) -> None:
    stored = await shared.automation([])
    for number in range(PAIRS):
        asked = [
            shared.ask(
                "automations.update", id=stored.id, expected_version=number + 1,
                definition=definition(stored, 2 * number + some),
            )
            for some in (0, 1)
        ]  # fmt: skip
        assert codes(await asyncio.gather(*asked)) == {"": 1, "409": 1}


async def test_updates_beside_toggles_are_all_applied(shared: EngineFixture) -> None:
    stored = await shared.automation([])
    for number in range(PAIRS):
        await asyncio.gather(
            shared.call("automations.update", id=stored.id, definition=definition(stored, number)),
            shared.call("automations.toggle", id=stored.id, enabled=bool(number % 2)),
            shared.call("automations.update", id=stored.id, name=f"name {number}"),
        )
        now = await shared.call("automations.get", id=stored.id)
        assert now["version"] == number + 2
        assert now["status"] == ("enabled" if number % 2 else "disabled")
        assert now["name"] == f"name {number}"


async def test_updates_beside_a_delete_come_before_it_or_find_nothing(
    shared: EngineFixture,
) -> None:
    for number in range(PAIRS):
        hold = {"event": f"e.hold{number}", "for": {"seconds": 60}}
        stored = await shared.automation([{"delay": {"seconds": 60}}], triggers=[hold])
        await shared.publish(f"e.hold{number}", {})
        changed, toggled, deleted = await asyncio.gather(
            shared.ask("automations.update", id=stored.id, definition=definition(stored, 1)),
            shared.ask("automations.toggle", id=stored.id, enabled=False),
            shared.ask("automations.delete", id=stored.id),
        )
        assert codes([deleted]) == {"": 1}
        assert codes([changed, toggled]).keys() <= {"", "404"}
        assert codes([await shared.ask("automations.get", id=stored.id)]) == {"404": 1}


async def test_a_thousand_requests_at_once_are_answered_or_told_that_it_is_too_much(
    shared: EngineFixture,
) -> None:
    stored = await shared.automation(
        [{"action": "test.record", "id": "r", "config": {"value": "v"}}]
    )
    asked = [
        *(shared.ask("automations.toggle", id=stored.id, enabled=True) for _ in range(250)),
        *(shared.ask("automations.update", id=stored.id, name=f"n{n}") for n in range(250)),
        *(shared.ask("automations.get", id=stored.id) for _ in range(250)),
        *(shared.ask("runs.start", automation_id=stored.id) for _ in range(250)),
    ]
    replies = await asyncio.gather(*asked)
    assert codes(replies).keys() <= ANSWERED, codes(replies)
    assert codes(replies)[""] >= 64, "those that the engine answers at once, at the least"
    assert await shared.call("automations.get", id=stored.id), "it goes on answering"
