"""Windows: a trigger goes on only at or above so many occurrences within a trailing time.

Counted by the time of the stream, so that a backlog counts as it was published, in whatever order
its events are handled. Of each counter the last moments are kept: more than its window counts, for
what is handled late, by an hour at most where others of its counter have come meanwhile.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from lockstep.matching.judge import refusal
from lockstep.model.decisions import Candidate, Counter, Decision, Occurrences
from lockstep.model.program import WindowRule
from lockstep.ports.matching import MatchingTransaction

LATEST: Final = timedelta(hours=1)  # by which events are late: handled again, or in a slow lane
LEAST_KEPT: Final = 256  # moments: as many as another replica may have taken at once


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
        occurrences = sorted([*known.get(counter, ()), at])
        seen = _seen(occurrences, at, window)
        known[counter] = occurrences = _kept(occurrences, window)
        expires_at = occurrences[-1] + timedelta(minutes=window.minutes)
        changed[counter] = Occurrences(counter, occurrences, expires_at)
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


def _seen(occurrences: Sequence[datetime], at: datetime, window: WindowRule) -> int:
    """Count what lies in the window that ends at a moment.

    Windows that end at later moments have it in them, too, and were counted without it: it stands
    for the fullest of these, so that one that is full starts its run, in whatever order events in
    flight are handled. Where all are handled in order, there are none.
    """
    span = timedelta(minutes=window.minutes)
    ends = range(bisect_right(occurrences, at), bisect_left(occurrences, at + span) + 1)
    return max(end - bisect_right(occurrences, occurrences[end - 1] - span) for end in ends)


def _kept(occurrences: list[datetime], window: WindowRule) -> list[datetime]:
    """Give what events to come may be counted with."""
    begin = occurrences[-1] - timedelta(minutes=window.minutes) - LATEST
    most = max(2 * window.count, LEAST_KEPT)
    return occurrences[max(bisect_right(occurrences, begin), len(occurrences) - most) :]


def _detail(seen: int, window: WindowRule) -> str:
    if seen > window.count:
        return f"{window.count} within {window.minutes} min were reached before"
    return f"{seen} of {window.count} within {window.minutes} min"
