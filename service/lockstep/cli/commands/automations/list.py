"""`lockstep automations list`: what is stored."""

from typing import Annotated, Final

import msgspec
import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.filters import OfText, typed
from lockstep.cli.options import AsJson, Limit, OfEvent
from lockstep.cli.terminal import output
from lockstep.client.paging import PAGE
from lockstep_schemas import api

EXAMPLES: Final = (
    "automations list --status disabled",
    "automations list --group doors --text vault",
    "automations list --event 'orders.*'",
)


def command(
    context: typer.Context,
    status: Annotated[api.Enabled | None, typer.Option(help="Only those.")] = None,
    group: Annotated[str | None, typer.Option(help="Only of this group.")] = None,
    owner: Annotated[
        str | None, typer.Option(help="Only those that this owner has applied, `apply` by default.")
    ] = None,
    event: OfEvent = None,
    text: OfText = None,
    limit: Limit = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List automations, oldest first."""
    wanted = api.AutomationsList(
        status=status,
        group=group,
        managed_by=owner,
        event=typed("--event", event),
        text=typed("--text", text),
        offset=offset,
    )
    finish(_list(engine(context), wanted, limit, as_json=as_json))


async def _list(engine: Reach, wanted: api.AutomationsList, limit: int, *, as_json: bool) -> bool:
    """List automations by creation."""
    items, offset = list[api.Automation](), wanted.offset
    async with engine as remote:
        while True:
            request = msgspec.structs.replace(
                wanted, limit=min(PAGE, limit - len(items)), offset=offset + len(items)
            )
            page = await remote.call("automations.list", request, api.AutomationsPage)
            items += page.items
            if not page.items or len(items) >= limit or offset + len(items) >= page.total:
                break
    if as_json:
        output.show_json({"items": items, "total": page.total, "offset": offset})
        return True
    rows = [
        (
            one.id,
            one.name,
            output.status(one.status),
            f"v{one.version}",
            one.group or "",
            ", ".join(_events(one)),
        )
        for one in items
    ]
    columns = ("id", "name", "status", "version", "group", "events")
    output.show(output.table(columns, rows))
    if len(items) < page.total:
        output.tell(f"{len(items)} of {page.total} are shown; see --limit and --offset")
    return True


def _events(one: api.Automation) -> list[str]:
    triggers = one.definition.get("triggers")
    if not isinstance(triggers, list):
        return []
    return [str(trigger.get("event")) for trigger in triggers if isinstance(trigger, dict)]
