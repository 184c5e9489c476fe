"""Filters with regular expressions, bounded in the pattern, in the time and in the result."""

import math
from functools import lru_cache
from typing import Final

import regex

from lockstep.model.errors import LimitExceeded, RenderError
from lockstep.render.limits import Work
from lockstep.render.values import truth

MOST_CHARACTERS: Final = 1000  # compiling cannot be interrupted
MOST_REPEATS: Final = 50_000
"""The product of the repeats (`{n}`) of a pattern: a piece is compiled as often as that."""

_MOST_SECONDS: Final = 0.05  # for which the loop stands still: no other run is to notice
_REPEAT: Final = regex.compile(r"\{\s*(\d+)")


def regex_match(work: Work, value: object, pattern: object, ignorecase: object = False) -> object:
    """Say whether a text begins with a match of a pattern; false for what is no text.

    Source: the filter of Home Assistant and Salt; `.*` in front looks anywhere.

    Raises:
        RenderError: The pattern is wrong.
        LimitExceeded: The pattern is too large, or takes too long on this text.
    """
    if not isinstance(value, str) or not isinstance(pattern, str):
        return False
    compiled = _compiled(pattern, truth(ignorecase))
    try:
        found = compiled.match(value, timeout=min(work.seconds_left(), _MOST_SECONDS))
    except TimeoutError:
        raise _too_slow(pattern) from None
    return found is not None


def regex_replace(
    work: Work, value: object, pattern: object, new: object = "", ignorecase: object = False
) -> object:
    r"""Give a text with each match of a pattern replaced; `\1`, `\g<name>` are its groups.

    Raises:
        RenderError: The pattern or the replacement is wrong.
        LimitExceeded: The pattern is too large or takes too long, or the result is too large.
    """
    if not isinstance(value, str) or not isinstance(pattern, str):
        return value
    compiled, by = _compiled(pattern, truth(ignorecase)), work.text(new)
    made, at, size = [], 0, 0
    try:
        for found in compiled.finditer(value, timeout=min(work.seconds_left(), _MOST_SECONDS)):
            written = found.expand(by) if "\\" in by else by
            made += [value[at : found.start()], written]
            size += len(made[-2]) + len(written)
            if size > work.limits.value_bytes:
                work.fit(size)
            work.tick(4)
            at = found.end()
    except TimeoutError:
        raise _too_slow(pattern) from None
    except (regex.error, IndexError) as error:
        raise RenderError(f"the replacement of a pattern is wrong: {error}") from error
    return "".join([*made, value[at:]])


def check(pattern: str) -> None:
    """Compile a pattern that stands in an expression, so that its fault is found early.

    Raises:
        RenderError: The pattern is wrong.
        LimitExceeded: The pattern is too large.
    """
    _compiled(pattern, False)


@lru_cache(maxsize=256)
def _compiled(pattern: str, ignorecase: bool) -> "regex.Pattern[str]":
    if len(pattern) > MOST_CHARACTERS:
        raise LimitExceeded(f"a pattern has more than {MOST_CHARACTERS} characters")
    repeats = math.prod([max(int(count), 1) for count in _REPEAT.findall(pattern)])
    if repeats > MOST_REPEATS:
        raise LimitExceeded("a pattern repeats too much")
    try:
        flags = regex.IGNORECASE if ignorecase else 0
        return regex.compile(pattern, flags=flags, cache_pattern=False)
    except Exception as error:  # its parser lets errors of Python through
        raise RenderError(f"a pattern is wrong: {error}") from error


def _too_slow(pattern: str) -> LimitExceeded:
    return LimitExceeded(f"the pattern {pattern[:80]!r} takes too long on this text; simplify it")
