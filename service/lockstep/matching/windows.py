"""Windows: a trigger goes on only at or above so many occurrences within a trailing time.

Counted by the time of the stream, so that a backlog counts as it was published. Of each counter
only the last moments are kept, as many as its window counts: all that a decision needs.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from lockstep.matching.judge import refusal
from lockstep.model.decisions import Candidate, Decision
from lockstep.model.occurrences import Counter, Occurrences
from lockstep.model.program import WindowRule
from lockstep.ports.matching import MatchingTransaction


def lock_name(candidate: Candidate) -> str:
    """Name the counter, to be locked with the queues."""
    match = candidate.match
    return f"w/{match.automation.id}/{match.trigger.id}/{candidate.partition.hex()}"


async def counted(
    candidates: Sequence[Candidate], tx: MatchingTransaction
) -> tuple[list[Candidate], list[Decision]]:
    """Note each occurrence, once; let through those whose window is full enough.

    The counters are locked: replicas that hold events of one counter decide one after the other.
    """
    counters = {
        _counter(candidate): candidate.match.trigger.window
        for candidate in candidates
        if _counts(candidate)
    }
    if not counters:
        return list(candidates), []
    known = dict(await tx.occurrences(list(counters)))
    through: list[Candidate] = []
    refused: list[Decision] = []
    changed: dict[Counter, Occurrences] = {}
    for candidate in candidates:
        window = candidate.match.trigger.window
        if window is None or candidate.cancels:
            through.append(candidate)
            continue
        counter, at = _counter(candidate), candidate.match.event.time
        before = _within(known.get(counter, ()), at, window)
        occurrences = sorted([*before, at])[-window.count :]
        known[counter] = occurrences
        expires_at = occurrences[-1] + timedelta(minutes=window.minutes)
        changed[counter] = Occurrences(counter, occurrences, expires_at)
        seen = len(before) + 1
        if seen == window.count if not window.every else seen >= window.count:
            through.append(candidate)
        else:
            refused.append(refusal(candidate.match, "window", _detail(seen, window)))
    await tx.keep_occurrences(list(changed.values()))
    return through, refused


def _counts(candidate: Candidate) -> bool:
    return candidate.match.trigger.window is not None and not candidate.cancels


def _counter(candidate: Candidate) -> Counter:
    match = candidate.match
    return Counter(match.automation.id, match.trigger.id, candidate.partition)


def _within(occurrences: Sequence[datetime], at: datetime, window: WindowRule) -> list[datetime]:
    """Give what lies in the window that ends at the newest moment known."""
    newest = max([*occurrences, at])
    begin = newest - timedelta(minutes=window.minutes)
    return [moment for moment in occurrences if moment > begin]


def _detail(seen: int, window: WindowRule) -> str:
    if seen > window.count:
        return f"{window.count} within {window.minutes} min were reached before"
    return f"{seen} of {window.count} within {window.minutes} min"
