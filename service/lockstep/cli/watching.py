"""`runs watch`: run events as they happen."""

import sys
from typing import Final

import msgspec
import typer

from lockstep import bus
from lockstep.cli import session
from lockstep.cli.output import STYLES, errors, results
from lockstep.cli.session import Options, Session
from lockstep_schemas.run_events import RunEvent

FINAL: Final = frozenset({"succeeded", "failed", "cancelled", "skipped"})


def watch(options: Options, run_id: str | None, automation: str, *, as_json: bool) -> None:
    """Follow run events: for ever, or of one run until it ends."""

    async def work(opened: Session) -> int:
        subject = opened.connection.names.run(automation, "*")
        async with bus.follow(opened.connection, subject) as feed:
            if run_id is not None:
                # What has ended before we listened will not be told again.
                found = await opened.call("runs.get", id=run_id)
                if found["run"]["finished_at"] is not None:
                    errors.print(f"run {run_id} has ended: {found['run']['status']}")
                    return int(found["run"]["status"] != "success")
            async for note in feed:
                event = msgspec.json.decode(note.body, type=RunEvent)
                if run_id not in {None, event.data.run_id}:
                    continue
                _show(event, note.body, as_json=as_json)
                what = event.type.rpartition(".")[2]
                if run_id is not None and what in FINAL:
                    return int(what != "succeeded")
        return 0

    raise typer.Exit(session.run(work, options))


def _show(event: RunEvent, body: bytes, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(body.decode() + "\n")
        sys.stdout.flush()
        return
    data, what = event.data, event.type.rpartition(".")[2]
    status = what.removeprefix("step_").replace("succeeded", "success")
    style = STYLES.get(status, "bold")
    place = f" {data.path} {data.provider_action_id or data.action_kind}" if data.path else ""
    why = data.error or data.reason or ""
    results.print(f"{data.at:%H:%M:%S} {data.automation_name} {data.run_id} ", end="", markup=False)
    results.print(f"[{style}]{what}[/{style}]", end="")
    results.print(f"{place}  {why}".rstrip(), markup=False, soft_wrap=True)
