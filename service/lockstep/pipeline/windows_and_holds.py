"""What lies between a filter and the gate: windows, holds, and the conditions that follow them."""

from collections.abc import Sequence
from datetime import datetime

from lockstep import gate, matching
from lockstep.model.matches import Candidate
from lockstep.pipeline.parts import Decided
from lockstep.ports.pipeline import Transaction


async def pass_windows_and_holds(
    candidates: Sequence[Candidate], now: datetime, tx: Transaction
) -> Decided:
    """Lock what these ask for, and take them through windows, holds and what follows a window."""
    if not candidates:
        return Decided()
    await tx.lock_keys(sorted(lock_names(candidates)))
    counted, uncounted = await matching.windows.counted(candidates, tx)
    matches, held, armed, disarmed = await matching.holds.held(counted, now, tx)
    judged = [*uncounted, *held]
    passed = []
    for match in matches:
        # Without a window in between they were judged with the filter.
        failed = matching.meets_conditions(match, now) if match.trigger.window is not None else None
        if failed is None:
            passed.append(match)
        else:
            judged.append(failed)
    return Decided(passed, (), judged, armed, disarmed)


def lock_names(candidates: Sequence[Candidate]) -> set[str]:
    """Name all that must be locked before these are decided: queues, counters, holds."""
    names = set[str]()
    for candidate in candidates:
        names.add(gate.queue_key_of(candidate.match))
        if candidate.match.trigger.window is not None:
            names.add(matching.windows.lock_name(candidate))
        if candidate.match.trigger.hold is not None:
            names.add(matching.holds.lock_name(candidate.match))
    return names
