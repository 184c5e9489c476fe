"""The gate: under one lock per (automation, scope key), count what is active and decide."""

from collections.abc import Mapping, Sequence

from lockstep.model.runs import Admission, Hit
from lockstep.ports import Transaction


async def admit(hits: Sequence[Hit], tx: Transaction) -> list[Admission]:
    """Decide for each hit, in order: a run, or a refusal that says why.

    An automation that was deleted or disabled meanwhile gives neither.
    """
    if not hits:
        return []
    await tx.lock_gates(sorted({_gate(hit) for hit in hits}))
    ids = sorted({hit.automation.id for hit in hits})
    enabled = await tx.hold_automations(ids)
    # Counted after the locks are held, in a statement of its own: it sees all that was committed
    # by those who held them before.
    active = _by_gate(hits, await tx.count_active(ids))
    admissions = []
    for hit in hits:
        if not enabled.get(hit.automation.id, False):
            continue
        gate = _gate(hit)
        refusal = _refusal(hit, active.get(gate, 0))
        if refusal is None:
            active[gate] = active.get(gate, 0) + 1
        admissions.append(Admission(hit, refusal))
    return admissions


def _gate(hit: Hit) -> str:
    """Name what the mode counts: all runs of the automation, or those of one context key."""
    if not hit.automation.program.by_context_key:
        return hit.automation.id
    key = hit.event.context_key
    return f"{hit.automation.id}/" if key is None else f"{hit.automation.id}/={key}"


def _by_gate(hits: Sequence[Hit], counts: Mapping[tuple[str, str | None], int]) -> dict[str, int]:
    scoped = {hit.automation.id for hit in hits if hit.automation.program.by_context_key}
    active: dict[str, int] = {}
    for (automation_id, key), count in counts.items():
        gate = automation_id
        if automation_id in scoped:
            gate = f"{automation_id}/" if key is None else f"{automation_id}/={key}"
        active[gate] = active.get(gate, 0) + count
    return active


def _refusal(hit: Hit, active: int) -> str | None:
    program = hit.automation.program
    if program.mode == "single" and active:
        return "mode single: a run is active"
    if program.mode == "parallel" and active >= program.max_runs:
        return f"mode parallel: {active} runs are active, max_runs is {program.max_runs}"
    return None
