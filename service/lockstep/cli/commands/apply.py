"""`lockstep apply`: bring the stored automations to what the files say."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from lockstep.cli.context import finish, load
from lockstep.cli.options import AsJson, Paths, Sure
from lockstep.cli.terminal import output
from lockstep.model.errors import EngineError

if TYPE_CHECKING:
    from lockstep.cli.files.documents import Documents
    from lockstep.cli.files.plan import Plan
    from lockstep.settings.structs import Settings

EXAMPLES: Final = (
    "apply flows/",
    "apply door.yaml --dry-run",
    "apply flows/ --prune --owner team-doors",
)


OWNER_CHARACTERS: Final = 200  # a name, as that of an automation


class How(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    owner: str
    prune: bool
    dry_run: bool
    sure: bool
    as_json: bool


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
    owner: Annotated[
        str,
        typer.Option(
            help="Who keeps what is applied; --prune deletes what this owner has applied only."
        ),
    ] = "apply",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change.")
    ] = False,
    sure: Sure = False,
    as_json: AsJson = False,
) -> None:
    """Store what files say; show what changes.

    A document is an automation, or `trigger_types` with a list of types of triggers. The same id,
    else the same name, is the same automation. What is in one folder has one --owner; on a
    terminal --prune asks before it deletes.
    """
    if not owner.strip() or not owner.isprintable() or len(owner) > OWNER_CHARACTERS:
        text = f"a name of 1 to {OWNER_CHARACTERS} characters is expected"
        raise typer.BadParameter(text, param_hint="--owner")
    settings = load(context).settings
    how = How(owner=owner, prune=prune, dry_run=dry_run, sure=sure, as_json=as_json)
    finish(_apply(settings, paths, how))


async def _apply(settings: "Settings", paths: Sequence[Path], how: How) -> bool:
    """Do it, or with `dry_run` only say what would be done."""
    from lockstep.cli.files import documents, rollout
    from lockstep.cli.terminal import changes
    from lockstep.client.remote import connected

    loaded = documents.load(paths)
    _check(loaded, paths, prune=how.prune)
    async with connected(settings) as remote:
        made = await rollout.planned(remote, loaded, prune=how.prune, owner=how.owner)
    wrong = [fault for fault in made.faults if fault.severity == "error"]
    if how.as_json:
        output.show_json(changes.plan_json(made, dry_run=how.dry_run, refused=bool(wrong)))
    else:
        for fault in made.faults:
            output.tell(str(fault), "red" if fault.severity == "error" else "yellow")
    if wrong:
        raise Rejected(f"{output.count(len(wrong), 'fault')}; nothing was applied")
    if not how.as_json:
        changes.show_plan(made)
    if not how.dry_run:
        # Not connected while people think: nothing would answer the server.
        _ask(made, how)
        async with connected(settings) as remote:
            await rollout.register(remote, made.types)
            await rollout.carry_out(remote, made.changes, managed_by=how.owner)
    if not how.as_json:
        output.tell(changes.summary(made, dry_run=how.dry_run))
    return True


def _ask(made: "Plan", how: How) -> None:
    """Ask on a terminal whether to delete."""
    number = sum(one.what == "delete" for one in made.changes)
    if number and not how.sure and sys.stdin.isatty():
        question = f"Delete {output.count(number, 'automation')} for good, with all runs?"
        typer.confirm(question, abort=True, err=True)


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
