"""`automations list|show`, `runs list|show`."""

import typer
import yaml
from msgspec import convert

from lockstep.cli import session
from lockstep.cli.output import errors, fields, moment, print_json, print_table, results
from lockstep.cli.session import Options, RequestRefused, Session
from lockstep.cli.tree import run_tree
from lockstep_schemas.api import RunDetail
from lockstep_schemas.base import Json


def list_automations(
    options: Options, status: str | None, group: str | None, limit: int, *, as_json: bool
) -> None:
    """List automations."""
    wanted = {"status": status, "group": group}
    given = {name: value for name, value in wanted.items() if value is not None}
    page = session.run(lambda s: s.call("automations.list", limit=limit, **given), options)
    if as_json:
        print_json(page)
        return
    print_table(
        ["id", "name", "status", "version", "group", "updated"],
        [
            [i["id"], i["name"], i["status"], i["version"], i["group"], moment(i["updated_at"])]
            for i in page["items"]
        ],
    )
    _more(len(page["items"]), page["total"])


def show_automation(options: Options, wanted: str, *, as_json: bool) -> None:
    """Show one, by id or by name."""

    async def work(opened: Session) -> Json:
        try:
            return await opened.call("automations.get", id=wanted)
        except RequestRefused as refused:
            for item in await opened.all_automations():
                if item["name"] == wanted:
                    return item
            raise refused from None

    found = session.run(work, options)
    if as_json:
        print_json(found)
        return
    fields(found, ["id", "name", "description", "status", "group", "version", "managed_by"])
    results.print("")
    text = yaml.safe_dump(found["definition"], sort_keys=False, allow_unicode=True)
    results.print(text.rstrip(), markup=False, soft_wrap=True)


def list_runs(
    options: Options, automation: str | None, status: str | None, limit: int, *, as_json: bool
) -> None:
    """List runs, newest first."""
    wanted = {"automation_id": automation, "status": status}
    given = {name: value for name, value in wanted.items() if value is not None}
    page = session.run(lambda s: s.call("runs.list", limit=limit, **given), options)
    if as_json:
        print_json(page)
        return
    print_table(
        ["id", "automation", "status", "event", "started", "why"],
        [
            [
                i["id"],
                i["automation_name"],
                i["status"],
                i["trigger_event_id"],
                moment(i["started_at"]),
                i["error_message"] or i["reason"],
            ]
            for i in page["items"]
        ],
    )
    _more(len(page["items"]), page["total"])


def show_run(options: Options, run_id: str, *, as_json: bool) -> None:
    """Show one run."""
    found = session.run(lambda s: s.call("runs.get", id=run_id), options)
    if as_json:
        print_json(found)
        return
    detail = convert(found, RunDetail)
    fields(found["run"], ["id", "trigger_event_id", "context_key", "started_at", "finished_at"])
    results.print("")
    results.print(run_tree(detail))
    if detail.run.status == "failed":
        raise typer.Exit(0)


def _more(shown: int, total: int) -> None:
    if shown < total:
        errors.print(f"{shown} of {total}; more with --limit")
