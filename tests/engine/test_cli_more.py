"""More of the command line: what looks at the whole, the catalog, versions, the bus."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture, rows
from engine.shell import Shell, closed_port, definition, stored, unique
from lockstep import __version__, bus
from lockstep.bus.settings import BusSettings
from lockstep.client.remote import connected
from lockstep.model.errors import Unavailable
from lockstep_schemas.api import ById
from patience import LIMIT_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="session")


# status


async def test_status_tells_people_and_programs_how_the_whole_is(
    shared: EngineFixture, shell: Shell
) -> None:
    automation = await shared.automation([{"delay": {"seconds": 3600}}])
    await shared.publish(automation.event, {})
    await shared.heard(automation.id, "waiting")
    told = (await shell.run("status", "--json")).json
    assert told["problems"] == []
    assert told["versions"]["engine"] == __version__
    assert told["versions"]["nats"].startswith("2.")
    assert int(told["versions"]["postgres"].partition(".")[0]) >= 15
    assert told["versions"]["migration"].startswith("0")
    workers = {one["id"]: one for one in told["workers"]}
    assert workers[told["answered_by"]]["alive"] is True
    assert told["runs"]["waiting"] >= 1
    assert told["waits"]["delay"] >= 1
    assert told["waits"]["sleeping"] >= 1
    assert {(one["kind"], one["name"]) for one in told["queues"]} == {
        ("events", "events"), ("alarms", "delays"), ("alarms", "waits")
    }  # fmt: skip
    shown = (await shell.run("status")).out
    for word in (__version__, told["answered_by"], "PostgreSQL", "sleep", "dead letters", "delays"):
        assert word in shown


async def test_status_counts_what_waits_in_a_stream_and_how_long(
    shared: EngineFixture, shell: Shell
) -> None:
    """The consumer group of a lane that no engine reads."""
    lane = Shell(shell.folder, {**shell.variables, "LOCKSTEP_NATS__PREFIX": unique("lag")})
    await lane.run("bus", "apply")
    await lane.run("publish", "a.b")
    settings = BusSettings(
        servers=shared.settings.nats.servers, prefix=lane.variables["LOCKSTEP_NATS__PREFIX"]
    )
    connection = await bus.connect(settings, patience_seconds=LIMIT_SECONDS)
    try:
        lag = bus.Lag(connection)
        (events, *alarms) = await lag.queues()
        assert (events.kind, events.pending, events.ack_pending) == ("events", 1, 0)
        assert events.oldest_seconds is not None
        assert 0 <= events.oldest_seconds < 60
        assert [one.oldest_seconds for one in alarms] == [None, None]
        assert await lag.dead_letters() == 0
    finally:
        await connection.close()


# catalog


@pytest.mark.parametrize(
    ("kind", "known"),
    [("triggers", "automation.cron"), ("actions", "test.record"), ("artifacts", None)],
)
async def test_the_catalog_lists_types_and_shows_one_with_its_schema(
    shell: Shell, kind: str, known: str | None
) -> None:
    listed = (await shell.run("catalog", kind, "--json")).json["items"]
    shown = (await shell.run("catalog", kind)).out
    ids = [one["qualified_id"] for one in listed]
    assert all(one in shown for one in ids)
    if known is None:
        return
    assert known in ids
    told = (await shell.run("catalog", kind, known, "--json")).json
    assert told["qualified_id"] == known
    assert known in (await shell.run("catalog", kind, known)).out


async def test_a_type_that_is_not_known_is_refused_with_what_is_near(shell: Shell) -> None:
    told = await shell.run("catalog", "actions", "test.recrod", code=1)
    assert "test.recrod" in told.err
    assert "did you mean test.record" in told.err


async def test_the_catalog_lists_filters_and_tests_with_what_they_do(shell: Shell) -> None:
    told = await shell.run("catalog", "filters", "upper", "--json")
    assert told.err == ""  # an engine has answered
    by_kind = {one["kind"]: one for one in told.json["items"]}
    assert {kind: one["usage"] for kind, one in by_kind.items()} == {
        "filter": "upper",
        "test": "is upper",
    }
    assert by_kind["filter"]["description"] == "Give a text in upper case."
    assert 'replace(old, new="", count=null)' in (await shell.run("catalog", "filters")).out
    explained = (await shell.run("catalog", "filters", "upper")).out
    assert "'open' | upper  →  \"OPEN\"" in explained
    assert "is upper  (test)" in explained
    refused = await shell.run("catalog", "filters", "truncat", code=1)
    assert "did you mean truncate" in refused.err


async def test_where_no_engine_answers_the_catalog_lists_the_filters_that_are_built_in(
    shell: Shell,
) -> None:
    nowhere = f"nats://127.0.0.1:{closed_port()}"
    told = await shell.run("--nats-url", nowhere, "catalog", "filters", "--json")
    assert nowhere in told.err
    assert "these are built in" in told.err
    assert {"upper", "older_than", "divisibleby"} <= {one["name"] for one in told.json["items"]}


async def test_schemas_for_an_editor_know_the_types_of_services(
    shared: EngineFixture, shell: Shell
) -> None:
    action = f"{unique('mail')}.send"
    fields = {"to": {"type": "string", "description": "The address."}}
    await shared.call(
        "catalog.actions.register", id=action, owner="mailer",
        config_schema={"type": "object", "properties": fields, "required": ["to"]},
    )  # fmt: skip
    event = unique("doors")
    await shared.call("catalog.triggers.register", id=event, owner="doors")
    await shell.run("schemas", "known", "--with-catalog")
    text = (shell.folder / "known/json/automation-document.schema.json").read_text()
    defs = json.loads(text)["$defs"]
    assert action in defs["ProviderAction"]["properties"]["action"]["enum"]
    assert defs[f"config.{action}"]["properties"]["to"]["description"] == "The address."
    assert event in defs["Trigger"]["properties"]["event"]["examples"]
    await shell.run("schemas", "known", "--with-catalog", "--check")


async def test_schemas_know_what_is_installed_where_no_engine_answers(shell: Shell) -> None:
    nowhere = f"nats://127.0.0.1:{closed_port()}"
    told = await shell.run("--nats-url", nowhere, "schemas", "known", "--with-catalog")
    assert "types of services are left out" in told.err
    defs = json.loads((shell.folder / "known/json/definition.schema.json").read_text())["$defs"]
    named = defs["ProviderAction"]["properties"]["action"]
    assert "automation.log" in named["examples"]
    assert "enum" not in named  # another one may be known to an engine


# versions


async def test_versions_are_listed_shown_and_compared_by_meaning(shell: Shell) -> None:
    name = unique("versions")
    first = definition(name)
    shell.write("a.yaml", first)
    await shell.run("apply", "a.yaml")
    shell.write("a.yaml", {**first, "actions": [{"stop": {"reason": "enough"}}]})
    await shell.run("apply", "a.yaml")
    listed = (await shell.run("versions", name)).out.splitlines()
    assert [line.split()[0] for line in listed[1:]] == ["v1", "v2"]
    items = (await shell.run("versions", name, "--json")).json["items"]
    assert [one["version"] for one in items] == [1, 2]
    told = (await shell.run("versions", name, "--diff", "1", "2")).out
    assert told == 'actions[0].stop.reason: nothing → "enough"\n'
    differences = (await shell.run("versions", name, "--diff", "1", "2", "--json")).json
    assert (differences["from"], differences["to"]) == (1, 2)
    assert [one["path"] for one in differences["differences"]]
    assert "enough" not in (await shell.run("versions", name, "--show", "1")).out
    assert "enough" in (await shell.run("versions", name, "--show", "2")).out
    assert "no version 9" in (await shell.run("versions", name, "--diff", "1", "9", code=1)).err
    await shell.run("versions", name, "--diff", "1", code=2)
    await shell.run("versions", name, "--diff", "1", "2", "--show", "1", code=2)


async def test_a_damaged_version_is_told_from_the_others(
    shared: EngineFixture, shell: Shell
) -> None:
    name = unique("damaged")
    for reason in ("a", "b", "c"):
        shell.write("a.yaml", {**definition(name), "actions": [{"stop": {"reason": reason}}]})
        await shell.run("apply", "a.yaml")
    damage = """
        update automation_versions set definition = '{' where version = 2
           and automation_id = (select id from automations where name = $1)
    """
    await rows(shared.settings.postgres.dsn, damage, name)
    listed = (await shell.run("versions", name)).out.splitlines()
    assert ["damaged: see --show" in line for line in listed] == [False, False, True, False]
    assert 'unreadable: "{"' in (await shell.run("versions", name, "--show", "2")).out
    assert "unreadable" in (await shell.run("versions", name, "--diff", "2", "3")).out


# retry


async def test_a_failed_run_is_retried_from_where_it_failed_or_from_its_start(
    shared: EngineFixture, shell: Shell
) -> None:
    automation = await shared.automation(
        [
            {"action": "test.record", "id": "r", "config": {"value": "once"}},
            {"action": "test.fail", "config": {"reason": "x"}},
        ]
    )
    first = (await automation.run()).detail.run.id
    told = (await shell.run("retry", first, "--json")).json
    assert (await shared.ended(automation.id, 2))[-1] == told["run_id"]
    again = (await shell.run("retry", first, "--from", "start")).out.strip()
    assert (await shared.ended(automation.id, 3))[-1] == again
    assert "no-such-run" in (await shell.run("retry", "no-such-run", code=1)).err
    await shell.run("retry", first, "--from", "middle", code=2)


# bus


async def test_bus_apply_makes_what_is_missing_and_says_it(shell: Shell) -> None:
    new = Shell(shell.folder, {**shell.variables, "LOCKSTEP_NATS__PREFIX": unique("new")})
    prefix = new.variables["LOCKSTEP_NATS__PREFIX"].upper()
    assert f"stream {prefix}_RUNS is missing" in (await new.run("bus", "status", code=1)).out
    assert f"stream {prefix}_RUNS created" in (await new.run("bus", "apply")).out
    assert (await new.run("bus", "apply", "--json")).json == {"changed": []}
    assert (await new.run("bus", "status", "--json")).json == {"missing": []}
    longer = Shell(shell.folder, {**new.variables, "LOCKSTEP_NATS__RUNS_MAX_AGE_DAYS": "9"})
    told = await longer.run("bus", "apply")
    assert f"stream {prefix}_RUNS updated: max_age is 604800 s, not 777600 s" in told.out


# apply of types


async def test_types_are_applied_before_the_automations_that_ask_for_them(
    shared: EngineFixture, shell: Shell
) -> None:
    event = f"{unique('doors')}.opened"
    kind = {"id": event, "display_name": "Opened", "payload_schema": {"type": "object"}}
    shell.write("types.yaml", {"trigger_types": [kind]})
    shell.write("a.yaml", definition(name := unique("typed"), triggers=[{"event": event}]))
    assert f"+ type {event}" in (await shell.run("apply", ".", "--dry-run")).out
    await shell.run("catalog", "triggers", event, code=1)
    told = await shell.run("apply", ".")
    assert f"+ type {event}" in told.out
    assert f"+ {name}" in told.out
    shown = (await shell.run("catalog", "triggers", event, "--json")).json
    assert (shown["owner_plugin_id"], shown["display_name"]) == ("apply", "Opened")
    assert f"= type {event}" in (await shell.run("apply", ".")).out
    shell.write("types.yaml", {"trigger_types": [{**kind, "category": "Doors"}]})
    told = await shell.run("apply", ".")
    assert f"~ type {event}" in told.out
    assert 'category: "Uncategorized" → "Doors"' in told.out


async def test_a_type_of_somebody_else_is_refused_and_nothing_is_applied(
    shared: EngineFixture, shell: Shell
) -> None:
    event = f"{unique('theirs')}.opened"
    await shared.call("catalog.triggers.register", id=event, owner="doors")
    shell.write("a.yaml", {"trigger_types": [{"id": event}]})
    shell.write("b.yaml", definition(name := unique("not-applied")))
    told = await shell.run("apply", ".", code=1)
    assert "already registered by 'doors'" in told.err
    assert await stored(shared, name) == []


async def test_prune_with_files_without_an_automation_deletes_nothing(
    shared: EngineFixture, shell: Shell
) -> None:
    shell.write("a.yaml", definition(name := unique("left")))
    await shell.run("apply", "a.yaml")
    shell.write("b.yaml", {"trigger_types": []})
    told = await shell.run("apply", "--prune", "b.yaml", code=1)
    assert "nothing was applied" in told.err
    assert len(await stored(shared, name)) == 1


# runs


async def test_runs_are_listed_page_by_page(shared: EngineFixture, shell: Shell) -> None:
    automation = await shared.automation([{"stop": {}}])
    ids = [(await automation.run()).detail.run.id for _ in range(3)]
    options = ["runs", "list", "--automation", automation.id, "--limit", "2"]
    first = (await shell.run(*options, "--json")).json
    assert [one["id"] for one in first["items"]] == ids[:0:-1]
    assert f"--cursor {first['next_cursor']}" in (await shell.run(*options)).err
    rest = (await shell.run(*options, "--json", "--cursor", first["next_cursor"])).json
    assert [one["id"] for one in rest["items"]] == ids[:1]
    assert (await shell.run(*options, "--cursor", "x", code=1)).err


async def test_a_run_that_sleeps_is_shown_with_what_it_waits_for(
    shared: EngineFixture, shell: Shell
) -> None:
    automation = await shared.automation([{"delay": {"seconds": 3600}}])
    await shared.publish(automation.event, {})
    run_id = (await shared.heard(automation.id, "waiting")).data.run_id
    told = (await shell.run("runs", "show", run_id)).out
    assert "waits for   actions[0]: " in told
    assert "until" in told
    assert "error" not in (await shell.run("cancel", run_id)).err


# What is offered at a terminal


async def test_tab_offers_ids_that_the_engine_knows(shared: EngineFixture, shell: Shell) -> None:
    automation = await shared.automation([{"stop": {}}])
    run_id = (await automation.run()).detail.run.id
    for typed, offered in {
        "runs show ": run_id,
        "automations show ": automation.id,
        "publish ": automation.event,
        "start --context-key k ": automation.id,
        "catalog actions test.": "test.record",
    }.items():
        words = {"_LOCKSTEP_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": f"lockstep {typed}"}
        told = await Shell(shell.folder, {**shell.variables, **words}).run()
        assert offered in told.out, typed


# A call that an engine does not know


async def test_an_engine_that_does_not_know_a_call_is_told_from_none(shared: EngineFixture) -> None:
    async with connected(shared.settings) as remote:
        with pytest.raises(Unavailable, match=r"does not know the call `runs\.rewind`"):
            await remote.ask("runs.rewind", ById("x"))


@pytest.mark.parametrize(
    "line",
    [
        "status", "versions x", "retry x", "catalog actions", "automations list", "runs list",
        "runs watch", "dead list", "start x", "toggle x --on", "cancel x", "why x", "bus apply",
        "bus status",
    ],
)  # fmt: skip
async def test_where_no_server_answers_every_command_says_what_was_tried_and_what_to_do(
    tmp_path: Path, line: str
) -> None:
    url = f"nats://127.0.0.1:{closed_port()}"
    told = await Shell(tmp_path, {"LOCKSTEP_NATS__SERVERS": url}).run(*line.split(), code=1)
    (said,) = told.err.splitlines()
    assert f"{url} (nats.servers, from environment LOCKSTEP_NATS__SERVERS)" in said
    assert "`lockstep dev`" in said
    assert "--nats-url" in said
    assert told.out == ""


async def test_where_only_the_engine_is_missing_a_command_says_so(shell: Shell) -> None:
    prefix = unique("empty")
    other = Shell(shell.folder, {**shell.variables, "LOCKSTEP_NATS__PREFIX": prefix})
    told = await other.run("status", code=1)
    assert "no Lockstep engine answers" in told.err
    assert f"'{prefix}': nats.prefix, from environment LOCKSTEP_NATS__PREFIX" in told.err
    assert "`lockstep serve`" in told.err
    fault = json.loads((await other.run("status", "--json", code=1)).err)
    assert (fault["code"], fault["error"]) == ("busy", "bus.no_engine")


async def test_programs_are_told_what_the_engine_refused_as_the_api_has_it(shell: Shell) -> None:
    told = await shell.run("runs", "show", run_id := str(uuid4()), "--json", code=1)
    assert json.loads(told.err) == {
        "code": "not_found",
        "error": "run.not_found",
        "message": f"run '{run_id}' not found",
    }
    assert told.out == ""
