"""The gate: under one lock per (automation, scope key), look at what is active and decide."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from lockstep.model.admissions import REPLACED, Active, Admission, Counted
from lockstep.model.matches import TriggerMatch
from lockstep.ports.clock import Clock
from lockstep.ports.gate import GateTransaction

SUPERSEDED: Final = "superseded"


async def admit(
    matches: Sequence[TriggerMatch], tx: GateTransaction, clock: Clock
) -> tuple[list[Admission], list[UUID]]:
    """Decide for each match, in order; its queue is locked.

    An automation that was deleted or disabled meanwhile gives neither a run nor a refusal.

    Returns:
        What becomes of each match, and the active runs that newer ones replace.
    """
    if not matches:
        return [], []
    ids = sorted({match.automation.id for match in matches})
    enabled = await tx.lock_automations(ids)
    # Looked at after the locks are taken, in statements of their own: they see all that was
    # committed by those who had them before.
    gates = _Gates(matches, await tx.count_active(_counted(matches)))
    restarting = [one for one in matches if one.automation.program.mode == "restart"]
    if restarting:
        gates.take(await tx.active_runs(_counted(restarting)))
    now = clock.now()
    for match in matches:
        if enabled.get(match.automation.id, False):
            gates.decide(match, now)
    return gates.admissions, gates.replaced


def _counted(matches: Sequence[TriggerMatch]) -> Counted:
    """Name what is to be counted: no more than is asked for, however much sleeps beside it."""
    whole = {h.automation.id for h in matches if not h.automation.program.by_context_key}
    keys = {
        (h.automation.id, h.event.context_key)
        for h in matches
        if h.automation.program.by_context_key
    }
    return Counted(sorted(whole), [*keys])


def queue_key_of(match: TriggerMatch) -> str:
    """Name what the mode counts: all runs of the automation, or those of one context key."""
    return _name(
        match.automation.id, match.event.context_key, match.automation.program.by_context_key
    )


def _name(automation_id: str, key: str | None, by_context_key: bool) -> str:
    if not by_context_key:
        return automation_id
    return f"{automation_id}/" if key is None else f"{automation_id}/={key}"


class _Gates:
    """What is active behind each gate, those that were admitted a moment ago included."""

    def __init__(
        self, matches: Sequence[TriggerMatch], counts: Mapping[tuple[str, str | None], int]
    ) -> None:
        self.admissions: list[Admission] = []
        self.replaced: list[UUID] = []
        self._scoped = {h.automation.id for h in matches if h.automation.program.by_context_key}
        self._active: dict[str, int] = {}
        self._ranked: dict[str, list[tuple[tuple[datetime, int], UUID | Admission]]] = {}
        for (automation_id, key), count in counts.items():
            gate = _name(automation_id, key, automation_id in self._scoped)
            self._active[gate] = self._active.get(gate, 0) + count

    def take(self, runs: Sequence[Active]) -> None:
        """Know active runs by their rank: of automations that restart."""
        for run in runs:
            gate = _name(run.automation_id, run.context_key, run.automation_id in self._scoped)
            self._ranked.setdefault(gate, []).append((run.rank, run.id))

    def decide(self, match: TriggerMatch, now: datetime) -> None:
        """Decide what becomes of a match."""
        gate, program = queue_key_of(match), match.automation.program
        active = self._active.get(gate, 0)
        admission = Admission(match)
        self.admissions.append(admission)
        if program.mode == "restart":
            self._restart(gate, admission, now)
            return
        if program.mode == "queued":
            admission.queue_key = gate
            if active >= program.max_runs:
                admission.outcome = "refuse"
                limit = f"max_runs is {program.max_runs}"
                admission.reason = f"mode queued: {active} runs are active or queued, {limit}"
            elif active:
                admission.outcome = "queue"
        elif (refusal := _refusal(program.mode, program.max_runs, active)) is not None:
            admission.outcome, admission.reason = "refuse", refusal
        if admission.outcome != "refuse":
            self._active[gate] = active + 1

    def _restart(self, gate: str, admission: Admission, now: datetime) -> None:
        """Replace what is older; an older event never replaces the run of a newer one."""
        rank = admission.match.rank(now)
        ranked = self._ranked.setdefault(gate, [])
        if any(other > rank for other, _ in ranked):
            admission.outcome, admission.reason = "supersede", SUPERSEDED
            return
        for _, older in ranked:
            if isinstance(older, Admission):
                older.outcome, older.reason = "replace", REPLACED
            else:
                self.replaced.append(older)
        ranked[:] = [(rank, admission)]


def _refusal(mode: str, max_runs: int, active: int) -> str | None:
    if mode == "single" and active:
        return "mode single: a run is active"
    if mode == "parallel" and active >= max_runs:
        return f"mode parallel: {active} runs are active, max_runs is {max_runs}"
    return None
