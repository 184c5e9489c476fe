"""What operators do to runs: `lockstep cancel`."""

from collections.abc import Sequence

from lockstep.cli import output
from lockstep.cli.remote import connected
from lockstep.config import Settings
from lockstep_schemas import api


async def cancel(
    settings: Settings, run_ids: Sequence[str], reason: str | None, *, as_json: bool
) -> bool:
    """Cancel runs, one after the other; say what became of each."""
    told = []
    async with connected(settings) as remote:
        for run_id in run_ids:
            await remote.call("runs.cancel", api.RunCancel(run_id, reason), api.Success)
            run = (await remote.call("runs.get", api.ById(run_id), api.RunDetail)).run
            told.append({"id": run.id, "status": run.status})
            if not as_json:
                output.show_line(f"{run.id}  {run.status}")
    if as_json:
        output.show_json({"items": told})
    return True
