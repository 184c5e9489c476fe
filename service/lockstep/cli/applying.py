"""`apply`: what is in files becomes what is stored, and people see what changes."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
import typer

from lockstep.cli import documents, session
from lockstep.cli.documents import Document, DocumentsRefused
from lockstep.cli.output import errors, print_json, results
from lockstep.cli.session import Options, Session
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json

MANAGED_BY: Final = "apply"
MARKS: Final = {"create": "+", "update": "~", "delete": "-", "keep": "="}
COLOURS: Final = {"create": "green", "update": "yellow", "delete": "red", "keep": "dim"}
_NOTHING: Final = object()


class Change(msgspec.Struct, frozen=True):
    """One difference by meaning: where, from what, to what."""

    path: str
    before: Json
    after: Json


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one automation."""

    what: Literal["create", "update", "delete", "keep"]
    name: str
    id: str | None = None
    request: dict[str, Json] = {}
    changes: list[Change] = []


def differences(before: Json, after: Json, path: str = "") -> Iterator[Change]:
    """Give what differs between two values; objects by key, lists by position."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(key for key in after if key not in before)]:
            inner = f"{path}.{name}" if path else str(name)
            yield from _pair(before.get(name, _NOTHING), after.get(name, _NOTHING), inner)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else _NOTHING
            new = after[index] if index < len(after) else _NOTHING
            yield from _pair(old, new, f"{path}[{index}]")
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield Change(path, before, after)


def _pair(before: Json, after: Json, path: str) -> Iterator[Change]:
    if before is _NOTHING or after is _NOTHING:
        yield Change(
            path, None if before is _NOTHING else before, None if after is _NOTHING else after
        )
    else:
        yield from differences(before, after, path)


def plan(current: Sequence[Json], wanted: Sequence[Document], *, prune: bool) -> list[Step]:
    """Say what happens to each automation: the same id, else the same name, is the same one.

    Only what was applied before is ever deleted.
    """
    by_id = {item["id"]: item for item in current}
    by_name: dict[str, Json] = {}
    for item in current:
        by_name.setdefault(item["name"], item)
    steps, met = [], set()
    for document in wanted:
        given = document.raw.get("id") if document.under else None
        stored = by_id.get(given) if given else by_name.get(document.name)
        steps.append(_step(document, given, stored))
        if stored:
            met.add(stored["id"])
    if prune:
        steps += [
            Step(what="delete", name=item["name"], id=item["id"])
            for item in current
            if item["managed_by"] == MANAGED_BY and item["id"] not in met
        ]
    return steps


def _step(document: Document, given: str | None, stored: Mapping[str, Json] | None) -> Step:
    beside = document.raw if document.under else {}
    fields = {
        "name": document.name,
        "description": beside.get("description"),
        "group": beside.get("group"),
        "definition": document.definition,
        "managed_by": MANAGED_BY,
    }
    if "status" in beside:
        fields["status"] = beside["status"]
    if stored is None:
        request = {name: value for name, value in fields.items() if value is not None}
        if given:
            request["id"] = given
        return Step(what="create", name=document.name, id=given, request=request)
    changes = list(differences({name: stored[name] for name in fields}, fields))
    if not changes:
        return Step(what="keep", name=document.name, id=stored["id"])
    touched = {change.path.partition(".")[0].partition("[")[0] for change in changes}
    return Step(
        what="update",
        name=document.name,
        id=stored["id"],
        request={
            "id": stored["id"],
            "expected_version": stored["version"],
            **{name: value for name, value in fields.items() if name in touched},
        },
        changes=changes,
    )


async def planned(opened: Session, paths: Sequence[Path], *, prune: bool) -> list[Step]:
    """Read files, let the engine judge all of them, and plan.

    Raises:
        DocumentsRefused: Something is wrong in one of them; nothing is applied.
    """
    wanted = documents.read(paths)
    faults = []
    for document in wanted:
        verdict = await opened.call("automations.validate", definition=document.definition)
        for raw in verdict["errors"]:
            issue = msgspec.convert(raw, Issue)
            line, column = document.source.place((*document.under, *issue.path))
            placed = msgspec.structs.replace(issue, line=line, column=column)
            faults.append(document.at(placed))
    if faults:
        raise DocumentsRefused("nothing is applied:\n" + "\n".join(faults))
    return plan(await opened.all_automations(), wanted, prune=prune)


async def carry_out(opened: Session, steps: Sequence[Step]) -> None:
    """Do what is planned."""
    for step in steps:
        if step.what == "create":
            await opened.call("automations.create", **step.request)
        elif step.what == "update":
            await opened.call("automations.update", **step.request)
        elif step.what == "delete":
            await opened.call("automations.delete", id=step.id)


def apply(
    options: Options, paths: Sequence[Path], *, prune: bool, dry_run: bool, as_json: bool
) -> None:
    """Plan, show, and, unless it is a dry run, do it."""

    async def work(opened: Session) -> list[Step]:
        steps = await planned(opened, paths, prune=prune)
        if not dry_run:
            await carry_out(opened, steps)
        return steps

    steps = session.run(work, options)
    if as_json:
        print_json({"applied": not dry_run, "steps": steps})
        return
    for step in steps:
        _show(step)
    if dry_run:
        errors.print("nothing was changed: a dry run")
    if not steps:
        errors.print("no automations in these files")
        raise typer.Exit(1)


def _show(step: Step) -> None:
    colour = COLOURS[step.what]
    words = {"create": "created", "update": "updated", "delete": "deleted", "keep": "unchanged"}
    results.print(f"[{colour}]{MARKS[step.what]} {words[step.what]}[/{colour}] ", end="")
    results.print(step.name, markup=False)
    for change in step.changes:
        before, after = _short(change.before), _short(change.after)
        results.print(f"    {change.path}: {before} -> {after}", markup=False, soft_wrap=True)


def _short(value: Json) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:77] + "..."
