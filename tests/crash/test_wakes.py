"""A wait that fires while its run lies down wakes it, at whatever moment of lying down that is."""

import asyncio
from typing import Any

from lockstep import walk
from lockstep.catalog import Registry
from lockstep.model.types import ActionContext, ActionResult
from store_fixture import Alone, StoreFixture, store_fixture

RAW = {
    "name": "lab",
    "triggers": [{"event": "e"}],
    "actions": [
        {
            "parallel": [
                {
                    "sequence": [
                        {"action": "lab.first"},
                        {"wait_for_trigger": {"event": "go"}},
                        {"action": "test.record", "config": {"value": "{{ wait.payload.n }}"}},
                    ]
                },
                {"action": "lab.last"},
            ]
        }
    ],
}


class Lab:
    """Two branches: the first sleeps for an event, which comes while the last one works."""

    def __init__(self, opened: StoreFixture) -> None:
        self._opened = opened
        self._first: list[asyncio.Task[Any]] = []
        self.executions: list[walk.Execution] = []
        self.asleep: list[bool] = []  # of the branch, whenever the walk heard of the event

    def register(self, registry: Registry) -> None:
        """Bring the actions of both branches."""
        registry.add_action("first", self.first)
        registry.add_action("last", self.last)

    async def first(self, _: ActionContext) -> ActionResult:
        """Note who walks this branch."""
        task = asyncio.current_task()
        assert task is not None
        self._first.append(task)
        return ActionResult()

    async def last(self, _: ActionContext) -> ActionResult:
        """Let the event come, and the walk hear of it when the first branch has ended for now.

        It has found then that nobody works any more; the walk has not gone on yet.
        """
        opened, (execution,), (branch,) = self._opened, self.executions, self._first
        while not await opened.rows("select from waits where state = 'armed'"):
            await asyncio.sleep(0.01)
        await opened.deliver(opened.event("go", {"n": 7}))
        woken = (await opened.worker().fired([execution.run.id]))[execution.run.id]

        def hear(_: object) -> None:
            self.asleep.append(not opened.recorder.records)
            execution.hear(woken)

        branch.add_done_callback(hear)
        return ActionResult()


async def test_an_event_that_comes_when_the_last_branch_has_decided_to_sleep_is_not_lost(
    dsn: str,
) -> None:
    async with store_fixture(dsn) as opened:
        lab = Lab(opened)
        opened.catalog.register("lab", lab.register)
        program = opened.program(RAW)
        worker = opened.worker()
        run = await opened.adopt(worker, (await opened.launch(program, {})).id)
        execution = await opened.execution(run, program, Alone(worker))
        lab.executions.append(execution)
        await walk.walk_run(execution)
        (row,) = await opened.rows("select status, wakes from runs")
        fired = await opened.rows("select state from waits")
        assert lab.asleep == [True]
        assert (row["status"], fired) == ("success", [])
        assert [one.value for one in opened.recorder.records] == ["7"]
