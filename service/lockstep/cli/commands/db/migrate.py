"""`lockstep db migrate`: bring the schema of the database up to date."""

from typing import Final

import typer

from lockstep.cli.context import finish, load
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

EXAMPLES: Final = ("db migrate",)


def command(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the schema up to date."""
    finish(_migrate(load(context).settings.postgres.dsn, as_json=as_json))


async def _migrate(dsn: str, *, as_json: bool) -> bool:
    """Bring the schema up to date, and say what was needed."""
    from lockstep import store
    from lockstep.client.database import named

    with named(dsn):
        applied = await store.migrate(dsn)
    if as_json:
        output.show_json({"applied": applied})
    elif applied:
        output.show(*(f"applied {name}" for name in applied))
    else:
        output.tell("the schema is up to date")
    return True
