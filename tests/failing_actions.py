"""Faults on request: `test.record` fails at the steps that a test names, as often as it says."""

from collections import Counter

import msgspec

from lockstep.catalog import MemoryCatalog, Recorder, compile_schema
from lockstep.catalog.stubs import Record
from lockstep.model.types import ActionContext, ActionResult, ActionType

REASON = "what it calls is away"


class Faults:
    """Which calls of `test.record` fail; what fails is not recorded."""

    def __init__(self) -> None:
        self._left: Counter[tuple[str, str]] = Counter()

    def put(self, where: str, step_path: str, times: int = 1) -> None:
        """Let a step fail so many times; `where` is its automation, or its run."""
        self._left[where, step_path] = times

    async def record(self, context: ActionContext) -> ActionResult:
        """Fail, or record a text as `test.record` does."""
        for where in (context.automation_id, context.run_id):
            if self._left[where, context.step_path]:
                self._left[where, context.step_path] -= 1
                return ActionResult(success=False, error=REASON)
        value = msgspec.convert(context.config, Record).value
        context.services.get(Recorder).note(context, "test.record", value)
        return ActionResult(artifact={"recorded": value})


def with_faults(catalog: MemoryCatalog) -> Faults:
    """Put an action that can fail in the place of `test.record`."""
    faults = Faults()
    kind = ActionType(
        qualified_id="test.record",
        plugin="test",
        display_name="record",
        execute=faults.record,
        config_schema=compile_schema({"type": "object"}),
    )
    catalog.override_action(kind)
    return faults
