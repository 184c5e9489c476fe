"""`lockstep automations`: what is stored."""

from lockstep.cli import output, source
from lockstep.cli.remote import PAGE, connected
from lockstep.settings import Settings
from lockstep_schemas import api


async def list_automations(
    settings: Settings,
    *,
    status: api.Enabled | None,
    group: str | None,
    limit: int,
    offset: int,
    as_json: bool,
) -> bool:
    """List automations by creation."""
    items = list[api.Automation]()
    async with connected(settings) as remote:
        while True:
            request = api.AutomationsList(
                limit=min(PAGE, limit - len(items)),
                offset=offset + len(items),
                status=status,
                group=group,
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


async def show(settings: Settings, id_or_name: str, *, as_json: bool) -> bool:
    """Show one automation, as YAML that `apply` takes."""
    async with connected(settings) as remote:
        one = await remote.automation(id_or_name)
    if as_json:
        output.show_json(one)
        return True
    by = one.updated_by
    who = f" by {by.name or by.id or by.type}" if by else ""
    managed = f"managed by {one.managed_by}" if one.managed_by else "managed by hand"
    output.show_line(f"# version {one.version}, updated {one.updated_at:%Y-%m-%d %H:%M}Z{who}")
    output.show_line(f"# {managed}")
    output.show_line(source.document(one).rstrip())
    return True


def _events(one: api.Automation) -> list[str]:
    triggers = one.definition.get("triggers")
    if not isinstance(triggers, list):
        return []
    return [str(trigger.get("event")) for trigger in triggers if isinstance(trigger, dict)]
