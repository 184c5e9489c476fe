"""A run, and its steps as a tree, by their paths."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.text import Text
from rich.tree import Tree

from lockstep.cli.terminal import output, values
from lockstep.cli.terminal.output import clock, duration, lasted, line, status
from lockstep_schemas.api import Run, RunDetail, Step
from lockstep_schemas.base import Json

# Children of a step that are drawn: what a screen holds. Of more, the first and the last.
FOLDED: Final = 50
PAYLOAD: Final = 400  # characters: some lines of a screen


def tree(steps: Sequence[Step], label: Text | str = "", *, limit: int | None = FOLDED) -> Tree:
    """Draw steps under what contains them, in the order in which they began.

    Of more than `limit` children of one step only the first and the last are drawn, and those
    that did not succeed; None draws all.
    """
    children: dict[int | None, list[Step]] = {}
    latest: dict[str, Step] = {}
    names: dict[int, str] = {}
    for step in sorted(steps, key=lambda one: one.seq):
        parent = _parent(step.action_path, latest)
        children.setdefault(parent.seq if parent else None, []).append(step)
        names[step.seq] = step.action_path[len(parent.action_path) + 1 if parent else 0 :]
        latest[step.action_path] = step  # a step that is visited again has its own children
    root = Tree(label)
    open_ends: list[tuple[Tree, int | None]] = [(root, None)]
    while open_ends:
        node, seq = open_ends.pop()
        for one in _folded(children.get(seq, []), limit):
            if isinstance(one, int):
                node.add(Text(f"… {one} more", style="dim"))
            else:
                open_ends.append((node.add(step_text(one, names[one.seq])), one.seq))
    return root


def _parent(path: str, known: Mapping[str, Step]) -> Step | None:
    """Find the nearest step that contains a path; not every part of a path is a step."""
    while "." in path:
        path = path.rpartition(".")[0]
        if path in known:
            return known[path]
    return None


def _folded(steps: Sequence[Step], limit: int | None) -> list[Step | int]:
    """Put the number of those left out in their place."""
    if limit is None or len(steps) <= limit:
        return list(steps)
    shown: list[Step | int] = []
    for index, step in enumerate(steps):
        is_edge = index < limit // 2 or index >= len(steps) - limit // 2
        if is_edge or step.status not in {"success", "skipped"}:
            shown.append(step)
        elif shown and isinstance(shown[-1], int):
            shown[-1] += 1
        else:
            shown.append(1)
    return shown


def step_text(step: Step, name: str) -> Text:
    """Describe one step: what it is, what became of it, when, how long, what went wrong."""
    kind = step.provider_action_id or step.action_kind
    text = Text.assemble((line(name), "dim"), f" {line(kind)}  ", status(step.status))
    text.append(f"  {clock(step.started_at)}", style="dim")
    took = lasted(step.started_at, step.finished_at)
    text.append(f"  {took}" if took else "", style="dim")
    if step.attempts > 1:
        text.append(f"  {step.attempts} attempts", style="yellow")
    if step.error_message:
        style = "red" if step.status == "failed" else "dim"
        text.append(f"  {line(step.error_message)}", style=style)
    for warning in _warnings(step.result):
        text.append(f"  warning: {line(str(warning))}", style="yellow")
    return text


def run_text(run: Run) -> Text:
    """Describe a run in one line."""
    text = Text.assemble((line(run.automation_name), "bold"), f" v{run.version}  ")
    text.append(*status(run.status))
    if run.started_at is not None and run.finished_at is not None:
        text.append(f"  {duration(run.finished_at - run.started_at)}", style="dim")
    why = run.error_message or run.reason
    if why:
        text.append(f"  {line(why)}", style="red" if run.error_message else "dim")
    if run.waiting_for:
        text.append(f"  for {line(run.waiting_for)}", style="yellow")
    return text


def draw(detail: RunDetail, limit: int | None = FOLDED, *, whole_payload: bool = False) -> None:
    """Write what is to be known of a run: its steps, and where it came from."""
    run = detail.run
    about = {
        "run": run.id,
        "automation": run.automation_id,
        "event": run.trigger_event_id + (f" ({run.trigger_id})" if run.trigger_id else ""),
        "context key": run.context_key,
        "actor": " ".join(
            part for part in (run.actor.type, run.actor.name or run.actor.id) if part
        ),
        "started": output.moment(run.started_at),
        "finished": output.moment(run.finished_at),
        "parent": run.parent_run_id,
        "artifacts": ", ".join(
            f"{one.action_id} ({one.artifact_type})" for one in detail.artifacts
        ),
    }
    output.show(tree(detail.steps, run_text(run), limit=limit), "")
    for wait in detail.waits:
        since = output.moment(wait.armed_at)
        warned = "".join(f", {one}" for one in (wait.warning, wait.held_up) if one)
        key = f" (context key {wait.context_key})" if wait.context_key is not None else ""
        place = wait.action_path or "run"
        text = f"{place}: {wait.waiting_for}{key}, since {since}{warned}"
        output.show(Text.assemble((f"{'waits for':<12}", "yellow"), output.line(text)))
    for name, value in about.items():
        if value:
            output.show(Text.assemble((f"{name:<12}", "dim"), output.line(value)))
    _draw_payload(run.trigger_payload, whole=whole_payload)


def _draw_payload(payload: Json, *, whole: bool) -> None:
    if whole:
        values.draw("payload", payload)
        return
    text = values.written(payload)
    more = "…  (--io shows all of it)" if len(text) > PAYLOAD else ""
    head = Text.assemble((f"{'payload':<12}", "dim"), output.clean(text[:PAYLOAD]), (more, "dim"))
    output.show_line(head)


def _warnings(result: Json) -> Sequence[Json]:
    found = result.get("warnings") if isinstance(result, dict) else None
    return found if isinstance(found, list) else ()
