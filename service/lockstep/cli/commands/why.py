"""`lockstep why`: what events started or woke, and what refused them."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output
from lockstep.cli.terminal.why import show
from lockstep_schemas.why import Why, WhyRequest

if TYPE_CHECKING:
    from lockstep.client.remote import Remote

EXAMPLES: Final = (
    "why sensor.door",
    "why sensor.door --automation sample-orders --limit 20",
    "why --automation sample-orders",
)


def command(
    context: typer.Context,
    event: Annotated[
        str | None,
        typer.Argument(
            metavar="[EVENT_ID|MESSAGE_ID]",
            help="Which events; none of them: the last refusals of the automation.",
            autocompletion=completion.event,
        ),
    ] = None,
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
    if event is None and automation is None:
        raise typer.BadParameter("say which events, or which automation: `--automation NAME`")
    finish(_why(engine(context), event, automation, limit, as_json=as_json))


async def _why(
    engine: Reach, event: str | None, automation: str | None, limit: int, *, as_json: bool
) -> bool:
    """Say what became of events; false if none is known."""
    async with engine as remote:
        found = {one.id: one.name for one in await remote.automations()}
        wanted = None if automation is None else (await remote.automation(automation)).id
        request = WhyRequest(event=event, automation_id=wanted, limit=limit)
        why = await remote.call("events.why", request, Why)
        if _is_nothing(why) and event is not None and wanted is None:
            why = await _of_automation(remote, found, event, limit) or why
    if as_json:
        output.show_json(why)
    else:
        show(why, found)
        if event is None and not why.items:
            output.tell("it has refused nothing lately")
    return event is None or not _is_nothing(why)


def _is_nothing(why: Why) -> bool:
    return not (why.items or why.dead_letters or why.unhandled)


async def _of_automation(
    remote: "Remote", found: dict[str, str], word: str, limit: int
) -> Why | None:
    """Give the last refusals of an automation, where the word names one and no event."""
    named = [one for one, name in found.items() if word in {one, name}]
    if len(named) != 1:
        return None
    return await remote.call("events.why", WhyRequest(automation_id=named[0], limit=limit), Why)
