"""The steps of a run as a tree, from their paths."""

import re
from collections.abc import Sequence
from typing import Final

from rich.text import Text
from rich.tree import Tree

from lockstep.cli.output import STYLES, duration
from lockstep_schemas.api import RunDetail, Step

# One visit of an action inside its container: `actions[0]`, `.choose[1].sequence[0]`,
# `.else[0]`, `.sequence[2]`, `.repeat[7].sequence[0]`, `.parallel[1][0]`.
PART: Final = re.compile(
    r"actions\[\d+\]|\.choose\[\d+\]\.sequence\[\d+\]|\.repeat\[\d+\]\.sequence\[\d+\]"
    r"|\.parallel\[\d+\]\[\d+\]|\.else\[\d+\]|\.sequence\[\d+\]"
)


def run_tree(detail: RunDetail) -> Tree:
    """Draw a run: its steps below one another as their actions are nested, with times."""
    run = detail.run
    head = Text(f"{run.automation_name} v{run.version}  ", "bold")
    head.append(run.status, STYLES.get(run.status, ""))
    if run.started_at and run.finished_at:
        head.append(f"  {duration((run.finished_at - run.started_at).total_seconds())}", "dim")
    why = run.error_message or run.reason
    if why:
        head.append(f"  {why}")
    tree = Tree(head)
    places: dict[str, Tree] = {"": tree}
    for step in in_order(detail.steps):
        parts = PART.findall(step.action_path)
        above = "".join(parts[:-1])
        branch = places.get(above, tree)
        places[step.action_path] = branch.add(label(step, parts[-1] if parts else ""))
    return tree


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Sort steps by their paths, numbers as numbers: as the definition nests them."""

    def key(step: Step) -> list[tuple[int, str]]:
        pieces = re.findall(r"\d+|[a-z]+", step.action_path)
        return [(int(piece), "") if piece.isdigit() else (0, piece) for piece in pieces]

    return sorted(steps, key=key)


def label(step: Step, part: str) -> Text:
    """Describe one step."""
    text = Text(f"{part.lstrip('.')} ")
    text.append(step.provider_action_id or step.action_kind, "bold")
    if step.action_id:
        text.append(f" ({step.action_id})")
    text.append("  ")
    text.append(step.status, STYLES.get(step.status, ""))
    if step.finished_at:
        text.append(f"  {duration((step.finished_at - step.started_at).total_seconds())}", "dim")
    if step.attempts > 1:
        text.append(f"  {step.attempts} attempts", "yellow")
    if step.error_message:
        text.append(f"  {step.error_message}", "red" if step.status == "failed" else "")
    return text
