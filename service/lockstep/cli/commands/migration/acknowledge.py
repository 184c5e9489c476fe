"""`lockstep migration acknowledge`: list failures no longer."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output
from lockstep_schemas import api

EXAMPLES: Final = ("migration acknowledge sub-17", "migration acknowledge --all")


def command(
    context: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Ids of subscriptions.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are listed now.")] = False,
    as_json: AsJson = False,
) -> None:
    """List failures no longer, until they fail again."""
    if bool(ids) == everything:
        raise typer.BadParameter("name ids, or --all", param_hint="ID")
    finish(_acknowledge(engine(context), ids or [], as_json=as_json))


async def _acknowledge(engine: Reach, ids: Sequence[str], *, as_json: bool) -> bool:
    """List failures no longer; all of them where no ids are named. False if some are not there."""
    from lockstep.client.remote import ApiRefused

    done, unknown = 0, list[str]()
    async with engine as remote:
        for failure_id in ids or [failure.id for failure in await remote.import_failures()]:
            try:
                await remote.call("migration.acknowledge", api.ById(failure_id), api.Success)
                done += 1
            except ApiRefused as error:
                if error.fault.code != "not_found":
                    raise
                unknown.append(failure_id)
    if as_json:
        output.show_json({"done": done, "unknown": unknown})
    else:
        output.show_line(f"{output.count(done, 'failure')} acknowledged")
        for one in unknown:
            output.complain(f"migration failure '{one}' not found")
    return not unknown
