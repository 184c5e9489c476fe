"""Secrets: where an author asks for one, and the one place that keeps their values out of sight.

A value that was resolved in this process is remembered, so that nothing that is stored, logged or
published shows it: `mask` puts `***` in its place.
"""

import re
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Final, NamedTuple

from lockstep.model.errors import EngineError
from lockstep_schemas.base import Json

PLACEHOLDER: Final = re.compile(r"\$\{\{\s*secrets\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
MASK: Final = "***"
SHORTEST: Final = 4
"""A shorter value cannot be kept out of logs: it is a part of too many words."""
# Each is in the pattern, in all its spellings: tokens that rotate must not fill it.
MOST: Final = 10_000
_LEAST_SIGNS: Final = 8  # of base64 in the middle of other: fewer are found in any text
# What JSON or a program writes before a sign: of a text inside of another one inside of another one
# up to fifteen backslashes; not without end, so that a text of them is searched in linear time.
_ESCAPED: Final = r"(?:\\{1,15}+|(?<=\\))"
_BETWEEN_WORDS: Final = (
    rf"(?:\s|\+|%(?:09|0[AD]|20|C2%(?:85|A0)|E2%80%A[89])|{_ESCAPED}(?:[nrtfv]|u[0-9a-f]{{4}}))+"
)


class SecretRefused(EngineError):
    """A secret is not known, cannot be asked for now, or is too short to be masked."""

    code = "secret.refused"
    advice = "See that the secret is there and long enough: section `secrets` of the settings."


class Form(NamedTuple):
    """A way in which a value is written: what of it is looked for first, which is quick; then how.

    A text without the core does not hold the value. It has only letters and digits of ASCII, which
    all ways write alike, and is in lower case where `folds`.
    """

    core: str
    folds: bool
    pattern: str


class Masker:
    """The values that must not be seen, in every form in which they are written."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, Sequence[Form]] = OrderedDict()
        self._forms: Sequence[Form] = ()  # the longest values first

    def remember(self, value: str) -> None:
        """Mask this value from now on, the last ten thousand of them."""
        if value in self._values:
            self._values.move_to_end(value)
            return
        self._values[value] = [*_forms(value)]
        while len(self._values) > MOST:
            self._values.popitem(last=False)
        longest_first = sorted(self._values, key=len, reverse=True)
        self._forms = [form for one in longest_first for form in self._values[one]]

    @property
    def knows_any(self) -> bool:
        """Whether there is anything to mask."""
        return bool(self._forms)

    def text(self, text: str) -> str:
        """Mask a text."""
        if not self._forms:
            return text
        lower = text.lower()
        found = tuple(
            form.pattern for form in self._forms if form.core in (lower if form.folds else text)
        )
        return _compiled(found).sub(MASK, text) if found else text

    def raw(self, body: bytes) -> bytes:
        """Mask bytes that may be text, or hold some."""
        if not self._forms:
            return body
        masked = self.text(body.decode("utf-8", "surrogateescape"))
        return masked.encode("utf-8", "surrogateescape")

    def json(self, value: Json) -> Json:
        """Mask all texts in a value, keys too."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.json(key): self.json(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(inner) for inner in value]
        return value


MASKER: Final = Masker()
"""Of the whole process: whatever has resolved a secret, nothing of it may show it."""


def names_in(text: str) -> list[str]:
    """Name the secrets that a text asks for, in order."""
    return PLACEHOLDER.findall(text)


def texts_in(value: Json, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give all texts in a value with their paths; items of lists stand as "*"."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from texts_in(inner, (*path, str(name)))
    elif isinstance(value, Sequence):
        for inner in value:
            yield from texts_in(inner, (*path, "*"))


@lru_cache(maxsize=256)  # the same few secrets are echoed again and again
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


def _forms(value: str) -> Iterator[Form]:
    """Give the ways in which a value is written."""
    words = value.strip() if len(value.strip()) >= SHORTEST else value
    yield Form(_core(words).lower(), True, f"(?i:{_spelled(words)})")
    yield from _in_base64(value.encode("utf-8", "surrogatepass"))
    if not words.isascii():
        with suppress(UnicodeError):  # no name of a host
            host = words.encode("idna").decode()
            yield Form(_core(host).lower(), True, f"(?i:{re.escape(host)})")


def _core(text: str) -> str:
    """Give the longest part of letters and digits."""
    return max(re.split(r"[^A-Za-z0-9]+", text), key=len)


def _spelled(value: str) -> str:
    """Give the pattern of a value in the ways in which texts are written.

    Each sign by itself: plain, escaped as in JSON or in Python, also several times, or
    percent-encoded, by whatever rules. What is between words may have been folded, or broken into
    lines in another way; names of hosts and headers are written in lower case.
    """
    return "".join(
        _BETWEEN_WORDS
        if part.isspace()
        else _backslashes(len(part))
        if part.startswith("\\")
        else "".join(map(_sign, part))
        for part in re.split(r"(\s+|\\+)", value)
    )


@lru_cache(maxsize=4096)  # more than the signs of most alphabets
def _sign(char: str) -> str:
    if char.isascii() and char.isalnum():
        return char
    percent = "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
    units = "".join(f"\\u{unit:04x}" for unit in _units(char))
    escaped = {char, *(way[1:] for way in (repr(char)[1:-1], ascii(char)[1:-1], units) if way[1:])}
    tails = [
        _ESCAPED.join(map(re.escape, tail.split("\\")))
        for tail in sorted(escaped, key=len, reverse=True)
    ]
    return f"(?:{_ESCAPED}(?:{'|'.join(tails)})|{percent}|{re.escape(char)})"


def _backslashes(number: int) -> str:
    """Give the pattern of so many of them; a text inside of another one has twice as many."""
    return rf"(?:\\|%5C){{{number},{16 * number}}}+"


def _units(char: str) -> Iterator[int]:
    """Give the units of UTF-16, which escapes of JSON are of."""
    raw = char.encode("utf-16-be", "surrogatepass")
    yield from (int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2))


def _in_base64(raw: bytes) -> Iterator[Form]:
    """Give a value as base64: alone, and in the middle of what else is encoded.

    A password stands behind its user so. Three bytes are four signs: the value may begin at the
    first, second or third of them, and those of its signs count that nothing else has a part in.
    """
    yield _signs(b64encode(raw).decode())
    for before in range(3):
        signs = b64encode(bytes(before) + raw).decode()
        own = signs[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        if len(own) >= _LEAST_SIGNS:
            yield _signs(own)


def _signs(signs: str) -> Form:
    """Give signs of base64, of either alphabet."""
    pattern = re.escape(signs).replace(r"\+", "[+-]").replace("/", "[/_]")
    return Form(_core(signs), False, pattern)
