"""`lockstep why`: what recent events started, and what refused them."""

from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output
from lockstep_schemas import api

EXAMPLES: Final = ("why sensor.door", "why sensor.door --automation sample-orders --limit 20")


def command(
    context: typer.Context,
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT_ID|MESSAGE_ID", help="Which events.", autocompletion=completion.event
        ),
    ],
    automation: Annotated[
        str | None,
        typer.Option(
            help="Only at this automation: its id or name.", autocompletion=completion.automation
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=50, help="At most so many events.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Say what events started, and what refused them."""
    finish(_why(engine(context), event, automation, limit, as_json=as_json))


async def _why(
    engine: Reach, event: str, automation: str | None, limit: int, *, as_json: bool
) -> bool:
    """Say what recent events started, woke or did not; false if none is known."""
    async with engine as remote:
        names = {one.id: one.name for one in await remote.automations()}
        wanted = None if automation is None else (await remote.automation(automation)).id
        request = api.WhyRequest(event=event, automation_id=wanted, limit=limit)
        items = (await remote.call("events.why", request, api.Why)).items
    if as_json:
        output.show_json({"items": items})
        return bool(items)
    if not items:
        output.tell(f"no recent event has the event id or message id '{event}'")
        return False
    for handled in items:
        of = f" ({handled.message_id})" if handled.message_id else ""
        output.show_line(f"{handled.event}{of}  {output.moment(handled.handled_at)}")
        rows = [
            (
                names.get(c.automation_id, c.automation_id),
                c.trigger_id or "",
                c.outcome,
                c.gate or "",
                c.run_id or "",
                c.detail or "",
            )
            for c in handled.consequences
        ]
        if rows:
            columns = ("automation", "trigger", "outcome", "gate", "run", "detail")
            output.show(output.table(columns, rows))
        else:
            output.show_line("  no enabled automation asks for it, and no run waits for it")
    return True
