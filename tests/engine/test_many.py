"""Acts on many: shown first, done when confirmed; what cannot be done is told, the rest done."""

import asyncio
import os
import pty
import sys
from typing import Any
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture
from engine.shell import Shell
from engine.test_dead import die
from patience import patience

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
WAIT: Json = {"delay": {"seconds": 3600}}


async def runs(shared: EngineFixture, *actions: Json, number: int = 3) -> tuple[Any, list[str]]:
    """An automation with so many runs, newest first."""
    automation = await shared.automation([*actions])
    ids = [
        (await shared.call("runs.start", automation_id=automation.id))["run_id"]
        for _ in range(number)
    ]
    return automation, ids[::-1]


async def statuses(shared: EngineFixture, ids: list[str]) -> list[str]:
    return [(await shared.call("runs.get", id=one))["run"]["status"] for one in ids]


async def total(shared: EngineFixture, automation: Any) -> int:
    page = await shared.call("runs.list", automation_id=automation.id)
    return int(page["total"])


def fail(mark: str) -> Json:
    return {"action": "test.fail", "config": {"reason": f"no light {mark}"}}


async def test_runs_of_a_filter_are_cancelled_and_no_others(shared: EngineFixture) -> None:
    automation, ids = await runs(shared, WAIT)
    _, others = await runs(shared, WAIT, number=1)
    where = {"automation_id": automation.id}
    done = await shared.call("runs.cancel_many", where=where, reason="false alarm")
    assert (done["done"], done["failed"]) == (3, [])
    assert await statuses(shared, ids) == ["cancelled"] * 3
    assert (await shared.call("runs.get", id=ids[0]))["run"]["reason"] == "false alarm"
    assert await statuses(shared, others) == ["waiting"]
    assert (await shared.call("runs.cancel_many", where=where))["done"] == 0
    mixed = [ids[0], others[0], str(uuid4()), "nope"]
    done = await shared.call("runs.cancel_many", ids=mixed)
    assert done["done"] == 1
    assert {one["id"]: one["code"] for one in done["failed"]} == {
        ids[0]: "refused", mixed[2]: "not_found", "nope": "not_found"
    }  # fmt: skip


async def test_runs_of_a_filter_are_retried_and_what_cannot_be_is_told(
    shared: EngineFixture,
) -> None:
    mark = uuid4().hex
    automation, ids = await runs(shared, fail(mark))
    disabled, (stuck,) = await runs(shared, fail(mark), number=1)
    await shared.call("automations.toggle", id=disabled.id, enabled=False)
    done = await shared.call("runs.retry_many", where={"error": mark})
    assert done["done"] == len(done["new_ids"]) == 3
    (fault,) = done["failed"]
    assert (fault["id"], fault["code"]) == (stuck, "refused")
    assert "disabled" in fault["message"]
    await shared.ended(automation.id, 6)
    assert not {*done["new_ids"]} & {*ids}


async def test_a_run_that_is_named_twice_is_dealt_with_once(shared: EngineFixture) -> None:
    automation, ids = await runs(shared, fail(uuid4().hex), number=2)
    spelled = [ids[0], ids[1], ids[0], ids[0].upper(), ids[1].replace("-", ""), "nope", "nope"]
    done = await shared.call("runs.retry_many", ids=spelled)
    assert (done["done"], len(done["new_ids"])) == (2, 2)
    assert [one["id"] for one in done["failed"]] == ["nope"]
    assert await total(shared, automation) == 4
    _, ids = await runs(shared, WAIT, number=1)
    done = await shared.call("runs.cancel_many", ids=[ids[0], ids[0].upper(), f"{{{ids[0]}}}"])
    assert (done["done"], done["failed"]) == (1, [])


async def test_the_command_line_does_nothing_that_was_not_confirmed(
    shared: EngineFixture, shell: Shell
) -> None:
    automation, ids = await runs(shared, WAIT)
    of = ["--automation", automation.id]
    told = await shell.run("cancel", *of, code=1)
    assert "3 runs" in told.err
    assert "--yes" in told.err
    told = await shell.run("cancel", *of, "--json", code=1)
    assert '"error":"cli.unconfirmed"' in told.err
    dry = (await shell.run("cancel", *of, "--dry-run", "--json")).json
    assert [one["id"] for one in dry["items"]] == ids
    assert "3 runs would be cancelled" in (await shell.run("cancel", *of, "--dry-run")).err
    assert await statuses(shared, ids) == ["waiting"] * 3
    assert "3 runs cancelled" in (await shell.run("cancel", *of, "--yes")).out
    assert await statuses(shared, ids) == ["cancelled"] * 3
    assert "0 runs cancelled" in (await shell.run("cancel", *of, "--yes")).out


async def test_the_command_line_retries_many_and_lists_what_it_could_not(
    shared: EngineFixture, shell: Shell
) -> None:
    mark = uuid4().hex
    automation, _ = await runs(shared, fail(mark))
    disabled, (stuck,) = await runs(shared, fail(mark), number=1)
    await shared.call("automations.toggle", id=disabled.id, enabled=False)
    told = await shell.run("retry", "--error", mark, code=1)
    assert "4 runs" in told.err
    assert await total(shared, automation) == 3
    told = await shell.run("retry", "--error", mark, "--yes", code=1)
    assert "3 runs retried" in told.out
    assert "disabled" in told.err
    assert disabled.id in told.err or stuck in told.err
    await shared.ended(automation.id, 6)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
async def test_on_a_terminal_the_count_is_asked_for(
    shared: EngineFixture, shell: Shell, answer: str, code: int
) -> None:
    automation, ids = await runs(shared, WAIT, number=12)
    ours, theirs = pty.openpty()
    arguments = ["-m", "lockstep", "cancel", "--automation", automation.id]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=shell.folder, env={**shell.variables, "TERM": "xterm"},
        stdin=theirs, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    async with patience():
        out, err = await process.communicate()
    os.close(ours)
    assert process.returncode == code, err.decode()
    assert "and 2 more runs" in err.decode()
    assert "Cancel 12 runs?" in err.decode()
    assert ("12 runs cancelled" in out.decode()) == (code == 0)
    assert await statuses(shared, ids[:1]) == ["cancelled" if code == 0 else "waiting"]
    await shared.call("runs.cancel_many", where={"automation_id": automation.id})


async def test_of_runs_that_are_named_one_that_is_missing_keeps_none_of_the_others(
    shared: EngineFixture, shell: Shell
) -> None:
    _, ids = await runs(shared, WAIT)
    missing = str(uuid4())
    told = await shell.run("cancel", ids[0], missing, "nope", ids[1], ids[2], code=1)
    assert await statuses(shared, ids) == ["cancelled"] * 3
    assert f"run '{missing}' not found" in told.err
    assert "run 'nope' not found" in told.err
    told = await shell.run("cancel", ids[0], missing, "--json", code=1)
    assert [one["id"] for one in told.json["items"]] == [ids[0]]
    assert [one["code"] for one in told.json["failed"]] == ["not_found"]


@pytest.mark.parametrize(
    "line",
    [
        "cancel --status success --yes",
        "retry --status waiting --yes",
        "retry --status cancelled --yes",
    ],
)
async def test_a_status_that_it_is_not_for_is_refused(shell: Shell, line: str) -> None:
    assert "--status" in (await shell.run(*line.split(), code=2)).err


async def test_dead_letters_of_a_filter_are_retried_once_confirmed(
    shared: EngineFixture, shell: Shell
) -> None:
    event = f"many.{uuid4().hex}"
    letters = await die(shared, event, b"[]", b"[]", b"no json")
    reason = letters[-1]["reason"]
    of = ["dead", "retry", "--event", event, "--error", reason]
    told = await shell.run(*of, code=1)
    assert "1 dead letter" in told.err
    assert (await shared.call("dead.list", event=event))["total"] == 3
    assert (await shell.run(*of, "--dry-run", "--json")).json["total"] == 1
    assert "1 dead letter retried" in (await shell.run(*of, "--yes")).out
    async with patience():  # it dies again, as a new letter
        while True:
            page = await shared.call("dead.list", event=event)
            if page["items"][0]["id"] > letters[-1]["id"]:
                break
            await asyncio.sleep(0.05)
    assert letters[-1]["id"] not in {one["id"] for one in page["items"]}
    assert {one["id"] for one in letters[:2]} < {one["id"] for one in page["items"]}
    told = await shell.run("dead", "discard", "--event", event, code=1)
    assert "3 dead letters" in told.err
    done = await shared.call("dead.discard", event=event, error=reason)
    assert (done["done"], done["failed"]) == (1, [])
    await shell.run("dead", "discard", "--event", event, "--yes")
    assert (await shared.call("dead.list", event=event))["total"] == 0


async def test_dead_letters_of_a_filter_are_discarded_once_confirmed(
    shared: EngineFixture, shell: Shell
) -> None:
    event = f"many.{uuid4().hex}"
    letters = await die(shared, event, b"[]", b"[]", b"no json")
    kept = {one["id"] for one in letters[:2]}
    of = ["dead", "discard", "--event", event, "--text", letters[-1]["reason"]]
    told = await shell.run(*of, code=1)
    assert "nothing was done: this is for 1 dead letter" in told.err
    assert letters[-1]["reason"] in told.err  # which one, is shown
    assert "0 dead letters" in (await shell.run(*of, "--key", "nobody", "--yes")).out
    assert (await shared.call("dead.list", event=event))["total"] == 3
    assert "1 dead letter discarded" in (await shell.run(*of, "--yes")).out
    left = await shared.call("dead.list", event=event)
    assert {one["id"] for one in left["items"]} == kept
    for more in (["17"], ["--all"]):
        assert "name ids, or" in (await shell.run(*of, *more, code=2)).err
