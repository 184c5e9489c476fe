"""`lockstep db migrate`: bring the schema of the database up to date."""

from typing import Final

import typer

from lockstep.cli.context import finish, load
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

EXAMPLES: Final = ("db migrate",)
SHOWN: Final = 10  # of the patterns that are named: a migration is read as a whole


def command(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the schema up to date."""
    finish(_migrate(load(context).settings.postgres.dsn, as_json=as_json))


async def _migrate(dsn: str, *, as_json: bool) -> bool:
    """Bring the schema up to date, and say what was needed, and what should be changed."""
    from lockstep import store
    from lockstep.cli.files.patterns import outdated_patterns
    from lockstep.client.database import named

    with named(dsn):
        applied = await store.migrate(dsn)
    findings = [one for one in await outdated_patterns(dsn) if one.verdict != "ok"]
    if as_json:
        output.show_json({"applied": applied, "findings": findings[:SHOWN]})
    elif applied:
        output.show(*(f"applied {name}" for name in applied))
    else:
        output.tell("the schema is up to date")
    for one in findings[:SHOWN]:
        output.tell(f"{one.verdict}: {one.found}" + (f"; {one.mend}" if one.mend else ""))
    if len(findings) > SHOWN:
        output.tell(f"and {len(findings) - SHOWN} more: `lockstep doctor` lists them")
    return True
