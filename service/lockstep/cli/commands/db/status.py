"""`lockstep db status`: which migrations the database has."""

from typing import Final

import typer

from lockstep.cli.context import finish, load
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

EXAMPLES: Final = ("db status", "db status --json")


def command(context: typer.Context, as_json: AsJson = False) -> None:
    """Say which migrations are applied; exit 1 if some are missing."""
    finish(_status(load(context).settings.postgres.dsn, as_json=as_json))


async def _status(dsn: str, *, as_json: bool) -> bool:
    from lockstep import store
    from lockstep.client.database import named
    from lockstep.settings.structs import without_secrets
    from lockstep.store.migrate import known

    with named(dsn):
        missing = await store.pending(dsn)
    applied = [name for name in known() if name not in missing]
    if as_json:
        output.show_json({"applied": applied, "missing": missing})
        return not missing
    rows = [(name, "missing" if name in missing else "applied") for name in known()]
    output.show(output.table(("migration", "state"), rows))
    where = without_secrets(dsn)
    output.tell(f"{where}: {len(missing)} missing" if missing else f"{where}: up to date")
    if missing:
        output.tell("`lockstep db migrate` applies them")
    return not missing
