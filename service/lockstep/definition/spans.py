"""How long a run may take at most, as far as its definition says."""

from collections.abc import Iterable, Sequence
from typing import Final, assert_never

import msgspec

from lockstep.definition.tree import Path
from lockstep.model.texts import path_text
from lockstep.model.types import Catalog
from lockstep_schemas.actions import (
    Action,
    Choose,
    Delay,
    Guard,
    Parallel,
    ProviderAction,
    Repeat,
    Retry,
    Stop,
    Variables,
    Wait,
)
from lockstep_schemas.actions import Sequence as SequenceAction

LONGEST_DELAY: Final = 2_592_000  # seconds that a template of a delay may give
_TIMEOUT: Final = 300  # seconds of an attempt where nobody says otherwise
_ITERATIONS: Final = 1000  # of `while` and `until` where nobody says otherwise
_UNITS: Final = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_MOST_UNITS: Final = 2  # of a time that people read


class Span(msgspec.Struct, frozen=True):
    """The most seconds, None where there is no limit; then what has none, and where it is."""

    seconds: float | None = 0.0
    because: str = ""


def longest(some: Sequence[Action], path: Path, catalog: Catalog) -> Span:
    """Add up a list of actions."""
    return _sum(_of(action, (*path, index), catalog) for index, action in enumerate(some))


def in_words(seconds: float) -> str:
    """Write a time as people say it; of long ones what is small is left out."""
    if seconds < 1:
        return f"{seconds:g} seconds"
    left, found = round(seconds), list[str]()
    for unit, size in _UNITS:
        number, left = divmod(left, size)
        if number and len(found) < _MOST_UNITS:
            found.append(f"{number} {unit}{'s' * (number != 1)}")
    return " ".join(found)


def _of(action: Action, path: Path, catalog: Catalog) -> Span:
    if not action.enabled:
        return Span()
    match action:
        case ProviderAction():
            return _call(action, path, catalog)
        case Delay():
            seconds = action.delay.seconds
            return Span(LONGEST_DELAY if seconds is None else seconds)
        case Wait():
            limit = action.wait_for_trigger.timeout_seconds
            event = action.wait_for_trigger.event
            return Span(limit) if limit else _endless(f"waits for {event} without a limit", path)
        case Choose():
            branches = [(one.sequence, ("choose", i)) for i, one in enumerate(action.choose)]
            places = [*((some, (*place, "sequence")) for some, place in branches)]
            other: tuple[list[Action], Path] = (action.else_, ("else",))
            return _largest(
                longest(some, (*path, *place), catalog) for some, place in [*places, other]
            )
        case Parallel():
            return _largest(
                _of(one, (*path, "parallel", i), catalog) for i, one in enumerate(action.parallel)
            )
        case SequenceAction():
            return longest(action.sequence, (*path, "sequence"), catalog)
        case Repeat():
            return _loop(action, path, catalog)
        case Variables() | Guard() | Stop():
            return Span()
        case _:
            assert_never(action)


def _call(action: ProviderAction, path: Path, catalog: Catalog) -> Span:
    if action.action == "automation.start" and action.config.get("wait"):
        return _endless("waits for the end of another automation", path)
    kind = catalog.action(action.action)
    own = kind.timeout_seconds if kind else None
    retry = action.retry or Retry()
    attempt = action.timeout_seconds or own or _TIMEOUT
    return Span(attempt * retry.attempts + _between(retry))


def _between(retry: Retry) -> float:
    """Add up the pauses between attempts, each as long as it may be."""
    total, pause = 0.0, retry.delay_seconds
    for _ in range(retry.attempts - 1):
        total += min(pause, retry.max_delay_seconds)
        if retry.backoff == "exponential":
            pause = min(pause * 2, retry.max_delay_seconds)
    return total


def _loop(action: Repeat, path: Path, catalog: Catalog) -> Span:
    loop = action.repeat
    body = longest(loop.sequence, (*path, "repeat", "sequence"), catalog)
    if body.seconds in (None, 0):
        return body
    if loop.for_each is not None:
        return _endless("is done again for each item", path)
    times = loop.count or loop.max_iterations or _ITERATIONS
    return Span((body.seconds or 0) * times)


def _endless(because: str, path: Path) -> Span:
    return Span(None, f"{path_text(path)} {because}")


def _sum(some: Iterable[Span]) -> Span:
    total = 0.0
    for one in some:
        if one.seconds is None:
            return one
        total += one.seconds
    return Span(total)


def _largest(some: Iterable[Span]) -> Span:
    most = Span()
    for one in some:
        if one.seconds is None:
            return one
        most = one if one.seconds > (most.seconds or 0) else most
    return most
