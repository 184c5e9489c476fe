"""What lies between a filter and the gate: windows, holds, and what follows them."""

from collections.abc import Sequence
from datetime import datetime

from lockstep import gate, matching
from lockstep.model.decisions import Candidate
from lockstep.pipeline.parts import Decided
from lockstep.ports.pipeline import Transaction


async def pass_windows_and_holds(
    candidates: Sequence[Candidate], now: datetime, tx: Transaction
) -> Decided:
    """Lock what these ask for, and take them through windows and holds.

    The conditions behind a window were judged with the filter: nothing is judged here.
    """
    if not candidates:
        return Decided()
    await tx.lock_keys(sorted(lock_names(candidates)))
    holding = {one.match.automation.id for one in candidates if one.match.trigger.hold is not None}
    if holding:
        # Before their timers: who deletes an automation has it alone, and takes its timers then.
        await tx.lock_automations(sorted(holding))
    counted, uncounted = await matching.windows.counted(candidates, tx)
    through, held, armed, disarmed = await matching.holds.held(counted, now, tx)
    unmet = [one.unmet for one in through if one.unmet is not None]
    passed = [one.match for one in through if one.unmet is None]
    return Decided(passed, (), [*uncounted, *held, *unmet], armed, disarmed)


def lock_names(candidates: Sequence[Candidate]) -> set[str]:
    """Name all that must be locked before these are decided: queues, counters, holds."""
    names = set[str]()
    for candidate in candidates:
        names.add(gate.queue_key_of(candidate.match))
        if candidate.match.trigger.window is not None:
            names.add(matching.windows.lock_name(candidate))
        if candidate.match.trigger.hold is not None:
            names.add(matching.holds.lock_name(matching.holds.holder_of(candidate.match)))
    return names
