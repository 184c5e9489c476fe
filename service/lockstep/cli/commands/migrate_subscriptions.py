"""`lockstep migrate-subscriptions`: webhook subscriptions of before, made automations."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output
from lockstep_schemas import migration

EXAMPLES: Final = (
    "migrate-subscriptions subscriptions.json",
    "migrate-subscriptions subscriptions.yaml --json",
)


def command(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="YAML or JSON: a list, or {subscriptions: [...]}."),
    ],
    as_json: AsJson = False,
) -> None:
    """Turn webhook subscriptions into automations.

    Exit 1 if some could not be.
    """
    finish(_migrate(engine(context), file, as_json=as_json))


async def _migrate(engine: Reach, file: Path, *, as_json: bool) -> bool:
    """Import the subscriptions of a file; false if some failed, now or before."""
    from lockstep.cli.files.subscriptions import load, portions
    from lockstep.cli.terminal.failures import table
    from lockstep.control.subscriptions import identity

    some = load(file)
    names = {identity(one) for one in some}
    done = migration.Imported(total=0, migrated=0, skipped=0, failed=0)
    async with engine as remote:
        for portion in portions(some):
            request = migration.ImportRequest(subscriptions=portion)
            part = await remote.call("migration.import", request, migration.Imported)
            done = _sum(done, part)
            if done.total < len(some):
                output.tell(f"{done.total} of {len(some)}")
        known = await remote.import_failures() if names else []
    failures = [one for one in known if one.id in names]
    if as_json:
        output.show_json({**msgspec.to_builtins(done), "failures": failures})
        return not done.failed
    if failures:
        output.show(table(failures))
    output.show_line(
        f"{output.count(done.total, 'subscription')}: {done.migrated} migrated, "
        f"{done.skipped} skipped, {done.failed} failed"
    )
    if done.failed:
        output.tell("see `lockstep migration failures`; mend the file and import it again")
    return not done.failed


def _sum(one: migration.Imported, other: migration.Imported) -> migration.Imported:
    return migration.Imported(
        total=one.total + other.total,
        migrated=one.migrated + other.migrated,
        skipped=one.skipped + other.skipped,
        failed=one.failed + other.failed,
    )
