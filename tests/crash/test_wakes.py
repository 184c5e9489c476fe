"""A wait that fires while its run lies down wakes it, at whatever moment of lying down that is."""

import pytest

from lab import Alone, Lab, lab
from lockstep.walk.kinds import parallel

WAIT = {"wait_for_trigger": {"event": "go"}}
RECORD = {"id": "r", "action": "test.record", "config": {"value": "worked"}}
AFTER = {"id": "s", "action": "test.record", "config": {"value": "{{ wait.payload.n }}"}}


async def test_an_event_that_comes_when_the_last_branch_has_decided_to_sleep_is_not_lost(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = {
        "name": "lab",
        "triggers": [{"event": "e"}],
        "actions": [{"parallel": [{"sequence": [WAIT, AFTER]}, RECORD]}],
    }
    async with lab(dsn) as opened:
        run = await opened.launch(opened.program(raw), {})
        worker = opened.worker()
        run = await opened.adopt(worker, run.id)
        deliver_after_the_decision(opened, monkeypatch)
        await opened.walk(run, opened.program(raw), Alone(worker))
        (row,) = await opened.rows("select status, wakes from runs")
        fired = await opened.rows("select state from waits")
        assert (row["status"], fired) == ("success", [])
        assert [one.value for one in opened.recorder.records] == ["worked", "7"]


def deliver_after_the_decision(opened: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the event come, and the walk hear of it, when a branch has found that nobody works."""
    decide = parallel.Team.woken
    came: list[bool] = []

    async def woken(self: parallel.Team, heard: int) -> bool:
        is_woken = await decide(self, heard)
        if not is_woken and not came:
            came.append(True)
            await opened.deliver(opened.event("go", {"n": 7}))
            run_id = self._walk.run.id
            self._walk.hear((await opened.worker().fired([run_id]))[run_id])
        return is_woken

    monkeypatch.setattr(parallel.Team, "woken", woken)
