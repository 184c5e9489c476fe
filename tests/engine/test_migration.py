"""The import of webhook subscriptions: done once however often, and what fails is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from engine.test_cli import Shell
from lockstep import bus
from lockstep.cases.migration import action_types
from lockstep.embedded import Servers
from lockstep_schemas.migration import MANAGED_BY
from lockstep_schemas.run_events import AutomationEvent
from patience import LIMIT_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
_numbers = count(1)


def subscription(**changes: object) -> Json:
    """A subscription that no other test uses."""
    number = next(_numbers)
    return {
        "id": f"sub-{number}",
        "name": f"Subscription {number}",
        "providerId": "integration-webhook.webhook",
        "providerConfig": {"url": "https://example.com/hook"},
        "eventId": f"migrated.n{number}",
        "enabled": True,
        **changes,
    }


def unknown(**changes: object) -> Json:
    """A subscription of a provider that nobody knows."""
    return subscription(providerId="made-up.provider", **changes)


@pytest.fixture
def office(shared: EngineFixture) -> Iterator[EngineFixture]:
    """The fixture, with an engine that knows the actions of the integrations."""
    undo = [shared.assembly.knowledge.catalog.override_action(kind) for kind in action_types()]
    yield shared
    for put_back in reversed(undo):
        put_back()


@pytest_asyncio.fixture(loop_scope="session")
async def replicas(servers: Servers, dsn: str) -> AsyncIterator[list[EngineFixture]]:
    """Two engines on one store and bus."""
    settings = settings_of(servers.nats_url, dsn, f"m{uuid4().hex[:10]}")
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(engine_fixture(settings)) for _ in range(2)]
        for one in opened:
            for kind in action_types():
                one.assembly.knowledge.catalog.override_action(kind)
        yield opened


async def import_(engine_fixture: EngineFixture, *some: object) -> tuple[int, int, int]:
    """Import; give how many were migrated, skipped and failed."""
    done = await engine_fixture.call("migration.import", subscriptions=some)
    assert done["total"] == len(some)
    return done["migrated"], done["skipped"], done["failed"]


async def stored(engine_fixture: EngineFixture, of: Json) -> list[Json]:
    """The automations of a subscription."""
    found: list[Json] = []
    while True:
        page = await engine_fixture.call("automations.list", limit=200, offset=len(found))
        found += page["items"]
        if len(found) >= page["total"] or not page["items"]:
            return [one for one in found if one["managed_by"] == MANAGED_BY + of["id"]]


async def failures(engine_fixture: EngineFixture, *ids: str) -> list[Json]:
    """The failures that are listed of these subscriptions."""
    page = await engine_fixture.call("migration.failures")
    assert page["total"] == len(page["items"])
    return [one for one in page["items"] if one["id"] in ids]


async def test_an_import_stores_automations_that_are_announced_and_in_force(
    office: EngineFixture,
) -> None:
    on, off = subscription(systemFilter=["a", 'b"']), subscription(enabled=False)
    actor = json.dumps({"type": "user", "id": "ada"})
    body = json.dumps({"subscriptions": [on, off]}).encode()
    async with bus.follow(office.connection, office.connection.names.automation("*", "*")) as feed:
        client = bus.ApiClient(office.connection)
        reply = await client.request(
            "migration.import", body, LIMIT_SECONDS, {"Lockstep-Actor": actor}
        )
        assert json.loads(reply.body) == {"total": 2, "migrated": 2, "skipped": 0, "failed": 0}
        told = []
        async for note in feed:
            told.append(msgspec.json.decode(note.body, type=AutomationEvent))
            if len(told) == 2:
                break
    assert [(one.type, one.data.name) for one in told] == [
        ("lockstep.automation.created", on["name"]), ("lockstep.automation.created", off["name"]),
    ]  # fmt: skip
    (first,), (second,) = await stored(office, on), await stored(office, off)
    assert (first["status"], second["status"]) == ("enabled", "disabled")
    assert (first["updated_by"]["id"], first["version"]) == ("ada", 1)
    for system in ("other", 'b"'):
        await office.publish(on["eventId"], {"systemId": system})
    await office.ended(first["id"], 1)
    page = await office.call("runs.list", automation_id=first["id"])
    assert [run["trigger_payload"] for run in page["items"]] == [{"systemId": 'b"'}]


async def test_an_import_that_is_repeated_skips_what_is_there_even_if_it_was_changed(
    office: EngineFixture,
) -> None:
    one, other = subscription(), subscription()
    assert await import_(office, one) == (1, 0, 0)
    (before,) = await stored(office, one)
    await office.call("automations.update", id=before["id"], name="Renamed", status="disabled")
    changed = {**one, "providerId": "made-up.provider", "name": ""}
    assert await import_(office, changed, other, other) == (1, 2, 0)
    (after,) = await stored(office, one)
    assert (after["id"], after["name"], after["status"]) == (before["id"], "Renamed", "disabled")
    assert await failures(office, one["id"]) == []


async def test_one_whose_automation_was_deleted_is_imported_anew(office: EngineFixture) -> None:
    one = subscription()
    await import_(office, one)
    (automation,) = await stored(office, one)
    await office.call("automations.delete", id=automation["id"])
    assert await import_(office, one) == (1, 0, 0)


async def test_a_failure_is_told_with_all_that_helps_and_holds_up_no_other(
    office: EngineFixture,
) -> None:
    wrong = unknown(name="Pager", providerConfig={"url": "x", "n": [1, None]})
    assert await import_(office, wrong, subscription()) == (1, 0, 1)
    (failure,) = await failures(office, wrong["id"])
    assert failure.pop("failed_at").startswith("20")
    assert failure.pop("detail").startswith("'made-up.provider'")
    assert failure == {
        "id": wrong["id"],
        "name": "Pager",
        "provider": "made-up.provider",
        "event": wrong["eventId"],
        "reason": "unsupported provider",
        "config": {"url": "x", "n": [1, None]},
    }


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"name": ""}, "name:"),
        ({"name": "x" * 201}, "name:"),
        ({"eventId": "no event"}, "triggers[0].event"),
        ({"eventId": ""}, "triggers[0].event"),
        ({"eventId": "automation.cron"}, "triggers[0].config"),
        ({"providerConfig": {}}, "actions[0].config.url: `url` is missing"),
        ({"providerConfig": {"url": "{{ x | nope }}"}}, "actions[0].config.url"),
        ({"providerConfig": {"url": "x", "bodyTemplate": "{{ x"}}, "actions[0].config.body"),
        ({"providerConfig": {"url": 5}}, "actions[0].config.url"),
        (
            {"providerId": "integration-jira.jira"},
            "actions[0].config.summary: `summary` is missing",
        ),
    ],
)
async def test_a_result_that_does_not_validate_is_a_failure_and_nothing_is_stored(
    office: EngineFixture, changes: Json, detail: str
) -> None:
    wrong = subscription(**changes)
    assert await import_(office, wrong) == (0, 0, 1)
    (failure,) = await failures(office, wrong["id"])
    assert failure["reason"] == "invalid definition"
    assert detail in failure["detail"]
    assert await stored(office, wrong) == []


async def test_where_the_integration_is_not_there_the_failure_names_its_action(
    shared: EngineFixture,
) -> None:
    wrong = subscription()
    assert await import_(shared, wrong) == (0, 0, 1)
    (failure,) = await failures(shared, wrong["id"])
    assert "unknown action 'integration-webhook.send'" in failure["detail"]


async def test_what_the_store_refuses_is_a_failure_too(office: EngineFixture) -> None:
    wrong = subscription(name="zero \0 byte", description="\0")
    assert await import_(office, wrong) == (0, 0, 1)
    (failure,) = await failures(office, wrong["id"])
    assert (failure["reason"], failure["name"]) == ("refused insert", "zero \ufffd byte")
    assert await stored(office, wrong) == []


async def test_what_is_no_subscription_at_all_is_one_failure_each(office: EngineFixture) -> None:
    odd = [None, 5, "x", [], {}, {"id": 7, "name": ["a"], "providerConfig": "c"}]
    before = {one["id"] for one in (await office.call("migration.failures"))["items"]}
    assert await import_(office, *odd, subscription()) == (1, 0, 6)
    assert await import_(office, *odd) == (0, 0, 6)
    items = (await office.call("migration.failures"))["items"]
    found = [one for one in items if one["id"] not in before]
    assert [one["config"] for one in found] == [None, 5, "x", [], None, "c"]
    assert {one["reason"] for one in found} == {"invalid subscription"}
    assert all(one["id"].startswith("unnamed-") for one in found)


async def test_one_that_fails_again_has_one_row_that_says_why_it_failed_last(
    office: EngineFixture,
) -> None:
    wrong = unknown()
    await import_(office, wrong)
    (first,) = await failures(office, wrong["id"])
    await import_(office, {**wrong, "providerId": "other.one"}, {**wrong, "providerId": 5})
    (second,) = await failures(office, wrong["id"])
    assert (second["reason"], second["provider"]) == ("invalid subscription", None)
    assert second["failed_at"] > first["failed_at"]


async def test_a_failure_is_gone_once_the_subscription_has_its_automation(
    office: EngineFixture,
) -> None:
    wrong, by_hand = unknown(), unknown()
    await import_(office, wrong, by_hand)
    assert len(await failures(office, wrong["id"], by_hand["id"])) == 2
    assert await import_(office, {**wrong, "providerId": "integration-webhook.webhook"}) == (
        1,
        0,
        0,
    )
    definition = {"name": "n", "triggers": [{"event": "e.x"}]}
    mark = MANAGED_BY + by_hand["id"]
    await office.call("automations.create", name="n", definition=definition, managed_by=mark)
    assert await import_(office, by_hand) == (0, 1, 0)
    assert await failures(office, wrong["id"], by_hand["id"]) == []


async def test_an_acknowledged_failure_is_listed_no_more_until_it_fails_again(
    office: EngineFixture,
) -> None:
    wrong = unknown(id='odd "id"\n')
    await import_(office, wrong)
    for _ in range(2):
        assert await office.call("migration.acknowledge", id=wrong["id"]) == {"success": True}
        assert await failures(office, wrong["id"]) == []
    await import_(office, wrong)
    assert len(await failures(office, wrong["id"])) == 1


@pytest.mark.parametrize("wanted", ["missing", "", "x" * 300, "a/b"])
async def test_a_failure_that_is_not_there_is_not_found(office: EngineFixture, wanted: str) -> None:
    reply = await office.ask("migration.acknowledge", id=wanted)
    assert reply.error_code == "404"
    assert reply.error.startswith(f"migration failure '{wanted[:100]}")
    assert len(reply.error) < 300


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"subscriptions": {}},
        {"subscriptions": None},
        {"subscriptions": [None] * 501},
        {"subscriptions": [], "more": 1},
    ],
)
async def test_a_request_of_the_wrong_shape_or_with_too_many_is_refused(
    office: EngineFixture, request_: Json
) -> None:
    assert (await office.ask("migration.import", **request_)).error_code == "400"


async def test_nothing_to_import_is_done_at_once(office: EngineFixture) -> None:
    assert await import_(office) == (0, 0, 0)


async def test_a_list_of_failures_is_paged_and_its_pages_fit_into_a_reply(
    replicas: list[EngineFixture],
) -> None:
    first = replicas[0]
    some = [unknown(providerConfig={"script": "x" * 100_000}) for _ in range(9)]
    some.append(unknown(providerConfig={"script": "x" * 200_000}))
    for one in some:
        assert await import_(first, one) == (0, 0, 1)
    pages, found = 0, list[Json]()
    while len(found) < len(some):
        page = await first.call("migration.failures", offset=len(found))
        assert page["total"] == len(some)
        assert page["items"]
        found += page["items"]
        pages += 1
    assert pages > 1
    assert [one["id"] for one in found] == [one["id"] for one in some]
    assert found[0]["config"] == some[0]["providerConfig"]
    assert (found[-1]["config"], found[-1]["reason"]) == (None, "invalid subscription")
    two = await first.call("migration.failures", limit=2, offset=1)
    assert [one["id"] for one in two["items"]] == [one["id"] for one in some[1:3]]


async def test_imports_at_the_same_time_on_several_replicas_make_one_automation_each(
    replicas: list[EngineFixture], dsn: str
) -> None:
    some = [subscription() for _ in range(12)]
    answers = await asyncio.gather(
        *(answer(replica, some[::step]) for replica in replicas for step in (1, -1, 1, -1))
    )
    assert sum(done["migrated"] for done in answers) == len(some)
    assert sum(done["skipped"] for done in answers) == 7 * len(some)
    assert sum(done["failed"] for done in answers) == 0
    found = await rows(dsn, "select managed_by, count(*) from automations group by 1")
    assert sorted(row["managed_by"] for row in found) == sorted(MANAGED_BY + s["id"] for s in some)
    assert {row["count"] for row in found} == {1}


async def test_of_a_failure_and_a_success_at_the_same_time_no_failure_is_left(
    replicas: list[EngineFixture], dsn: str
) -> None:
    right = [subscription() for _ in range(12)]
    wrong = [{**one, "providerId": "made-up.provider"} for one in right]
    answers = await asyncio.gather(
        *(answer(replica, some) for replica in replicas for some in (wrong, right))
    )
    assert sum(done["migrated"] for done in answers) == len(right)
    assert await rows(dsn, "select * from migration_failures") == []


async def answer(replica: EngineFixture, some: Sequence[Json]) -> Json:
    """Have one replica, not any, import."""
    handle = replica.endpoints["migration.import"]
    reply = await handle(json.dumps({"subscriptions": [*some]}).encode(), {})
    assert not reply.error_code
    done: Json = json.loads(reply.body)
    return done


async def test_the_command_imports_a_file_shows_what_failed_and_ends_with_1(
    office: EngineFixture, tmp_path: Path
) -> None:
    shell = shell_of(office, tmp_path)
    right, wrong = [subscription() for _ in range(60)], unknown(name="Pager")
    shell.write("all.json", [*right, wrong, None])
    told = await shell.run("migrate-subscriptions", "all.json", "--json", code=1)
    listed = told.json["failures"]
    assert {**told.json, "failures": len(listed)} == {
        "total": 62, "migrated": 60, "skipped": 0, "failed": 2, "failures": 2,
    }  # fmt: skip
    assert wrong["id"] in {one["id"] for one in listed}
    people = await shell.run("migrate-subscriptions", "all.json", code=1)
    assert "62 subscriptions: 0 migrated, 60 skipped, 2 failed" in people.out
    (line,) = [one for one in people.out.splitlines() if one.startswith(f"{wrong['id']} ")]
    assert "unsupported provider: 'made-up.provider'" in line
    yaml = "subscriptions:\n" + "".join(f"  - {json.dumps(one)}\n" for one in right)
    shell.write("right.yaml", yaml)
    again = await shell.run("migrate-subscriptions", "right.yaml")
    assert again.out == "60 subscriptions: 0 migrated, 60 skipped, 0 failed\n"


async def test_failures_are_listed_and_acknowledged_from_the_command_line(
    office: EngineFixture, tmp_path: Path
) -> None:
    shell = shell_of(office, tmp_path)
    some = [unknown() for _ in range(3)]
    await import_(office, *some)
    ids = [one["id"] for one in some]
    listed = (await shell.run("migration", "failures", "--json")).json
    assert set(ids) <= {one["id"] for one in listed["items"]}
    assert some[0]["name"] in (await shell.run("migration", "failures")).out
    told = await shell.run("migration", "acknowledge", ids[0], "none", code=1)
    assert (told.out, "'none' not found" in told.err) == ("1 failure acknowledged\n", True)
    assert [one["id"] for one in await failures(office, *ids)] == ids[1:]
    await shell.run("migration", "acknowledge", "--all", "--json")
    assert (await office.call("migration.failures"))["total"] == 0
    await shell.run("migration", "acknowledge", code=2)
    await shell.run("migration", "acknowledge", "--all", ids[0], code=2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\n", "a list is expected"),
        ("subscriptions: {}\n", "a list is expected"),
        ("[1,\n  {\n", "file.yaml:"),
        ("- a: 1\n  a: 2\n", "file.yaml:2:"),
        ("", "file.yaml:1:1"),
        (json.dumps([{"id": "big", "x": "x" * 600_000}]), "'big' has"),
    ],
)
async def test_a_file_of_something_else_is_refused_with_its_place(
    office: EngineFixture, tmp_path: Path, text: str, told: str
) -> None:
    shell = shell_of(office, tmp_path)
    shell.write("file.yaml", text)
    assert told in (await shell.run("migrate-subscriptions", "file.yaml", code=1)).err
    assert "cannot be read" in (await shell.run("migrate-subscriptions", "none", code=1)).err


def shell_of(engine_fixture: EngineFixture, folder: Path) -> Shell:
    """A shell whose settings are those of the engine."""
    variables = {
        "LOCKSTEP_NATS__SERVERS": ",".join(engine_fixture.settings.nats.servers),
        "LOCKSTEP_NATS__PREFIX": engine_fixture.settings.nats.prefix,
    }
    return Shell(folder, variables)
