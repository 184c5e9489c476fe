"""`lockstep apply`: bring the stored automations to what the files say."""

from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Final

import msgspec
from rich.text import Text

from lockstep.cli import documents, output, trigger_types
from lockstep.cli.diff import MISSING, Difference
from lockstep.cli.documents import Document
from lockstep.cli.faults import Fault, path_text
from lockstep.cli.plan import APPLY, Change, Plan, plan
from lockstep.cli.progress import progress
from lockstep.cli.remote import Refused, Remote, connected
from lockstep.cli.trigger_types import TypeChange
from lockstep.model.errors import EngineError
from lockstep.settings import Settings
from lockstep_schemas import api
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.catalog import CatalogList, Triggers

SHOWN_CHARACTERS: Final = 60
_SIGNS: Final = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "keep": ("=", "dim"),
    "delete": ("-", "red"),
}
_DONE: Final = {
    "create": "created",
    "update": "updated",
    "keep": "unchanged",
    "delete": "deleted",
}


class Rejected(EngineError):
    """Nothing was applied; what is wrong has been said."""

    code = "apply.rejected"


class Interrupted(EngineError):
    """Some changes were done, then one was not."""

    code = "apply.interrupted"


async def apply(
    settings: Settings, paths: Sequence[Path], *, prune: bool, dry_run: bool, as_json: bool
) -> bool:
    """Do it, or with `dry_run` only say what would be done."""
    loaded = documents.load(paths)
    _check(loaded, paths, prune=prune)
    async with connected(settings) as remote:
        made = await _planned(remote, loaded, prune=prune)
        wrong = [fault for fault in made.faults if fault.severity == "error"]
        if as_json:
            output.show_json(_as_json(made, dry_run=dry_run, refused=bool(wrong)))
        else:
            _show_faults(made.faults)
        if wrong:
            raise Rejected(f"{output.count(len(wrong), 'fault')}; nothing was applied")
        if not as_json:
            _show(made)
        if not dry_run:
            await _register(remote, made.types)
            await carry_out(remote, made.changes)
    if not as_json:
        output.tell(_summary(made, dry_run=dry_run))
    return True


def _check(loaded: documents.Documents, paths: Sequence[Path], *, prune: bool) -> None:
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


async def _planned(remote: Remote, loaded: documents.Documents, *, prune: bool) -> Plan:
    """Compare files and engine; have the engine judge every definition."""
    types, wrong = list[TypeChange](), list[Fault]()
    if loaded.types:
        known = (await remote.call("catalog.triggers", CatalogList(), Triggers)).items
        types, wrong = trigger_types.plan(known, loaded.types, APPLY)
    coming = {one.id for one in types}
    judged = await _validate(remote, loaded.documents, coming)
    made = plan(await remote.automations(), loaded.documents, prune=prune)
    return Plan(made.changes, [*loaded.faults, *wrong, *judged, *made.faults], types)


async def _register(remote: Remote, changes: Sequence[TypeChange]) -> None:
    """Bring the types to the engine: first, as automations may ask for their events."""
    for change in changes:
        if change.what == "keep":
            continue
        request = msgspec.structs.replace(change.document.register, owner=APPLY)
        try:
            await remote.call("catalog.triggers.register", request, api.Success)
        except EngineError as error:
            raise Interrupted(
                f"the type '{change.id}' ({change.document.file}) was not "
                f"{_DONE[change.what]}: {error}; apply again to do the rest"
            ) from error


async def carry_out(
    remote: Remote, changes: Sequence[Change], *, managed_by: str = APPLY
) -> list[Change]:
    """Do changes in order; give those that were needed.

    Raises:
        Interrupted: One failed; those before it are done.
    """
    needed = [change for change in changes if change.what != "keep"]
    with progress("applying", len(needed)) as advance:
        for done, change in enumerate(needed):
            try:
                await _carry_out(remote, change, managed_by)
            except EngineError as error:
                place = f" ({change.document.file})" if change.document else ""
                raise Interrupted(
                    f"'{change.name}'{place} was not {_DONE[change.what]}: {error}; "
                    f"{done} of {len(needed)} changes were done; apply again to do the rest"
                ) from error
            advance(1)
    return needed


async def _carry_out(remote: Remote, change: Change, managed_by: str) -> None:
    if change.what == "create" and change.document is not None:
        request = change.document.creation(managed_by)
        await remote.call("automations.create", request, api.Automation)
    elif change.what == "update":
        await remote.call("automations.update", change.update(managed_by), api.Automation)
    elif change.what == "delete" and change.current is not None:
        try:
            await remote.call("automations.delete", api.ById(change.current.id), api.Success)
        except Refused as error:
            if error.fault.code != "not_found":  # somebody else was quicker
                raise


async def _validate(remote: Remote, some: Sequence[Document], coming: Set[str]) -> list[Fault]:
    """Have the engine judge every definition, before anything is changed.

    That it does not know an event yet whose type comes with these files is no fault.
    """
    faults = []
    with progress("validating", len(some)) as advance:
        for document in some:
            request = api.ValidateRequest(definition=document.definition)
            verdict = await remote.call("automations.validate", request, api.Validation)
            unknown = {f"unknown event '{one}'" for one in coming}
            errors = [issue for issue in verdict.errors if issue.message not in unknown]
            faults += [document.fault(issue) for issue in errors]
            faults += [document.fault(issue, "warning") for issue in verdict.warnings]
            advance(1)
    return faults


def _show_faults(faults: Sequence[Fault]) -> None:
    for fault in faults:
        output.tell(str(fault), "red" if fault.severity == "error" else "yellow")


def _show(made: Plan) -> None:
    for one in made.types:
        output.show_line(type_text(one))
    for change in made.changes:
        output.show_line(change_text(change))


def change_text(change: Change) -> Text:
    """Describe a change, with what it changes in lines of their own."""
    sign, style = _SIGNS[change.what]
    text = Text(f"{sign} {output.line(change.name)}", style=style)
    about = [change.id or "", change.document.file if change.document else "", change.note]
    text.append(f"  {output.line(', '.join(part for part in about if part))}", style="dim")
    for line in difference_lines(change.differences):
        text.append(f"\n    {line}", style="default")
    return text


def type_text(change: TypeChange) -> Text:
    """Describe the change of a type of trigger."""
    sign, style = _SIGNS[change.what]
    text = Text(f"{sign} type {output.line(change.id)}", style=style)
    text.append(f"  {output.line(change.document.file)}", style="dim")
    for line in difference_lines(change.differences):
        text.append(f"\n    {line}", style="default")
    return text


def difference_lines(found: Sequence[Difference]) -> Iterator[str]:
    """Write each difference in one line: where, from what to what."""
    for one in found:
        old, new = shown_pair(one.old, one.new)
        yield f"{path_text(one.path)}: {old} → {new}"


def shown(value: object) -> str:
    """Show a side of a difference, in short."""
    if value is MISSING:
        return "nothing"
    text = output.line(msgspec.json.encode(value).decode())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def shown_pair(old: object, new: object) -> tuple[str, str]:
    """Show both sides of a difference; of long texts the part where they part."""
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > SHOWN_CHARACTERS:
        pairs = enumerate(zip(old, new, strict=False))
        parting = next((index for index, (one, other) in pairs if one != other), 0)
        start = parting - SHOWN_CHARACTERS // 3
        if start > 0:
            return shown(f"…{old[start:]}"), shown(f"…{new[start:]}")
    return shown(old), shown(new)


def _summary(made: Plan, *, dry_run: bool) -> str:
    counts = dict.fromkeys(_DONE.values(), 0)
    for what in [*(one.what for one in made.types), *(one.what for one in made.changes)]:
        counts[_DONE[what]] += 1
    text = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f"nothing was changed; it would be: {text}" if dry_run else text


def _as_json(made: Plan, *, dry_run: bool, refused: bool) -> JsonObject:
    return {
        "dry_run": dry_run,
        "faults": [fault_json(fault) for fault in made.faults],
        "types": [] if refused else [_type_json(change) for change in made.types],
        "changes": [] if refused else [_change_json(change) for change in made.changes],
    }


def fault_json(fault: Fault) -> JsonObject:
    """Give a fault for programs."""
    issue: JsonObject = msgspec.to_builtins(fault.issue)
    return {"file": fault.file, "severity": fault.severity, **issue}


def _change_json(change: Change) -> JsonObject:
    return {
        "change": _DONE[change.what],
        "id": change.id,
        "name": change.name,
        "file": change.document.file if change.document else None,
        "differences": [difference_json(one) for one in change.differences],
    }


def _type_json(change: TypeChange) -> JsonObject:
    return {
        "change": _DONE[change.what],
        "id": change.id,
        "file": change.document.file,
        "differences": [difference_json(one) for one in change.differences],
    }


def difference_json(one: Difference) -> JsonObject:
    """Give a difference for programs; a side where there is nothing is left out."""
    sides: dict[str, Json] = {"old": one.old, "new": one.new}
    return {
        "path": list(one.path),
        **{name: side for name, side in sides.items() if side is not MISSING},
    }
