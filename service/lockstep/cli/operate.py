"""What operators do to automations and runs: `lockstep start`, `cancel`, `toggle`, `why`."""

from collections.abc import Sequence
from typing import Literal

from msgspec import UNSET

from lockstep.cli import output
from lockstep.cli.publish import payload_of
from lockstep.cli.remote import connected
from lockstep.settings import Settings
from lockstep_schemas import api
from lockstep_schemas.base import JsonObject


async def start(
    settings: Settings,
    automation: str,
    trigger: str | None,
    payload: str,
    context_key: str | None,
    *,
    as_json: bool,
) -> bool:
    """Start a run, and say what became of it within 5 s; false if it was refused or failed."""
    content: JsonObject = payload_of(payload)
    async with connected(settings) as remote:
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


async def cancel(
    settings: Settings, run_ids: Sequence[str], reason: str | None, *, as_json: bool
) -> bool:
    """Cancel runs, one after the other; say what became of each."""
    told = []
    async with connected(settings) as remote:
        for run_id in run_ids:
            await remote.call("runs.cancel", api.RunCancel(run_id, reason), api.Success)
            run = (await remote.run(run_id)).run
            told.append({"id": run.id, "status": run.status})
            if not as_json:
                output.show_line(f"{run.id}  {run.status}")
    if as_json:
        output.show_json({"items": told})
    return True


async def retry(
    settings: Settings, run_id: str, begins: Literal["start", "failed"], *, as_json: bool
) -> bool:
    """Start a run once more, and say the id of the new one."""
    async with connected(settings) as remote:
        request = api.RunRetry(id=run_id, from_=begins)
        retried = await remote.call("runs.retry", request, api.RunRetried)
    if as_json:
        output.show_json(retried)
    else:
        output.show_line(retried.run_id)
        output.tell(f"`lockstep runs watch {retried.run_id}` follows it")
    return True


async def toggle(settings: Settings, automation: str, *, enabled: bool, as_json: bool) -> bool:
    """Enable or disable an automation."""
    async with connected(settings) as remote:
        found = await remote.automation(automation)
        request = api.AutomationToggle(id=found.id, enabled=enabled)
        changed = await remote.call("automations.toggle", request, api.Automation)
    if as_json:
        output.show_json(changed)
    else:
        output.show_line(f"{changed.id}  {changed.name}  {changed.status}")
    return True


async def why(
    settings: Settings, event: str, automation: str | None, limit: int, *, as_json: bool
) -> bool:
    """Say what recent events started, woke or did not; false if none is known."""
    async with connected(settings) as remote:
        automations = {one.id: one.name for one in await remote.automations()}
        wanted = None if automation is None else (await remote.automation(automation)).id
        request = api.WhyRequest(event=event, automation_id=wanted, limit=limit)
        items = (await remote.call("events.why", request, api.Why)).items
    if as_json:
        output.show_json({"items": items})
        return bool(items)
    if not items:
        output.tell(f"no recent event has the event id or message id '{event}'")
        return False
    for one in items:
        of = f" ({one.message_id})" if one.message_id else ""
        output.show_line(f"{one.event}{of}  {output.moment(one.handled_at)}")
        rows = [
            (
                automations.get(c.automation_id, c.automation_id),
                c.trigger_id or "",
                c.outcome,
                c.gate or "",
                c.run_id or "",
                c.detail or "",
            )
            for c in one.consequences
        ]
        if rows:
            columns = ("automation", "trigger", "outcome", "gate", "run", "detail")
            output.show(output.table(columns, rows))
        else:
            output.show_line("  no enabled automation asks for it, and no run waits for it")
    return True
