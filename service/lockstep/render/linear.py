r"""Regular expressions in linear time: RE2, with what a pattern means to us.

`\d`, `\w` and `\s` know all of Unicode, as they always have; RE2 knows them in ASCII alone, so they
are written out for it. A text that it would read otherwise than before, it does not read.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

import re2

from lockstep.model.errors import RenderError

MEMORY_BYTES: Final = 1024 * 1024
"""Of a compiled pattern and its automaton: compiling is bounded by it."""
STEPS_PER_SECOND: Final = 120_000_000
"""Instructions times characters; the worst patterns that were found take 8 ns for each."""

_WORD: Final = r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24B6}-\x{24E9}"  # word characters of Unicode
_SPACE: Final = r"\s\v\x{85}\p{Z}"
_OUTSIDE: Final[Mapping[str, str]] = {
    "d": r"\p{Nd}",
    "D": r"\P{Nd}",
    "w": f"[{_WORD}]",
    "W": f"[^{_WORD}]",
    "s": f"[{_SPACE}]",
    "S": f"[^{_SPACE}]",
    "Z": r"\z",
}
_INSIDE: Final[Mapping[str, str]] = {"d": r"\p{Nd}", "D": r"\P{Nd}", "w": _WORD, "s": _SPACE}
_PART: Final = re.compile(r"\\(.)|\[:\^?\w+:\]|\[\^?\]?|\{,\d+\}|.", re.DOTALL)
# Where such a pattern matches nothing, RE2 goes on a character further; a match there is lost.
_NOTHING_FIRST: Final = re.compile(r"[?*}]\?|^\||\((?:\?(?::|P<\w+>))?\||\|\||\|\)|\|$")
# In any case of letters, `i` is a dotless and a dotted one too, as ever; to RE2 these are others.
_ANY_CASE: Final = re.compile(r"\(\?[a-zA-Z]*i")
_DOTTED: Final = re.compile(r"[\u0130\u0131]")
_MAY_BE_DOTTED: Final = re.compile(r"[\u0130\u0131]|-[^\x00-\x7f]|\\x")  # by itself, or in a range
_OTHERWISE: Final = re.compile(r"\\[QEC]|\(\?[a-zA-Z]*U")  # it means something else to RE2
_REFUSED: Final[tuple[tuple[str, str, str], ...]] = (
    (r"\(\?<?[=!]", "look-around", "match around it, or join two conditions with `and`, `not`"),
    (r"\\[1-9]|\(\?P=", "a back-reference", "take the parts out and compare them with `==`"),
    (r"\(\?>|[+*?}]\+", "atomic or possessive matching", "leave it out: it never runs long"),
    (r"\(\?[a-z]*[xaLu]", "a flag", "leave it out; `(?i)`, `(?m)` and `(?s)` are there"),
    (r"\(\?#", "a comment", "leave it out"),
)
"""What patterns have that cannot run in linear time, and what to write instead."""


class Match(Protocol):
    """Where a pattern was found."""

    def start(self) -> int:
        """Where it begins."""
        ...

    def end(self) -> int:
        """Where it ends."""
        ...

    def group(self, which: int | str, /) -> str | None:
        """Give what a group has matched. Raise IndexError if there is none of that name."""
        ...


class Linear:
    """A pattern that runs in linear time.

    Raises:
        RenderError: There is something in it that does not; the hint says what to write.
    """

    def __init__(self, pattern: str, *, ignorecase: bool) -> None:
        if _OTHERWISE.search(pattern.replace("\\\\", "")):
            raise _refusal(pattern, "it means something else now")
        self._ascii_only = self._ends = False
        self._any_case = ignorecase or _ANY_CASE.search(pattern) is not None
        self._never = self._any_case and _MAY_BE_DOTTED.search(pattern) is not None
        options = re2.Options()
        options.max_mem, options.log_errors = MEMORY_BYTES, False
        options.case_sensitive = not ignorecase
        try:
            self._made = re2.compile("".join(self._translated(pattern)), options)
        except re2.error as error:
            reason = error.args[0] if error.args else error
            text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            raise _refusal(pattern, text) from None
        if self._made.match("") is not None and _NOTHING_FIRST.search(pattern):
            raise _refusal(pattern, "it would rather match nothing than something")
        self._size: int = self._made.programsize
        self.groups: int = self._made.groups
        """How many groups it has."""

    def suits(self, text: str, seconds: float) -> bool:
        """Say whether it means the same as ever in a text, and is done with it in that time."""
        if self._never or (self._ascii_only and not text.isascii()):
            return False
        if self._any_case and not text.isascii() and _DOTTED.search(text):
            return False
        if self._ends and text.endswith("\n"):
            return False
        return self._size * len(text) <= seconds * STEPS_PER_SECOND

    def begins(self, text: str) -> bool:
        """Say whether a text begins with a match."""
        return self._made.match(text) is not None

    def matches(self, text: str) -> Iterator[Match]:
        """Give the matches in a text."""
        last = None
        for found in self._made.finditer(text):  # it gives an empty one at the end twice
            place = found.start(), found.end()
            if place != last:
                yield found
            last = place

    def _translated(self, pattern: str) -> Iterator[str]:
        r"""Write out what RE2 reads in ASCII alone, and note what cannot be written out.

        A `$` is also before a last line break, a `\b` at borders of words in all scripts: RE2 finds
        neither.
        """
        within = False
        for found in _PART.finditer(pattern):
            part, escaped = found[0], found[1]
            if escaped is not None:
                written = (_INSIDE if within else _OUTSIDE).get(escaped)
                self._ascii_only |= written is None and escaped in "bBDWS"
                yield written or part
                continue
            if part.startswith("[:"):
                self._ascii_only = True
            elif part.startswith("{,") and not within:
                part = "{0" + part[1:]
            elif within:
                within = not part.endswith("]")
            elif part.startswith("["):
                within = True
            else:
                self._ends |= part == "$"
            yield part


def _refusal(pattern: str, reason: str) -> RenderError:
    bare = pattern.replace("\\\\", "")
    for found, name, hint in _REFUSED:
        if re.search(found, bare):
            return RenderError(f"the pattern {pattern[:80]!r} has {name}: {reason}", hint=hint)
    return RenderError(
        f"the pattern {pattern[:80]!r} cannot be used: {reason}",
        hint="write it as RE2 has it: https://github.com/google/re2/wiki/Syntax",
    )
