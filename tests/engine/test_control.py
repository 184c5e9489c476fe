"""The control API: what it takes, gives and refuses; and that a change is in force at once."""

from typing import Any

import msgspec
import pytest

from engine.engine_fixture import EngineFixture, Stored
from engine.test_language import record
from engine.test_sleep import holding
from lockstep import bus
from lockstep.model.faults import STATUS
from lockstep_schemas.api import Fault
from lockstep_schemas.run_events import AutomationEvent
from patience import LIMIT_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
SAMPLE: Json = {"name": "Sample", "triggers": [{"event": "e.sample", "id": "fire"}]}


async def refused(engine_fixture: EngineFixture, endpoint: str, **request: object) -> Json:
    """Call an endpoint that must refuse; give code and body."""
    reply = await engine_fixture.ask(endpoint, **request)
    body: Json = msgspec.json.decode(reply.body)
    assert reply.error_code == STATUS[body["code"]]
    assert (msgspec.convert(body, Fault).error, body["message"]) > ("", "")
    assert reply.error
    return body


async def test_create_stores_with_defaults_and_get_gives_the_same(shared: EngineFixture) -> None:
    made = await shared.call("automations.create", name="A", definition=SAMPLE)
    assert (made["status"], made["version"], made["definition"]) == ("enabled", 1, SAMPLE)
    assert await shared.call("automations.get", id=made["id"]) == made


async def test_a_change_of_an_automation_is_announced(shared: EngineFixture) -> None:
    names = shared.connection.names
    async with bus.follow(shared.connection, names.automation("*", "*")) as feed:
        made = await shared.call("automations.create", name="A", definition=SAMPLE)
        await shared.call("automations.update", id=made["id"], name="B")
        await shared.call("automations.delete", id=made["id"])
        told = []
        async for note in feed:
            event = msgspec.json.decode(note.body, type=AutomationEvent)
            if event.data.automation_id == made["id"]:
                told.append((event.type.rpartition(".")[2], event.data.name))
            if len(told) == 3:
                break
    assert told == [("created", "A"), ("updated", "B"), ("deleted", "B")]


async def test_update_changes_only_what_is_given_and_a_new_definition_is_a_new_version(
    shared: EngineFixture,
) -> None:
    made = await shared.call("automations.create", name="A", group="g", definition=SAMPLE)
    renamed = await shared.call("automations.update", id=made["id"], name="B")
    assert (renamed["version"], renamed["group"], renamed["definition"]) == (1, "g", SAMPLE)
    same = await shared.call("automations.update", id=made["id"], definition=SAMPLE)
    assert same["version"] == 1
    other = {**SAMPLE, "name": "Other"}
    changed = await shared.call("automations.update", id=made["id"], definition=other)
    assert changed["version"] == 2
    versions = (await shared.call("automations.versions", id=made["id"]))["items"]
    assert [(v["version"], v["definition"]) for v in versions] == [(1, SAMPLE), (2, other)]


async def test_an_update_on_a_stale_version_is_a_conflict(shared: EngineFixture) -> None:
    made = await shared.call("automations.create", name="A", definition=SAMPLE)
    body = await refused(shared, "automations.update", id=made["id"], name="B", expected_version=9)
    assert (body["code"], body["error"]) == ("conflict", "automation.stale_version")
    assert (await shared.call("automations.get", id=made["id"]))["name"] == "A"


async def test_an_id_that_is_taken_is_a_conflict(shared: EngineFixture) -> None:
    made = await shared.call("automations.create", name="A", definition=SAMPLE)
    body = await refused(shared, "automations.create", name="B", definition=SAMPLE, id=made["id"])
    assert (body["code"], body["error"]) == ("conflict", "automation.exists")


@pytest.mark.parametrize(
    ("endpoint", "more"),
    [
        ("automations.get", {}),
        ("automations.update", {"name": "x"}),
        ("automations.delete", {}),
        ("automations.toggle", {"enabled": True}),
        ("automations.versions", {}),
        ("runs.get", {}),
    ],
)
@pytest.mark.parametrize("wanted", ["missing", "", "x" * 200, "\x00", "a/b"])
async def test_an_unknown_or_malformed_id_is_not_found(
    shared: EngineFixture, endpoint: str, more: Json, wanted: str
) -> None:
    body = await refused(shared, endpoint, id=wanted, **more)
    assert body["code"] in {"not_found", "bad_request"}
    if "\x00" not in wanted:
        thing = "run" if endpoint == "runs.get" else "automation"
        assert (body["code"], body["error"]) == ("not_found", f"{thing}.not_found")
        assert "not found" in body["message"]


async def test_a_definition_with_faults_is_refused_with_all_of_them_and_nothing_is_stored(
    shared: EngineFixture,
) -> None:
    total = (await shared.call("automations.list"))["total"]
    bad = {"name": "", "triggers": [], "actions": [{"action": "test.nope"}, {"delay": {}}]}
    body = await refused(shared, "automations.create", name="A", definition=bad)
    places = {".".join(str(part) for part in issue["path"]) for issue in body["issues"]}
    assert {"name", "triggers", "actions.0.action", "actions.1.delay"} <= places
    assert body["error"] == "definition.invalid"
    assert (await shared.call("automations.list"))["total"] == total


@pytest.mark.parametrize("body", [b"[]", b"{", b"5", b"null", b'{"limit": 0}', b'{"limt": 1}'])
async def test_a_request_of_the_wrong_shape_is_a_bad_request(
    shared: EngineFixture, body: bytes
) -> None:
    reply = await bus.ApiClient(shared.connection).request("automations.list", body, LIMIT_SECONDS)
    assert reply.error_code == "400"
    fault = msgspec.json.decode(reply.body, type=Fault)
    assert (fault.code, fault.error) == ("bad_request", "request.invalid")


async def test_validate_says_every_fault_with_line_and_column_of_a_source(
    shared: EngineFixture,
) -> None:
    source = "name: x\ntriggers:\n  - event: e\nmode: never\nactions:\n  - stop: {eror: true}\n"
    verdict = await shared.call("automations.validate", source=source)
    found = {(".".join(map(str, e["path"])), e["line"], e["column"]) for e in verdict["errors"]}
    assert ("mode", 4, 1) in found
    assert any(place == "actions.0.stop" and line == 6 for place, line, _ in found)
    assert await shared.call("automations.validate", definition=SAMPLE) == {
        "valid": True, "errors": [], "warnings": [],
    }  # fmt: skip


async def test_lists_are_pages_by_creation_with_the_total_of_all(shared: EngineFixture) -> None:
    group = "paging"
    ids = [
        (await shared.call("automations.create", name=n, group=group, definition=SAMPLE))["id"]
        for n in "abc"
    ]
    page = await shared.call("automations.list", group=group, limit=2)
    assert ([item["id"] for item in page["items"]], page["total"]) == (ids[:2], 3)
    page = await shared.call("automations.list", group=group, limit=2, offset=2)
    assert [item["id"] for item in page["items"]] == ids[2:]
    await shared.call("automations.toggle", id=ids[0], enabled=False)
    page = await shared.call("automations.list", group=group, status="disabled")
    assert [item["id"] for item in page["items"]] == ids[:1]


async def test_the_cursor_of_runs_stays_right_while_runs_arrive(shared: EngineFixture) -> None:
    automation = await shared.automation([record("x")])
    for _ in range(5):
        await automation.run()
    all_ids = [
        run["id"] for run in (await shared.call("runs.list", automation_id=automation.id))["items"]
    ]
    page = await shared.call("runs.list", automation_id=automation.id, limit=2)
    seen = [run["id"] for run in page["items"]]
    while page.get("next_cursor"):
        await automation.run()
        page = await shared.call(
            "runs.list", automation_id=automation.id, limit=2, cursor=page["next_cursor"]
        )
        seen += [run["id"] for run in page["items"]]
    assert seen == all_ids


async def test_a_change_is_in_force_for_every_event_published_after_the_reply(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation([record("v0")])
    for version in range(1, 20):
        stored = await shared.call("automations.get", id=automation.id)
        actions = [record(f"v{version}")]
        definition = {**stored["definition"], "actions": actions}
        await shared.call("automations.update", id=automation.id, definition=definition)
        assert (await automation.run()).recorded == [f"v{version}"]


async def test_a_disabled_automation_starts_nothing_and_an_enabled_one_does_again(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation([record("x")])
    witness = await shared.automation([record("y")], event=automation.event)
    await shared.call("automations.toggle", id=automation.id, enabled=False)
    await witness.run()
    assert (await shared.call("runs.list", automation_id=automation.id))["total"] == 0
    await shared.call("automations.toggle", id=automation.id, enabled=True)
    await automation.run()


async def test_deleting_an_automation_cancels_its_runs_and_removes_its_history(
    shared: EngineFixture,
) -> None:
    action, release = holding(shared)
    automation = await shared.automation([action, record("never")])
    await shared.publish(automation.event, {})
    started = await shared.heard(automation.id, "started")
    await shared.call("automations.delete", id=automation.id)
    cancelled = await shared.heard(automation.id, "cancelled")
    assert cancelled.data.run_id == started.data.run_id
    assert cancelled.data.seq == 2 or cancelled.data.seq > started.data.seq
    release.set()
    assert (await refused(shared, "runs.get", id=started.data.run_id))["code"] == "not_found"
    # The walk that was in its action finds that the run is no longer its own, and writes nothing.
    assert not [r for r in shared.recorder.records if r.run_id == started.data.run_id]


async def test_an_automation_made_anew_under_the_id_of_a_deleted_one_is_the_new_one(
    shared: EngineFixture,
) -> None:
    for value in ("first", "second"):
        definition = {
            "name": "again",
            "triggers": [{"event": "e.again"}],
            "mode": "parallel",
            "actions": [record(value)],
        }
        made = await shared.call("automations.create", id="again", name="x", definition=definition)
        automation = Stored(shared, made["id"], "e.again", ended=len(shared.finals("again")))
        assert (await automation.run()).recorded == [value]
        await shared.call("automations.delete", id="again")


async def test_who_changed_an_automation_is_kept(shared: EngineFixture) -> None:
    request = msgspec.json.encode({"name": "A", "definition": SAMPLE})
    actor = '{"type": "user", "id": "u1", "name": "Ada"}'
    reply = await bus.ApiClient(shared.connection).request(
        "automations.create", request, LIMIT_SECONDS, {"Lockstep-Actor": actor}
    )
    made = msgspec.json.decode(reply.body)
    assert made["updated_by"] == {"type": "user", "id": "u1", "name": "Ada"}
