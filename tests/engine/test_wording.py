"""What people read: deadlines that are not over, paths as people write them, names of levels."""

import asyncio
import os
import pty
import sys

import pytest

from engine.engine_fixture import EngineFixture
from engine.shell import Shell, definition, unique
from lockstep.settings.load import load
from patience import patience

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_deadline_that_is_not_over_does_not_read_as_one_that_is(
    shared: EngineFixture, shell: Shell
) -> None:
    automation = await shared.automation([{"delay": {"seconds": 600}}], max_duration_seconds=3600)
    run = await shared.call("runs.start", automation_id=automation.id)
    waits = (await shared.call("runs.get", id=run["run_id"]))["waits"]
    (deadline,) = [one for one in waits if one["kind"] == "deadline"]
    assert deadline["waiting_for"].startswith("its deadline, 20")
    shown = (await shell.run("runs", "show", run["run_id"])).out
    assert "run: its deadline, " in shown
    assert "exceeded" not in shown
    await shared.call("runs.cancel", id=run["run_id"])


async def test_a_refusal_spells_a_path_as_validate_does(
    shared: EngineFixture, shell: Shell
) -> None:
    wrong = definition(unique("wrong"), actions=[{"stop": {}}, {"delay": {"hours": 1}}])
    reply = await shared.ask("automations.create", name="x", definition=wrong)
    shell.write("wrong.yaml", wrong)
    told = await shell.run("validate", "wrong.yaml", code=1)
    assert "actions[1].delay: unknown key `hours`" in told.out
    assert "actions[1].delay: unknown key `hours`" in reply.error


@pytest.mark.parametrize("level", ["warn", "warning"])
async def test_a_level_has_both_its_names(shared: EngineFixture, level: str) -> None:
    log = {"action": "automation.log", "config": {"message": "m", "level": level}}
    automation = await shared.automation([log])
    seen = await automation.run()
    assert seen.detail.run.status == "success"
    settings = load(None, {"LOCKSTEP_LOG__LEVEL": level}).settings
    assert settings.log.level == level


async def test_one_automation_is_valid_and_two_are(shell: Shell) -> None:
    shell.write("a.yaml", definition("a"))
    assert (await shell.run("validate", ".")).err == "1 automation is valid\n"
    shell.write("b.yaml", definition("b"))
    assert (await shell.run("validate", ".")).err == "2 automations are valid\n"


async def screen(shell: Shell, *arguments: str) -> list[str]:
    """What a terminal of eighty columns is sent."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", *arguments, cwd=shell.folder, stdout=theirs,
        env={**shell.variables, "COLUMNS": "80", "TERM": "xterm", "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(theirs)
    text = b""
    async with patience():
        while True:
            try:
                more = await asyncio.to_thread(os.read, ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            text += more
        assert await process.wait() == 0
    os.close(ours)
    return text.decode().splitlines()


async def test_tables_fit_a_terminal_of_eighty_columns(shared: EngineFixture, shell: Shell) -> None:
    text = "a long reason that goes on and on, well beyond what a line of a terminal takes"
    automation = await shared.automation([{"action": "test.fail", "config": {"reason": text}}])
    await automation.run()
    for command in (
        ["runs", "list", "--limit", "20"],
        ["automations", "list", "--limit", "20"],
        ["dead", "list"],
        ["parked", "list"],
        ["versions", automation.id],
        ["catalog", "triggers"],
    ):
        assert max(map(len, await screen(shell, *command))) <= 80, command
    listed = await screen(shell, "runs", "list", "--automation", automation.id)
    short = listed[1].split()[0]
    assert " ".join(" ".join(listed).split()).count(text) == 1
    shown = (await shell.run("runs", "show", short, "--json")).json
    assert shown["run"]["automation_id"] == automation.id
