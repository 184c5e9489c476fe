"""Ids as people type them: their beginning is enough, and `--last` is the newest run."""

from typing import Any
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture
from engine.shell import Shell, definition
from engine.test_language import record

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAIL: dict[str, Any] = {"action": "test.fail", "config": {"reason": "no"}}
WAIT: dict[str, Any] = {"delay": {"seconds": 3600}}


async def started(shared: EngineFixture, *actions: dict[str, Any], number: int = 1) -> Any:
    """An automation, and the ids of so many runs of it, newest first."""
    automation = await shared.automation([*actions])
    ids = []
    for _ in range(number):
        run = await shared.call("runs.start", automation_id=automation.id)
        ids.insert(0, run["run_id"])
    return automation, ids


def shared_beginning(ids: list[str]) -> str:
    """What several ids begin with."""
    first, last = min(ids), max(ids)
    return first[
        : next(n for n, pair in enumerate(zip(first, last, strict=True)) if len({*pair}) > 1)
    ]


async def test_the_beginning_of_an_id_stands_for_its_run(
    shared: EngineFixture, shell: Shell
) -> None:
    _, (failed,) = await started(shared, FAIL)
    for begin in (failed[:20], failed[:20].upper(), failed):
        shown = (await shell.run("runs", "show", begin, "--json")).json
        assert shown["run"]["id"] == failed
    await shell.run("runs", "watch", failed[:20], code=1)
    again = (await shell.run("retry", failed[:20], "--json")).json["run_id"]
    assert again != failed
    _, (asleep,) = await started(shared, WAIT)
    (item,) = (await shell.run("cancel", asleep[:20], "--json")).json["items"]
    assert item == {"id": asleep, "status": "cancelled"}


async def test_a_beginning_of_several_lists_them_and_does_nothing(
    shared: EngineFixture, shell: Shell
) -> None:
    automation, ids = await started(shared, WAIT, number=3)
    name = (await shared.call("automations.get", id=automation.id))["name"]
    begin = shared_beginning(ids)
    told = await shell.run("cancel", begin, code=1)
    for run_id in ids:
        assert f"{run_id}  {name}, waiting" in told.err
    for run_id in ids:
        assert (await shared.call("runs.get", id=run_id))["run"]["status"] == "waiting"
    told = await shell.run("runs", "show", begin, "--json", code=1)
    assert '"error":"id.ambiguous"' in told.err
    await shell.run("cancel", *ids)


@pytest.mark.parametrize("typed", ["0000-0000", "nope", "0", "0000000g"])
async def test_a_beginning_of_no_id_is_not_found_and_named(shell: Shell, typed: str) -> None:
    for command in (["runs", "show"], ["cancel"], ["retry"]):
        assert f"run '{typed}' not found" in (await shell.run(*command, typed, code=1)).err


async def test_last_is_the_newest_run_of_all_or_of_an_automation(
    shared: EngineFixture, shell: Shell
) -> None:
    first, (_, failed) = await started(shared, FAIL, number=2)
    second, (done,) = await started(shared, record("x"))

    async def last(*options: str) -> str:
        shown = (await shell.run("runs", "show", "--last", *options, "--json")).json
        return str(shown["run"]["id"])

    assert await last("--automation", second.id) == done
    name = (await shared.call("automations.get", id=first.id))["name"]
    assert await last("--automation", name) != failed
    again = (await shell.run("retry", "--last", "--automation", first.id, "--json")).json
    assert await last("--automation", first.id) == again["run_id"]
    await shell.run("runs", "watch", "--last", "--automation", second.id)
    told = await shell.run("cancel", "--last", "--automation", second.id, code=1)
    assert "there is no run" in told.err
    empty = await shared.automation([record("x")])
    told = await shell.run("runs", "show", "--last", "--automation", empty.id, code=1)
    assert "there is no run" in told.err


async def test_a_run_and_last_or_neither_is_wrong_use(shell: Shell) -> None:
    for command in (["runs", "show"], ["cancel"], ["retry"]):
        await shell.run(*command, code=2)
        await shell.run(*command, "0000", "--last", code=2)
        await shell.run(*command, "0000", "--automation", "x", code=2)
    await shell.run("runs", "watch", "0000", "--last", code=2)


async def test_the_beginning_of_an_id_stands_for_its_automation(
    shared: EngineFixture, shell: Shell
) -> None:
    mark = f"x{uuid4().hex[:8]}"
    for end in ("one", "two"):
        shell.write(f"{end}.yaml", {"id": f"{mark}-{end}", "definition": definition(mark + end)})
    await shell.run("apply", ".")
    shown = (await shell.run("automations", "show", f"{mark}-o", "--json")).json
    assert shown["id"] == f"{mark}-one"
    await shell.run("toggle", f"{mark}-o", "--off")
    told = await shell.run("toggle", mark, "--off", code=1)
    assert f"{mark}-one  {mark}one" in told.err
    assert f"{mark}-two  {mark}two" in told.err
    assert (await shared.call("automations.get", id=f"{mark}-two"))["status"] == "enabled"
    assert (await shell.run("automations", "show", f"{mark}one", "--json")).json["name"]
