"""What `apply` changes, and how definitions differ: for people, and for programs."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from lockstep.cli.files.diff import MISSING, Difference
from lockstep.cli.files.plan import DONE, Plan, PlannedChange
from lockstep.cli.files.trigger_types import TypeChange
from lockstep.cli.terminal import output
from lockstep.cli.terminal.table import Styled
from lockstep.definition.faults import Fault
from lockstep.model.texts import path_text
from lockstep_schemas.base import Json, JsonObject

# Of a value: with where it is, both sides fit into a line of most terminals.
SHOWN_CHARACTERS: Final = 60
_SIGNS: Final = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "keep": ("=", "dim"),
    "delete": ("-", "red"),
}


def show_plan(made: Plan) -> None:
    """Write what changes, one after the other."""
    for one in made.types:
        output.show_parts(type_parts(one))
    for change in made.changes:
        output.show_parts(change_parts(change))


def change_parts(change: PlannedChange) -> list[Styled]:
    """Describe a change, with what it changes in lines of their own."""
    about = [change.id or "", change.document.file if change.document else "", change.note]
    return _parts(change.what, change.name, ", ".join(filter(None, about)), change.differences)


def type_parts(change: TypeChange) -> list[Styled]:
    """Describe the change of a type of trigger."""
    return _parts(change.what, f"type {change.id}", change.document.file, change.differences)


def _parts(what: str, name: str, about: str, found: Sequence[Difference]) -> list[Styled]:
    sign, style = _SIGNS[what]
    lines = (Styled(f"\n    {line}", "") for line in difference_lines(found))
    head = Styled(f"{sign} {output.line(name)}", style)
    return [head, Styled(f"  {output.line(about)}", "dim"), *lines]


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


def summary(made: Plan, *, dry_run: bool) -> str:
    """Count what is created, updated, left as it is and deleted."""
    counts = dict.fromkeys(DONE.values(), 0)
    for what in [*(one.what for one in made.types), *(one.what for one in made.changes)]:
        counts[DONE[what]] += 1
    text = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f"nothing was changed; it would be: {text}" if dry_run else text


def plan_json(made: Plan, *, dry_run: bool, refused: bool) -> JsonObject:
    """Give all of a plan for programs; nothing changes where it is refused."""
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


def _change_json(change: PlannedChange) -> JsonObject:
    return {
        "change": DONE[change.what],
        "id": change.id,
        "name": change.name,
        "file": change.document.file if change.document else None,
        "differences": [difference_json(one) for one in change.differences],
    }


def _type_json(change: TypeChange) -> JsonObject:
    return {
        "change": DONE[change.what],
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
