"""Who keeps what was applied; how automations are deleted, by files and by name."""

import asyncio
import os
import pty
import sys

import pytest

from engine.engine_fixture import EngineFixture
from engine.shell import CommandResult, Shell, definition, stored, unique
from lockstep.cli.files import documents, rollout
from lockstep.client.remote import Remote
from patience import patience

pytestmark = pytest.mark.asyncio(loop_scope="session")


def folder(shell: Shell, name: str, *names: str) -> str:
    """A folder with an automation for each name, and nothing else."""
    path = shell.folder / name
    path.mkdir(exist_ok=True)
    for old in path.iterdir():
        old.unlink()
    for one in names:
        shell.write(f"{name}/{one}.yaml", definition(one))
    return name


async def answered(shell: Shell, answer: str, *arguments: str) -> CommandResult:
    """Run a command at a terminal, and type an answer."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", *arguments, cwd=shell.folder, env=shell.variables,
        stdin=theirs, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    async with patience():
        out, err = await process.communicate()
    os.close(ours)
    return CommandResult(process.returncode or 0, out.decode(), err.decode())


async def test_two_folders_do_not_delete_what_is_the_others(
    shared: EngineFixture, shell: Shell
) -> None:
    one, two, gone, by_default = (unique(word) for word in ("one", "two", "gone", "default"))
    owner = unique("owner")
    await shell.run("apply", folder(shell, "a", one, gone), "--owner", owner)
    await shell.run("apply", folder(shell, "b", two), "--owner", f"{owner}-b", "--prune")
    await shell.run("apply", folder(shell, "c", by_default))
    (kept,) = await stored(shared, one)
    assert kept["managed_by"] == owner
    told = await shell.run("apply", folder(shell, "a", one), "--owner", owner, "--prune")
    assert f"- {gone}" in told.out
    assert "1 deleted" in told.err
    assert await stored(shared, gone) == []
    for name in (one, two, by_default):
        assert len(await stored(shared, name)) == 1, name
    listed = (await shell.run("automations", "list", "--owner", owner, "--json")).json
    assert [item["name"] for item in listed["items"]] == [one]


async def test_an_automation_that_gets_another_owner_says_so(shell: Shell) -> None:
    name = unique("moved")
    await shell.run("apply", folder(shell, "a", name))
    told = await shell.run("apply", "a", "--owner", "doors")
    assert 'managed_by: "apply" → "doors"' in told.out
    assert "= " + name in (await shell.run("apply", "a", "--owner", "doors")).out
    await shell.run("apply", "a", "--owner", "", code=2)


async def test_prune_leaves_what_was_changed_since_it_was_shown(
    shared: EngineFixture, shell: Shell
) -> None:
    """People think before they confirm: another folder, or another version, may come meanwhile."""
    kept, owner = unique("kept"), unique("owner")
    gone, taken, changed = (unique(word) for word in ("gone", "taken", "changed"))
    await shell.run("apply", folder(shell, "a", kept, gone, taken, changed), "--owner", owner)
    loaded = documents.load([shell.folder / folder(shell, "a", kept)])
    remote = Remote(shared.connection)
    made = await rollout.planned(remote, loaded, prune=True, owner=owner)
    deletions = {one.name: one for one in made.changes if one.what == "delete"}
    assert deletions.keys() == {gone, taken, changed}
    ids = {name: (await stored(shared, name))[0]["id"] for name in deletions}
    await shared.call("automations.update", id=ids[taken], managed_by=f"{owner}-b")
    await shared.call("automations.update", id=ids[changed], definition=definition(changed))
    await shared.call("automations.delete", id=ids[gone])
    for name, why in ((taken, f"its owner is '{owner}-b' now"), (changed, "it has version 2 now")):
        with pytest.raises(rollout.Interrupted, match=why):
            await rollout.carry_out(remote, [deletions[name]], managed_by=owner)
        assert len(await stored(shared, name)) == 1
    await rollout.carry_out(remote, [deletions[gone]], managed_by=owner)


async def test_what_is_written_in_full_never_stands_for_another_automation(
    shared: EngineFixture, shell: Shell
) -> None:
    """A script that deletes what is gone already must not delete what begins so."""
    mark = unique("door")
    shell.write("two.yaml", {"id": f"{mark}-2", "definition": definition(f"{mark} two")})
    await shell.run("apply", "two.yaml")
    run = (await shared.call("runs.start", automation_id=f"{mark}-2"))["run_id"]
    told = await shell.run("automations", "delete", mark, "--yes", code=1)
    assert f"'{mark}-2' begins so" in told.err
    for act in (("cancel", "--yes"), ("retry", "--from", "start", "--last"), ("cancel", "--last")):
        told = await shell.run(*act, "--automation", mark, code=1)
        assert f"automation '{mark}' not found" in told.err
    assert (await shared.call("runs.list", automation_id=f"{mark}-2"))["total"] == 1
    assert (await shared.call("runs.get", id=run))["run"]["status"] == "success"
    await shell.run("automations", "delete", f"{mark}-2", "--yes")
    assert await stored(shared, f"{mark} two") == []


async def test_on_a_terminal_prune_asks_before_it_deletes(
    shared: EngineFixture, shell: Shell
) -> None:
    kept, gone, owner = unique("kept"), unique("gone"), unique("owner")
    command = ("apply", "a", "--owner", owner, "--prune")
    await shell.run("apply", folder(shell, "a", kept, gone), "--owner", owner)
    folder(shell, "a", kept)
    told = await answered(shell, "n", *command)
    assert "Delete 1 automation for good" in told.err
    assert told.code == 1
    assert len(await stored(shared, gone)) == 1
    assert (await answered(shell, "y", *command)).code == 0
    assert await stored(shared, gone) == []
    assert "Delete" not in (await answered(shell, "", *command)).err


async def test_automations_are_deleted_by_name_and_id_and_what_is_not_there_is_told(
    shared: EngineFixture, shell: Shell
) -> None:
    by_name, by_id = unique("name"), unique("id")
    await shell.run("apply", folder(shell, "a", by_name, by_id))
    (one,) = await stored(shared, by_id)
    told = await shell.run("automations", "delete", by_name, "nobody", one["id"], code=1)
    assert f"{one['id']}  {by_id}  deleted" in told.out
    assert "'nobody' not found" in told.err
    assert [await stored(shared, by_name), await stored(shared, by_id)] == [[], []]


async def test_on_a_terminal_delete_asks_first(shared: EngineFixture, shell: Shell) -> None:
    name = unique("asked")
    await shell.run("apply", folder(shell, "a", name))
    told = await answered(shell, "n", "automations", "delete", name)
    assert f"Delete 1 automation for good, with all runs: '{name}'?" in told.err
    assert told.code == 1
    assert len(await stored(shared, name)) == 1
    assert (await answered(shell, "", "automations", "delete", name, "--yes", "--json")).json[
        "items"
    ][0]["name"] == name
    assert await stored(shared, name) == []
