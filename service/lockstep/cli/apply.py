"""`lockstep apply`: bring the stored automations to what the files say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.text import Text

from lockstep.cli import documents, output
from lockstep.cli.diff import MISSING, Difference
from lockstep.cli.documents import Document, Fault, path_text
from lockstep.cli.plan import APPLY, Change, Plan, plan
from lockstep.cli.remote import Refused, Remote, connected
from lockstep.model.errors import EngineError
from lockstep.settings import Settings
from lockstep_schemas import api
from lockstep_schemas.base import Json, JsonObject

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
    if not loaded.documents and not loaded.faults:
        names = ", ".join(map(str, paths))
        raise Rejected(f"there is no automation in {names}; nothing was applied")
    async with connected(settings) as remote:
        faults = [*loaded.faults, *await _validate(remote, loaded.documents)]
        made = plan(await remote.automations(), loaded.documents, prune=prune)
        faults += made.faults
        wrong = [fault for fault in faults if fault.severity == "error"]
        if as_json:
            output.show_json(_as_json(made, faults, dry_run=dry_run, refused=bool(wrong)))
        else:
            _show_faults(faults)
        if wrong:
            raise Rejected(f"{output.count(len(wrong), 'fault')}; nothing was applied")
        if not as_json:
            _show(made)
        if not dry_run:
            await carry_out(remote, made.changes)
    if not as_json:
        output.tell(_summary(made, dry_run=dry_run))
    return True


async def carry_out(
    remote: Remote, changes: Sequence[Change], *, managed_by: str = APPLY
) -> list[Change]:
    """Do changes in order; give those that were needed.

    Raises:
        Interrupted: One failed; those before it are done.
    """
    needed = [change for change in changes if change.what != "keep"]
    for done, change in enumerate(needed):
        try:
            await _carry_out(remote, change, managed_by)
        except EngineError as error:
            place = f" ({change.document.file})" if change.document else ""
            raise Interrupted(
                f"'{change.name}'{place} was not {_DONE[change.what]}: {error}; "
                f"{done} of {len(needed)} changes were done; apply again to do the rest"
            ) from error
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


async def _validate(remote: Remote, some: Sequence[Document]) -> list[Fault]:
    """Have the engine judge every definition, before anything is changed."""
    faults = []
    for document in some:
        request = api.ValidateRequest(definition=document.definition)
        verdict = await remote.call("automations.validate", request, api.Validation)
        faults += [document.fault(issue) for issue in verdict.errors]
        faults += [document.fault(issue, "warning") for issue in verdict.warnings]
    return faults


def _show_faults(faults: Sequence[Fault]) -> None:
    for fault in faults:
        output.tell(str(fault), "red" if fault.severity == "error" else "yellow")


def _show(made: Plan) -> None:
    for change in made.changes:
        output.show_line(change_text(change))


def change_text(change: Change) -> Text:
    """Describe a change, with what it changes in lines of their own."""
    sign, style = _SIGNS[change.what]
    text = Text(f"{sign} {output.line(change.name)}", style=style)
    about = [change.id or "", change.document.file if change.document else "", change.note]
    text.append(f"  {output.line(', '.join(part for part in about if part))}", style="dim")
    for one in change.differences:
        old, new = shown_pair(one.old, one.new)
        text.append(f"\n    {path_text(one.path)}: ", style="default")
        text.append(f"{old} → {new}", style="default")
    return text


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
    for change in made.changes:
        counts[_DONE[change.what]] += 1
    text = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f"nothing was changed; it would be: {text}" if dry_run else text


def _as_json(made: Plan, faults: Sequence[Fault], *, dry_run: bool, refused: bool) -> JsonObject:
    return {
        "dry_run": dry_run,
        "faults": [fault_json(fault) for fault in faults],
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
        "differences": [_difference_json(one) for one in change.differences],
    }


def _difference_json(one: Difference) -> JsonObject:
    sides: dict[str, Json] = {"old": one.old, "new": one.new}
    return {
        "path": list(one.path),
        **{name: side for name, side in sides.items() if side is not MISSING},
    }
