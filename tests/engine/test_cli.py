"""The command line, as people and programs use it: a process of its own, against a whole engine."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture
from engine.shell import Json, Shell, closed_port, definition, stored, unique
from engine.test_sleep import lend
from lockstep.model.types import ActionContext, ActionResult
from patience import patience

pytestmark = pytest.mark.asyncio(loop_scope="session")

# validate


async def test_validate_says_yes_to_good_files(shell: Shell) -> None:
    shell.write("a.yaml", definition("a"))
    shell.write("b.yaml", {"id": "b", "definition": definition("b")})
    told = await shell.run("validate", ".")
    assert "2 automations" in told.out + told.err


async def test_validate_says_place_and_hint_of_every_fault(shell: Shell) -> None:
    shell.write(
        "bad.yaml",
        "name: bad\ntriggers:\n  - event: a.b\nactions:\n  - stop: {}\n    enabeld: no\n",
    )
    shell.write("worse.yaml", "name: [")
    told = await shell.run("validate", "bad.yaml", "worse.yaml", code=1)
    assert "bad.yaml:6:5: actions[0]: unknown key `enabeld` (did you mean `enabled`?)" in told.out
    assert "worse.yaml:1:8: no YAML" in told.out
    assert (await shell.run("validate", "--json", ".", code=1)).json["valid"] is False


async def test_validate_of_nothing_is_a_failure(shell: Shell) -> None:
    told = await shell.run("validate", ".", code=1)
    assert "no automation" in told.err


# apply


async def test_apply_creates_then_keeps_then_updates_and_shows_what_changed(
    shared: EngineFixture, shell: Shell
) -> None:
    name = f"{unique('applied')} [x] :b:"
    first = definition(name)
    shell.write("a.yaml", first)
    assert f"+ {name}" in (await shell.run("apply", "a.yaml")).out
    (one,) = await stored(shared, name)
    assert (one["version"], one["managed_by"], one["status"]) == (1, "apply", "enabled")
    assert f"= {name}" in (await shell.run("apply", "a.yaml")).out
    assert (await stored(shared, name))[0]["updated_at"] == one["updated_at"]
    shell.write("a.yaml", {**first, "actions": [{"stop": {"reason": "enough"}}]})
    told = await shell.run("apply", "a.yaml")
    assert f"~ {name}" in told.out
    assert "definition.actions[0].stop.reason" in told.out
    assert '"enough"' in told.out
    assert (await stored(shared, name))[0]["version"] == 2


async def test_apply_keeps_a_disabled_automation_disabled(
    shared: EngineFixture, shell: Shell
) -> None:
    name = unique("disabled")
    shell.write("a.yaml", first := definition(name))
    await shell.run("apply", "a.yaml")
    (one,) = await stored(shared, name)
    await shared.call("automations.toggle", id=one["id"], enabled=False)
    shell.write("a.yaml", {**first, "actions": [{"stop": {"reason": "later"}}]})
    await shell.run("apply", "a.yaml")
    (one,) = await stored(shared, name)
    assert (one["status"], one["version"]) == ("disabled", 2)


async def test_a_dry_run_changes_nothing_and_says_so(shared: EngineFixture, shell: Shell) -> None:
    name = unique("dry")
    shell.write("a.yaml", definition(name))
    told = await shell.run("apply", "--dry-run", "a.yaml")
    assert f"+ {name}" in told.out
    assert "nothing was changed" in told.err
    assert await stored(shared, name) == []


async def test_prune_deletes_only_what_was_applied(shared: EngineFixture, shell: Shell) -> None:
    kept, gone = unique("kept"), unique("gone")
    by_hand = await shared.automation([{"stop": {}}])
    shell.write("kept.yaml", definition(kept))
    shell.write("gone.yaml", definition(gone))
    await shell.run("apply", ".")
    (shell.folder / "gone.yaml").unlink()
    told = await shell.run("apply", "--prune", ".")
    assert f"- {gone}" in told.out
    assert await stored(shared, gone) == []
    assert len(await stored(shared, kept)) == 1
    assert (await shared.call("automations.get", id=by_hand.id))["id"] == by_hand.id


async def test_one_wrong_document_among_good_ones_applies_nothing(
    shared: EngineFixture, shell: Shell
) -> None:
    name = unique("good")
    shell.write("a.yaml", definition(name))
    shell.write("b.yaml", definition(unique("bad"), actions=[{"action": "no.such"}]))
    told = await shell.run("apply", ".", code=1)
    assert "b.yaml:1:" in told.err
    assert "unknown action 'no.such'" in told.err
    assert "nothing was applied" in told.err
    assert await stored(shared, name) == []


async def test_wrong_frames_among_good_documents_apply_nothing(
    shared: EngineFixture, shell: Shell
) -> None:
    name = unique("good")
    shell.write("a.yaml", definition(name))
    wrong: Json = {"status": "enabeld", "id": "a b", "name": ""}
    for key, value in wrong.items():
        shell.write(f"{key}.yaml", {key: value, "definition": definition(unique("bad"))})
    told = await shell.run("apply", ".", code=1)
    for key in wrong:
        assert f"{key}.yaml:1:2: {key}: " in told.err
    assert await stored(shared, name) == []


async def test_two_documents_of_one_name_apply_nothing(shared: EngineFixture, shell: Shell) -> None:
    name = unique("twice")
    shell.write("a.yaml", definition(name))
    shell.write("b.yaml", definition(name))
    told = await shell.run("apply", ".", code=1)
    assert "b.yaml:1:" in told.err
    assert "a.yaml:1" in told.err
    assert await stored(shared, name) == []


async def test_apply_tells_programs_what_it_did(shell: Shell) -> None:
    name = unique("told")
    shell.write("a.yaml", {"id": name, "definition": definition(name)})
    (change,) = (await shell.run("apply", "--json", "a.yaml")).json["changes"]
    assert (change["change"], change["id"], change["name"]) == ("created", name, name)


# publish


async def test_a_published_event_starts_a_run_and_its_id_counts_once(
    shared: EngineFixture, shell: Shell
) -> None:
    automation = await shared.automation(
        [{"action": "test.record", "id": "r", "config": {"value": "{{ trigger.payload.n }}"}}]
    )
    shell.write("payload.json", {"n": 7})
    options = ["--payload", "@payload.json", "--message-id", unique("m"), "--json"]
    told = (await shell.run("publish", automation.event, *options)).json
    assert told["duplicate"] is False
    assert told["subject"].endswith(automation.event)
    (run_id,) = await shared.ended(automation.id, 1)
    assert (await automation.seen(run_id)).recorded == ["7"]
    assert (await shell.run("publish", automation.event, *options)).json["duplicate"] is True


async def test_publish_makes_up_an_id_and_says_it(shell: Shell) -> None:
    event = f"a:b:{uuid4().hex}"
    assert "published" in (await shell.run("publish", event)).out


# runs


async def test_a_run_is_listed_and_shown_as_tree_and_as_json(
    shared: EngineFixture, shell: Shell
) -> None:
    text = "no [x] :b: here"
    automation = await shared.automation(
        [
            {"choose": [{"when": "true", "sequence": [{"variables": {"a": 1}}]}]},
            {"action": "test.fail", "config": {"reason": text}},
        ]
    )
    seen = await automation.run()
    run_id = seen.detail.run.id
    told = await shell.run("runs", "list", "--automation", automation.id)
    assert run_id in told.out
    assert text in told.out
    listed = (await shell.run("runs", "list", "--automation", automation.id, "--json")).json
    assert [item["id"] for item in listed["items"]] == [run_id]
    lines = (await shell.run("runs", "show", run_id)).out.splitlines()
    (inner,) = [line for line in lines if "choose[0].sequence[0]" in line]
    (outer,) = [line for line in lines if "actions[1]" in line]
    assert inner.index("choose") > outer.index("actions")
    assert text in outer
    detail = (await shell.run("runs", "show", run_id, "--json")).json
    assert detail["run"]["status"] == "failed"
    assert len(detail["steps"]) == 3


async def test_a_run_that_nobody_knows_is_an_error_that_names_it(shell: Shell) -> None:
    for command in ("show", "watch"):
        assert "no-such-run" in (await shell.run("runs", command, "no-such-run", code=1)).err


@pytest.mark.parametrize(("action", "code"), [("record", 0), ("fail", 1)])
async def test_the_watch_of_an_ended_run_leaves_with_its_outcome(
    shared: EngineFixture, shell: Shell, action: str, code: int
) -> None:
    config = {"value": "x"} if action == "record" else {"reason": "x"}
    automation = await shared.automation(
        [{"id": "a", "action": f"test.{action}", "config": config}]
    )
    seen = await automation.run()
    await shell.run("runs", "watch", seen.detail.run.id, code=code)


async def test_a_live_watch_tells_the_end_of_its_run(shared: EngineFixture, shell: Shell) -> None:
    followed = False

    async def fail_until_followed(_: ActionContext) -> ActionResult:
        return ActionResult(success=followed, error=None if followed else "nobody looks")

    retry = {"attempts": 100, "delay_seconds": 1, "backoff": "constant"}
    action = {"action": lend(shared, fail_until_followed), "retry": retry}
    automation = await shared.automation([action])
    await shared.publish(automation.event, {})
    run_id = (await shared.heard(automation.id, "started")).data.run_id
    async with shell.started("runs", "watch", run_id, "--json") as process, patience():
        assert process.stdout is not None
        first = await process.stdout.readline()  # that it is tried again: it is followed now
        followed = True
        rest, _ = await process.communicate()
    assert [json.loads(line)["type"] for line in (first + rest).splitlines()][-2:] == [
        "lockstep.run.step_succeeded",
        "lockstep.run.succeeded",
    ]


# The rest


async def test_an_automation_is_listed_and_shown_by_name_and_by_id(shell: Shell) -> None:
    name = unique("Shown [x]")
    identifier = unique("shown")
    shell.write("a.yaml", {"id": identifier, "definition": definition(name)})
    await shell.run("apply", "a.yaml")
    listed = (await shell.run("automations", "list", "--limit", "100000")).out
    assert identifier in listed
    assert name in listed
    told = await shell.run("automations", "show", name)
    assert name in told.out
    assert "triggers:" in told.out
    shown = (await shell.run("automations", "show", identifier, "--json")).json
    assert (shown["id"], shown["name"]) == (identifier, name)
    assert "nobody" in (await shell.run("automations", "show", "nobody", code=1)).err


async def test_what_show_prints_can_be_applied_again(shell: Shell) -> None:
    name = unique("again")
    shell.write("a.yaml", definition(name, description="yes: [no]\nmore"))
    await shell.run("apply", "a.yaml")
    shell.write("b.yaml", (await shell.run("automations", "show", name)).out)
    assert f"= {name}" in (await shell.run("apply", "b.yaml")).out


async def test_config_tells_programs_every_value_and_its_source(shell: Shell) -> None:
    told = (await shell.run("config", "--json")).json
    assert "LOCKSTEP_NATS__SERVERS" in told["nats.servers"]["source"]
    assert told["engine.max_walks"] == {"value": 256, "source": "default"}


async def test_db_status_of_a_migrated_database_is_good(shell: Shell) -> None:
    assert "missing" not in (await shell.run("db", "status")).out
    assert (await shell.run("db", "status", "--json")).json["missing"] == []


@pytest.mark.parametrize("command", [("apply", "a.yaml"), ("publish", "a.b")])
async def test_without_nats_a_command_fails_in_one_line_and_waits_for_no_server(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    url = f"nats://127.0.0.1:{closed_port()}"
    shell = Shell(tmp_path, {"LOCKSTEP_NATS__SERVERS": url})
    shell.write("a.yaml", definition("a"))
    told = await shell.run(*command, code=1)
    assert url in told.err
    assert len(told.err.splitlines()) == 1
    assert told.out == ""


async def test_without_postgres_db_status_fails_in_one_line_and_waits_for_no_server(
    tmp_path: Path,
) -> None:
    dsn = f"postgresql://ada:hunter2@127.0.0.1:{closed_port()}/x"
    shell = Shell(tmp_path, {"LOCKSTEP_POSTGRES__DSN": dsn})
    told = await shell.run("db", "status", code=1)
    assert "PostgreSQL" in told.err
    assert "hunter2" not in told.err
    assert len(told.err.splitlines()) == 1


async def test_where_no_engine_runs_a_command_says_so(
    shared: EngineFixture, tmp_path: Path
) -> None:
    settings = {
        "LOCKSTEP_NATS__SERVERS": ",".join(shared.settings.nats.servers),
        "LOCKSTEP_NATS__PREFIX": unique("nobody"),
    }
    told = await Shell(tmp_path, settings).run("runs", "list", code=1)
    assert len(told.err.splitlines()) == 1
