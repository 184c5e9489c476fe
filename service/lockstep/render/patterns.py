"""Filters with regular expressions: in linear time, or bounded in time; and in the result.

A pattern that does not run in linear time, which an earlier version has let through, runs on the
engine of before, for a limited time; so does one that RE2 would read otherwise in some text, or
might take too long for a text that is large.
"""

import math
import re as plain
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import regex

from lockstep.model.errors import LimitExceeded, RenderError
from lockstep.render.limits import Work
from lockstep.render.linear import Linear, Match
from lockstep.render.values import truth

MOST_CHARACTERS: Final = 1000  # compiling cannot be interrupted
MOST_REPEATS: Final = 50_000
"""The product of the repeats (`{n}`) of a pattern: a piece is compiled as often as that."""

_MOST_SECONDS: Final = 0.05  # for which the loop stands still: no other run is to notice
_MATCH_STEPS: Final = 64  # a match is found in C, and noted in Python
_PART_BYTES: Final = 64  # the head of a text, and its place in a list
_REPEAT: Final = regex.compile(r"\{\s*(\d+)")
_GROUP: Final = plain.compile(r"\\(?:([0-9]{1,2})|g<(\w+)>|(.))", plain.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "\\": "\\"}


class BoundedPattern:
    """A pattern, for both engines; the one of before is asked only where it has to be."""

    def __init__(self, text: str, *, ignorecase: bool) -> None:
        self.text, self._flags = text, regex.IGNORECASE if ignorecase else 0
        self.refused: RenderError | None = None
        self._linear: Linear | None = None
        self._before: regex.Pattern[str] | None = None
        try:
            self._linear = Linear(text, ignorecase=ignorecase)
        except RenderError as error:
            self.refused = error
            self.before()

    def before(self) -> "regex.Pattern[str]":
        """Give it for the engine of before. Raise RenderError."""
        if self._before is None:
            try:
                self._before = regex.compile(self.text, flags=self._flags, cache_pattern=False)
            except Exception as error:  # its parser lets errors of Python through
                raise self.refused or RenderError(f"a pattern is wrong: {error}") from error
        return self._before

    @property
    def groups(self) -> int:
        """How many groups it has."""
        return self.before().groups if self._linear is None else self._linear.groups

    def begins(self, work: Work, value: str) -> bool:
        """Say whether a text begins with a match."""
        seconds = min(work.seconds_left(), _MOST_SECONDS)
        if self._linear is not None and self._linear.suits(value, seconds):
            return self._linear.begins(value)
        return self.before().match(value, timeout=seconds) is not None

    def matches(self, work: Work, value: str) -> Iterator[Match]:
        """Give the matches in a text."""
        seconds = min(work.seconds_left(), _MOST_SECONDS)
        if self._linear is not None and self._linear.suits(value, seconds):
            return self._linear.matches(value)
        return self.before().finditer(value, timeout=seconds)


def regex_match(work: Work, value: object, pattern: object, ignorecase: object = False) -> object:
    """Say whether a text begins with a match of a pattern; false for what is no text.

    Source: the filter of Home Assistant and Salt; `.*` in front looks anywhere.

    Raises:
        RenderError: The pattern is wrong.
        LimitExceeded: The pattern is too large, or takes too long on this text.
    """
    if not isinstance(value, str) or not isinstance(pattern, str):
        return False
    try:
        return _compiled(pattern, truth(ignorecase)).begins(work, value)
    except TimeoutError:
        raise _too_slow(pattern) from None


def regex_search(work: Work, value: object, pattern: object, ignorecase: object = False) -> object:
    """Say whether there is a match of a pattern anywhere in a text; false for what is no text.

    Source: the filter of Home Assistant.

    Raises:
        RenderError: The pattern is wrong.
        LimitExceeded: The pattern is too large, or takes too long on this text.
    """
    if not isinstance(value, str) or not isinstance(pattern, str):
        return False
    try:
        return any(True for _ in _compiled(pattern, truth(ignorecase)).matches(work, value))
    except TimeoutError:
        raise _too_slow(pattern) from None


def regex_findall(work: Work, value: object, pattern: object, ignorecase: object = False) -> object:
    """Give all matches of a pattern in a text: of one with groups what these have matched.

    Source: `re.findall`, as the filters of Home Assistant and Ansible have it.

    Raises:
        RenderError: The pattern is wrong.
        LimitExceeded: The pattern is too large or takes too long, or there are too many matches.
    """
    if not isinstance(value, str) or not isinstance(pattern, str):
        return []
    compiled = _compiled(pattern, truth(ignorecase))
    made: list[object] = []
    try:
        for found in compiled.matches(work, value):
            work.tick(_MATCH_STEPS)
            parts = [found.group(which) or "" for which in range(1, compiled.groups + 1)]
            parts = parts or [found.group(0) or ""]
            work.take(sum([_PART_BYTES + len(part) for part in parts]) + _PART_BYTES)
            made.append(parts if len(parts) > 1 else parts[0])
    except TimeoutError:
        raise _too_slow(pattern) from None
    return made


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
        for found in compiled.matches(work, value):
            written = _expanded(found, by) if "\\" in by else by
            made += [value[at : found.start()], written]
            size += len(made[-2]) + len(written)
            if size > work.limits.value_bytes:
                work.fit(size)
            work.tick(_MATCH_STEPS)
            at = found.end()
    except TimeoutError:
        raise _too_slow(pattern) from None
    return "".join([*made, value[at:]])


def check(pattern: str) -> RenderError | None:
    """Compile a pattern that stands in an expression, so that its fault is found early.

    Returns:
        Why it may not be written any more, where it runs on the engine of before.

    Raises:
        RenderError: The pattern is wrong.
        LimitExceeded: The pattern is too large.
    """
    return _compiled(pattern, False).refused


@lru_cache(maxsize=256)
def _compiled(pattern: str, ignorecase: bool) -> BoundedPattern:
    if len(pattern) > MOST_CHARACTERS:
        raise LimitExceeded(f"a pattern has more than {MOST_CHARACTERS} characters")
    repeats = math.prod([max(int(count), 1) for count in _REPEAT.findall(pattern)])
    if repeats > MOST_REPEATS:
        raise LimitExceeded("a pattern repeats too much")
    return BoundedPattern(pattern, ignorecase=ignorecase)


def _expanded(found: Match, by: str) -> str:
    r"""Put groups where a replacement names them; one that has matched nothing is empty."""

    def part(reference: plain.Match[str]) -> str:
        number, name, escaped = reference.groups()
        if escaped is not None:
            return _ESCAPES.get(escaped, reference[0])
        which: int | str = int(number or name) if (number or name).isdecimal() else name
        try:
            return found.group(which) or ""
        except IndexError:
            message = f"the replacement of a pattern is wrong: there is no group {which!r}"
            raise RenderError(message) from None

    return _GROUP.sub(part, by)


def _too_slow(pattern: str) -> LimitExceeded:
    return LimitExceeded(f"the pattern {pattern[:80]!r} takes too long on this text; simplify it")
