"""Artifacts across runs: consumed by context key while they are open, closed by who says so."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.engine_fixture import EngineFixture, Stored
from engine.provider import provider

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
_words = iter(range(1_000_000))


async def desk(engine_fixture: EngineFixture) -> tuple[str, Stored]:
    """A plug-in word of its own, and an automation that opens, looks at or settles tickets."""
    word = f"desk{next(_words)}"
    register = "catalog.actions.register"
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    await engine_fixture.call(
        register, id=f"{word}.open", owner=word, produces="ticket", produces_schema=schema
    )
    await engine_fixture.call(register, id=f"{word}.look", owner=word, consumes=["ticket"])
    await engine_fixture.call(
        register, id=f"{word}.settle", owner=word, consumes=["ticket"], closes=["ticket"]
    )

    def when(name: str, **more: object) -> Json:
        step = {"id": name, "action": f"{word}.{name}", **more}
        return {"when": f"trigger.payload.do == '{name}'", "sequence": [step]}

    choose = {"choose": [when("open"), when("look"), when("settle")]}
    return word, await engine_fixture.automation([choose])


async def test_what_is_closed_is_handed_to_nobody_and_a_failure_closes_nothing(
    shared: EngineFixture,
) -> None:
    word, stored = await desk(shared)
    replies: list[Json] = [{"success": False, "error": "not yet"}]

    def settle(_: Json) -> Json:
        return replies.pop() if replies else {"success": True}

    opened = iter(range(1, 10))

    def answer(action: str, work: Callable[[Json], Json]) -> Any:
        return provider(shared, f"{word}.{action}", work)

    async with (
        answer("open", lambda _: {"success": True, "artifact": {"n": next(opened)}}),
        answer("look", lambda _: {"success": True}) as looked,
        answer("settle", settle),
    ):
        for key in ("a", "b", "a"):
            await stored.run({"do": "open"}, key=key)
        await stored.run({"do": "look"}, key="a")  # the newest of its key
        assert (await stored.run({"do": "settle"}, key="a")).status == "failed"
        await stored.run({"do": "look"}, key="a")
        assert (await stored.run({"do": "settle"}, key="a")).status == "success"
        await stored.run({"do": "look"}, key="a")  # the one before
        await stored.run({"do": "settle"}, key="a")
        await stored.run({"do": "look"}, key="a")
        await stored.run({"do": "look"}, key="b")
        await stored.run({"do": "look"})
    handed = [request["consumed_artifacts"].get("ticket") for request in looked.asked]
    assert handed == [{"n": 3}, {"n": 3}, {"n": 1}, None, {"n": 2}, None]
