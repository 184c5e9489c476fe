"""Lists by what people look for: error, event, context key, text."""

from typing import Any
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture
from engine.shell import Shell, definition, unique
from engine.test_dead import die
from engine.test_language import record

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


def fail(reason: str) -> Json:
    return {"action": "test.fail", "config": {"reason": reason}}


async def found(shared: EngineFixture, endpoint: str, **request: object) -> list[str]:
    return [one["id"] for one in (await shared.call(endpoint, **request))["items"]]


async def test_runs_are_found_by_error_event_key_and_text(shared: EngineFixture) -> None:
    mark = uuid4().hex
    failing = await shared.automation([fail(f"No light 100% \\ {mark}")])
    await shared.publish(failing.event, {"order": f"A-{mark}"}, key=f"k1-{mark}")
    (failed,) = await shared.ended(failing.id, 1)
    good = await shared.automation([record("x")])
    await shared.publish(good.event, {"order": f"B-{mark}"}, key=f"k2-{mark}")
    (done,) = await shared.ended(good.id, 1)

    async def runs(**request: object) -> list[str]:
        return await found(shared, "runs.list", **request)

    assert await runs(error=f"NO LIGHT 100% \\ {mark}") == [failed]
    assert await runs(error=f"no light 100_ \\ {mark}") == []
    assert await runs(event=good.event) == [done]
    assert await runs(event=f"{good.event.rpartition('.')[0]}.*", text=mark) == [done, failed]
    assert await runs(event="*", context_key=f"k1-{mark}") == [failed]
    assert await runs(text=f"K2-{mark}") == [done]
    assert await runs(text=f'"B-{mark}"') == [done]  # of the payload
    assert await runs(text=mark, status="ended") == [done, failed]
    assert await runs(text=mark, status="active") == []
    assert await runs(text=f"nobody-{mark}") == []
    # Among many other runs there is a cursor, too: so many are looked through at once.
    assert (await shared.call("runs.list", error=mark))["total"] == 1


@pytest.mark.parametrize(
    "request_",
    [{"error": ""}, {"text": "a\0b"}, {"status": "over"}, {"id": "x"}, {"id": "12"}, {"event": ""}],
)
async def test_a_filter_that_is_none_is_refused_and_named(
    shared: EngineFixture, request_: Json
) -> None:
    reply = await shared.ask("runs.list", **request_)
    assert reply.error_code == "400"
    assert next(iter(request_)) in reply.error


async def test_automations_are_found_by_event_text_and_who_keeps_them(
    shared: EngineFixture,
) -> None:
    mark = uuid4().hex
    made = {}
    for name, event in (("Alpha", f"{mark}.a"), ("Beta", f"{mark}.b")):
        raw = {**definition(f"{name} {mark}"), "triggers": [{"event": event}]}
        request = {"name": f"{name} {mark}", "managed_by": name + mark, "definition": raw}
        made[name] = (await shared.call("automations.create", **request))["id"]
    waiting = {"wait_for_trigger": {"event": f"{mark}.c"}}
    raw = definition(f"Gamma {mark}", actions=[waiting])
    request = {"name": f"Gamma {mark}", "definition": raw}
    made["Gamma"] = (await shared.call("automations.create", **request))["id"]

    async def automations(**request: object) -> list[str]:
        return await found(shared, "automations.list", **request)

    assert await automations(event=f"{mark}.b") == [made["Beta"]]
    assert await automations(event=f"{mark}.c") == [made["Gamma"]]
    assert await automations(event=f"{mark}.*") == [*made.values()]
    assert await automations(event=mark) == []
    assert await automations(text=f"ALPHA {mark}") == [made["Alpha"]]
    assert await automations(managed_by=f"Beta{mark}") == [made["Beta"]]
    assert (await shared.call("automations.list", text=mark, limit=1))["total"] == 3
    for one in made.values():
        await shared.call("automations.delete", id=one)


async def test_dead_letters_are_found_by_error_key_and_text(shared: EngineFixture) -> None:
    event = f"filters.{uuid4().hex}"
    first, second = await die(shared, event, b"[]", b"no json", key="k1")
    *_, third = await die(shared, event, b"[]", key="k2", **{"Nats-Msg-Id": unique("Order")})

    async def letters(**request: object) -> list[int]:
        page = await shared.call("dead.list", event=event, **request)
        return [one["id"] for one in page["items"]]

    everything = [third["id"], second["id"], first["id"]]
    assert await letters(context_key="k1") == everything[1:]
    assert await letters(error=second["reason"].upper()) == [second["id"]]
    assert await letters(text="ORDER-") == [third["id"]]
    assert await letters(context_key=None) == []
    page = await shared.call("dead.list", event=event, context_key="k1", limit=1)
    assert (page["total"], page["total_is_estimate"]) == (3, True)
    rest = await shared.call(
        "dead.list", event=event, context_key="k1", limit=1, before=page["next_before"]
    )
    assert [one["id"] for one in (*page["items"], *rest["items"])] == everything[1:]
    assert rest["next_before"] is None


async def test_the_command_line_takes_the_same_filters(shared: EngineFixture, shell: Shell) -> None:
    mark = uuid4().hex
    automation = await shared.automation([fail(f"no light {mark}")])
    await shared.publish(automation.event, {}, key=f"k-{mark}")
    (run_id,) = await shared.ended(automation.id, 1)
    for options in (
        ["--error", f"NO LIGHT {mark}"],
        ["--text", mark, "--status", "ended"],
        ["--key", f"k-{mark}"],
        ["--event", automation.event],
    ):
        listed = (await shell.run("runs", "list", *options, "--json")).json["items"]
        assert [one["id"] for one in listed] == [run_id], options
    listed = (await shell.run("automations", "list", "--event", automation.event, "--json")).json
    assert [one["id"] for one in listed["items"]] == [automation.id]
    (letter,) = await die(shared, f"filters.{mark}", b"[]", key=f"k-{mark}")
    listed = (await shell.run("dead", "list", "--key", f"k-{mark}", "--json")).json
    assert [one["id"] for one in listed["items"]] == [letter["id"]]
    told = await shell.run("runs", "list", "--error", "", code=2)
    assert "--error" in told.err
