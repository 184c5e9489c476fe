"""Lists in pages: each thing is seen once, whatever is written meanwhile, however large it is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from engine.engine_fixture import EngineFixture
from engine.test_control import SAMPLE, refused
from engine.test_language import record
from lockstep import bus
from patience import LIMIT_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


async def pages(
    engine_fixture: EngineFixture, endpoint: str, **request: object
) -> AsyncIterator[list[Json]]:
    """Go through a list by its cursor."""
    page = await engine_fixture.call(endpoint, **request)
    yield page["items"]
    while page.get("next_cursor"):
        page = await engine_fixture.call(endpoint, **request, cursor=page["next_cursor"])
        yield page["items"]


async def ids(engine_fixture: EngineFixture, endpoint: str, **request: object) -> list[str]:
    return [
        item["id"] async for page in pages(engine_fixture, endpoint, **request) for item in page
    ]


async def test_a_cursor_through_runs_sees_each_once_while_others_arrive(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation([record("x")])
    for n in range(30):
        await shared.publish(automation.event, {"n": n})
    before = (await shared.ended(automation.id, 30))[:]
    more = 0
    for limit in (1, 4, 7, 200):
        seen: list[str] = []
        async for page in pages(shared, "runs.list", automation_id=automation.id, limit=limit):
            seen += [one["id"] for one in page]
            # By page: a machine on which a page takes long has not thousands of them for that.
            await asyncio.gather(*(shared.publish(automation.event, {}) for _ in range(4)))
            more += 4
        assert len(seen) == len(set(seen))
        assert set(before) <= set(seen)
    await shared.ended(automation.id, 30 + more)
    everything = await ids(shared, "runs.list", automation_id=automation.id, limit=50)
    assert len(set(everything)) == len(everything) == 30 + more


async def test_a_page_of_large_runs_is_as_long_as_fits_into_a_reply(shared: EngineFixture) -> None:
    automation = await shared.automation([record("x")])
    for _ in range(7):
        await shared.publish(automation.event, {"text": "x" * 300_000})
    runs = (await shared.ended(automation.id, 7))[:]
    page = await shared.call("runs.list", automation_id=automation.id)
    assert 1 <= len(page["items"]) < 7 == page["total"]
    assert sorted(await ids(shared, "runs.list", automation_id=automation.id)) == sorted(runs)


async def test_a_cursor_through_automations_sees_each_once_while_some_are_deleted(
    shared: EngineFixture,
) -> None:
    made = [
        (await shared.call("automations.create", name=f"p{n}", group="pages", definition=SAMPLE))
        for n in range(12)
    ]
    seen: list[str] = []
    async for page in pages(shared, "automations.list", group="pages", limit=4):
        seen += [one["id"] for one in page]
        for one in page[:1]:
            await shared.call("automations.delete", id=one["id"])
    assert seen == [one["id"] for one in made]
    left = (await shared.call("automations.list", group="pages"))["items"]
    assert [one["name"] for one in left] == [f"p{n}" for n in range(12) if n % 4]
    for one in left:
        await shared.call("automations.delete", id=one["id"])


async def test_a_page_of_large_automations_is_as_long_as_fits_into_a_reply(
    shared: EngineFixture,
) -> None:
    large = {"name": "x", "group": "large", "description": "x" * 400_000}
    made = [
        (await shared.call("automations.create", **large, definition=SAMPLE))["id"]
        for _ in range(5)
    ]
    page = await shared.call("automations.list", group="large")
    assert len(page["items"]) == 2
    assert page["total"] == 5
    second = await shared.call("automations.list", group="large", offset=2)
    assert [one["id"] for one in second["items"]] == made[2:4]
    assert await ids(shared, "automations.list", group="large") == made
    for one in made:
        await shared.call("automations.delete", id=one)


@pytest.mark.parametrize("field", ["description", "definition"])
async def test_an_automation_that_fits_into_no_reply_is_refused_where_it_is_too_large(
    shared: EngineFixture, field: str
) -> None:
    text = "x" * 990_000
    request: Json = {"name": "x", "definition": SAMPLE}
    request[field] = text if field == "description" else {**SAMPLE, "description": text}
    body = await refused(shared, "automations.create", **request)
    assert [issue["path"] for issue in body["issues"]] == [[field]]
    small = await shared.call("automations.create", name="x", definition=SAMPLE)
    change = {field: request[field]}
    body = await refused(shared, "automations.update", id=small["id"], **change)
    assert [issue["path"] for issue in body["issues"]] == [[field]]
    assert (await shared.call("automations.get", id=small["id"])) == small


@pytest.mark.parametrize("endpoint", ["automations.list", "runs.list"])
@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "9" * 30, "٣", "1\n"])
async def test_a_cursor_that_is_none_is_refused(
    shared: EngineFixture, endpoint: str, cursor: str
) -> None:
    body = await refused(shared, endpoint, cursor=cursor)
    assert (body["code"], body["issues"][0]["path"]) == ("bad_request", ["cursor"])


@pytest.mark.parametrize("wanted", ["*", ">", "a.b", "", "a b", "a\n", "a\0", "x" * 65])
@pytest.mark.parametrize(
    "endpoint", ["get", "update", "delete", "toggle", "versions", "runs.start"]
)
async def test_what_is_no_id_of_an_automation_is_found_nowhere(
    shared: EngineFixture, endpoint: str, wanted: str
) -> None:
    if endpoint == "runs.start":
        body = await refused(shared, endpoint, automation_id=wanted)
    else:
        more = {"enabled": True} if endpoint == "toggle" else {}
        body = await refused(shared, f"automations.{endpoint}", id=wanted, **more)
    assert body["code"] == "not_found"


async def test_a_refusal_is_short_however_long_the_request_was(shared: EngineFixture) -> None:
    for endpoint, request in (
        ("runs.get", {"id": "x" * 900_000}),
        ("automations.get", {"id": "x" * 900_000}),
        ("automations.list", {"x" * 900_000: 1}),
        ("automations.list", {"status": "x" * 900_000}),
        ("automations.validate", {"definition": {"x" * 900_000: 1}}),
    ):
        body = msgspec.json.encode(request)
        reply = await bus.ApiClient(shared.connection).request(endpoint, body, LIMIT_SECONDS)
        assert reply.error_code in {"", "400", "404"}
        assert len(reply.body) < 10_000


async def test_types_that_do_not_fit_into_a_reply_are_told_in_parts(shared: EngineFixture) -> None:
    wanted = [f"large.t{n}" for n in range(3)]
    for one in wanted:
        text = "x" * 500_000
        await shared.call("catalog.triggers.register", id=one, description=text, owner="pages")
    seen: list[str] = []
    page = await shared.call("catalog.triggers")
    while "next_after" in page:
        seen += [one["qualified_id"] for one in page["items"]]
        page = await shared.call("catalog.triggers", after=page["next_after"])
    seen += [one["qualified_id"] for one in page["items"]]
    assert set(wanted) < set(seen)
    assert seen == sorted(set(seen))
    for one in wanted:
        await shared.call("catalog.triggers.register", id=one, owner="pages")
    assert "next_after" not in await shared.call("catalog.triggers")


async def test_a_type_that_fits_into_no_reply_is_refused(shared: EngineFixture) -> None:
    for endpoint in ("catalog.triggers.register", "catalog.actions.register"):
        body = await refused(shared, endpoint, id="too.large", description="x" * 990_000)
        assert (body["code"], body["issues"][0]["path"]) == ("bad_request", ["description"])


async def test_a_run_of_many_steps_is_told_in_pages(shared: EngineFixture) -> None:
    long = record("{{ trigger.payload.text }}")
    loop = {"repeat": {"count": 60, "sequence": [{**long, "id": "said"}]}}
    stored = await shared.automation([loop])
    await shared.publish(stored.event, {"text": "x" * 20_000})
    (run_id,) = await shared.ended(stored.id, 1)
    steps, artifacts, pages = [], [], 0
    after: Json = {}
    while True:
        reply = await shared.ask("runs.get", id=run_id, **after)
        assert not reply.error_code
        page = msgspec.json.decode(reply.body)
        steps += page["steps"]
        artifacts += page["artifacts"]
        pages += 1
        if "next_after" not in page:
            break
        after = {"after": page["next_after"]}
    assert [step["seq"] for step in steps] == list(range(1, 62))
    assert len(artifacts) == 60
    assert pages > 2


async def test_a_run_with_the_largest_payload_is_told(shared: EngineFixture) -> None:
    stored = await shared.automation([record("x")])
    await shared.publish(stored.event, {"text": "x" * 1_000_000})
    (run_id,) = await shared.ended(stored.id, 1)
    first = await shared.call("runs.get", id=run_id)
    assert len(first["run"]["trigger_payload"]["text"]) == 1_000_000
    assert (first["steps"], first["next_after"]) == ([], 0)
    second = await shared.call("runs.get", id=run_id, after=0)
    assert (second["run"]["trigger_payload"], len(second["steps"])) == (None, 1)


async def test_versions_of_large_definitions_are_told_in_pages(shared: EngineFixture) -> None:
    definition: Json = {"name": "n", "triggers": [{"event": "e.big"}]}
    made = await shared.call("automations.create", name="n", definition=definition)
    for number in range(4):
        big = {**definition, "description": f"{number}" * 400_000}
        await shared.call("automations.update", id=made["id"], definition=big)
    first = await shared.call("automations.versions", id=made["id"])
    second = await shared.call("automations.versions", id=made["id"], after=first["next_after"])
    numbers = [one["version"] for one in [*first["items"], *second["items"]]]
    assert numbers == [1, 2, 3, 4, 5]
    assert "next_after" not in second
