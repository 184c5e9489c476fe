"""`lockstep migration failures`: the subscriptions that could not be imported."""

from typing import Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

EXAMPLES: Final = ("migration failures", "migration failures --json")


def command(context: typer.Context, as_json: AsJson = False) -> None:
    """List what failed and is not acknowledged, oldest first."""
    finish(_list(engine(context), as_json=as_json))


async def _list(engine: Reach, *, as_json: bool) -> bool:
    from lockstep.cli.terminal.failures import table

    async with engine as remote:
        failures = await remote.import_failures()
    if as_json:
        output.show_json({"items": failures, "total": len(failures)})
    else:
        output.show(table(failures))
    return True
