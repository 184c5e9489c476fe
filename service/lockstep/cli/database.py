"""`lockstep db`: the schema of the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from lockstep import store
from lockstep.cli import output, unreachable
from lockstep.model.errors import Unavailable
from lockstep.settings import Settings, without_secrets
from lockstep.store.migrate import known
from lockstep.store.pool import explained


async def migrate(settings: Settings, *, as_json: bool) -> bool:
    """Bring the schema up to date, and say what was needed."""
    with _named(settings):
        applied = await store.migrate(settings.postgres.dsn)
    if as_json:
        output.show_json({"applied": applied})
    elif applied:
        output.show(*(f"applied {name}" for name in applied))
    else:
        output.tell("the schema is up to date")
    return True


async def status(settings: Settings, *, as_json: bool) -> bool:
    """Say which migrations are applied; whether all are."""
    with _named(settings):
        missing = await store.pending(settings.postgres.dsn)
    applied = [name for name in known() if name not in missing]
    if as_json:
        output.show_json({"applied": applied, "missing": missing})
        return not missing
    rows = [(name, "missing" if name in missing else "applied") for name in known()]
    output.show(output.table(("migration", "state"), rows))
    where = without_secrets(settings.postgres.dsn)
    output.tell(f"{where}: {len(missing)} missing" if missing else f"{where}: up to date")
    if missing:
        output.tell("`lockstep db migrate` applies them")
    return not missing


@contextmanager
def _named(settings: Settings) -> Iterator[None]:
    """Say which server it is that does not answer."""
    try:
        with explained():
            yield
    except Unavailable as error:
        where = without_secrets(settings.postgres.dsn)
        raise Unavailable(unreachable.postgres(where, str(error))) from error
