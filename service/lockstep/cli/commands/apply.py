"""`lockstep apply`: bring the stored automations to what the files say."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson, Paths
from lockstep.cli.terminal import output
from lockstep.model.errors import EngineError

if TYPE_CHECKING:
    from lockstep.cli.files.documents import Documents

EXAMPLES: Final = (
    "apply flows/",
    "apply door.yaml --dry-run",
    "apply flows/ --prune --json",
)


class Rejected(EngineError):
    """Nothing was applied; what is wrong has been said."""

    code = "apply.rejected"
    category = "bad_request"
    advice = "Correct the faults that were told, then apply again."


def command(
    context: typer.Context,
    paths: Paths,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what was applied before and is in no file.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Store what files say; show what changes.

    A document is an automation, or `trigger_types` with a list of types of triggers. The same id,
    else the same name, is the same automation.
    """
    finish(_apply(engine(context), paths, prune=prune, dry_run=dry_run, as_json=as_json))


async def _apply(
    engine: Reach, paths: Sequence[Path], *, prune: bool, dry_run: bool, as_json: bool
) -> bool:
    """Do it, or with `dry_run` only say what would be done."""
    from lockstep.cli.files import documents, rollout
    from lockstep.cli.terminal import changes

    loaded = documents.load(paths)
    _check(loaded, paths, prune=prune)
    async with engine as remote:
        made = await rollout.planned(remote, loaded, prune=prune)
        wrong = [fault for fault in made.faults if fault.severity == "error"]
        if as_json:
            output.show_json(changes.plan_json(made, dry_run=dry_run, refused=bool(wrong)))
        else:
            for fault in made.faults:
                output.tell(str(fault), "red" if fault.severity == "error" else "yellow")
        if wrong:
            raise Rejected(f"{output.count(len(wrong), 'fault')}; nothing was applied")
        if not as_json:
            changes.show_plan(made)
        if not dry_run:
            await rollout.register(remote, made.types)
            await rollout.carry_out(remote, made.changes)
    if not as_json:
        output.tell(changes.summary(made, dry_run=dry_run))
    return True


def _check(loaded: "Documents", paths: Sequence[Path], *, prune: bool) -> None:
    """Refuse files in which nothing is, or so little that pruning would delete everything."""
    if loaded.faults:
        return
    names = ", ".join(map(str, paths))
    if not loaded.documents and not loaded.types:
        raise Rejected(f"there is no automation in {names}; nothing was applied")
    if prune and not loaded.documents:
        raise Rejected(
            f"there is no automation in {names}: --prune would delete all that were applied; "
            "nothing was applied"
        )
