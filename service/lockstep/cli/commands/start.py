"""`lockstep start`: start a run by hand."""

from typing import Annotated, Final

import typer
from msgspec import UNSET

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.files import payload as typed
from lockstep.cli.options import AsJson, Automation, Payload
from lockstep.cli.terminal import output
from lockstep_schemas import api

EXAMPLES: Final = (
    """start "Door guard" --payload '{"open": true}' --context-key vault""",
    "start sample-orders --trigger trigger_1 --payload @order.json",
    'start "Nightly report"',
)


def command(
    context: typer.Context,
    automation: Automation,
    trigger: Annotated[
        str | None,
        typer.Option(help="Id of a trigger; else the first."),
    ] = None,
    payload: Payload = "{}",
    context_key: Annotated[
        str | None, typer.Option(help="Context key; empty for none. Else that of the payload.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start a run by hand.

    Filter and conditions are passed over, the mode is honoured. The payload of a schedule is
    that of a tick now, as far as --payload does not say it.
    """
    reach = engine(context)
    finish(_start(reach, automation, trigger, payload, context_key, as_json=as_json))


async def _start(
    engine: Reach,
    automation: str,
    trigger: str | None,
    payload: str,
    context_key: str | None,
    *,
    as_json: bool,
) -> bool:
    """Start a run, and say what became of it within 5 s; false if it was refused or failed."""
    content = typed.content(payload)
    async with engine as remote:
        found = await remote.automation(automation)
        request = api.RunStart(
            automation_id=found.id,
            trigger_id=trigger,
            payload=content,
            context_key=UNSET if context_key is None else context_key or None,
        )
        started = await remote.call("runs.start", request, api.RunStarted)
    if as_json:
        output.show_json(started)
    else:
        output.show_line(f"{started.run_id}  {started.status}")
    return started.status not in {"failed", "skipped"}
