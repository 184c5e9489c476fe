"""Windows: a trigger goes on only at or above so many occurrences within a trailing time.

Counted by the time of the stream, so that a backlog counts as it was published. Of each counter
only the last moments are kept, as many as its window counts: all that a decision needs.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from lockstep.matching.hits import judgement
from lockstep.model.matches import Counter, Judgement, Match, Moments
from lockstep.model.program import WindowRule
from lockstep.ports import Transaction


def lock_name(match: Match) -> str:
    """Name the counter, to be locked with the gates."""
    hit = match.hit
    return f"w/{hit.automation.id}/{hit.trigger.id}/{match.partition.hex()}"


async def counted(matches: Sequence[Match], tx: Transaction) -> tuple[list[Match], list[Judgement]]:
    """Note each occurrence, once; let through those whose window is full enough.

    The counters are locked: replicas that hold events of one counter decide one after the other.
    """
    counters = {_counter(match): match.hit.trigger.window for match in matches if _counts(match)}
    if not counters:
        return list(matches), []
    known = dict(await tx.moments(list(counters)))
    through: list[Match] = []
    refused: list[Judgement] = []
    changed: dict[Counter, Moments] = {}
    for match in matches:
        window = match.hit.trigger.window
        if window is None or match.cancels:
            through.append(match)
            continue
        counter, at = _counter(match), match.hit.event.time
        before = _within(known.get(counter, ()), at, window)
        moments = sorted([*before, at])[-window.count :]
        known[counter] = moments
        expires_at = moments[-1] + timedelta(minutes=window.minutes)
        changed[counter] = Moments(counter, moments, expires_at)
        seen = len(before) + 1
        if seen == window.count if not window.every else seen >= window.count:
            through.append(match)
        else:
            refused.append(judgement(match.hit, "window", _told(seen, window)))
    await tx.keep_moments(list(changed.values()))
    return through, refused


def _counts(match: Match) -> bool:
    return match.hit.trigger.window is not None and not match.cancels


def _counter(match: Match) -> Counter:
    hit = match.hit
    return Counter(hit.automation.id, hit.trigger.id, match.partition)


def _within(moments: Sequence[datetime], at: datetime, window: WindowRule) -> list[datetime]:
    """Give what lies in the window that ends at the newest moment known."""
    newest = max([*moments, at])
    begin = newest - timedelta(minutes=window.minutes)
    return [moment for moment in moments if moment > begin]


def _told(seen: int, window: WindowRule) -> str:
    if seen > window.count:
        return f"{window.count} within {window.minutes} min were reached before"
    return f"{seen} of {window.count} within {window.minutes} min"
