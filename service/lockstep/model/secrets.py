"""Secrets: where an author asks for one, and the one place that keeps their values out of sight.

A value that was resolved in this process is remembered, so that nothing that is stored, logged or
published shows it: `mask` puts `***` in its place.
"""

import re
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote, quote_plus

import msgspec

from lockstep.model.errors import EngineError
from lockstep_schemas.base import Json

PLACEHOLDER: Final = re.compile(r"\$\{\{\s*secrets\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
MASK: Final = "***"
SHORTEST: Final = 4
"""A shorter value cannot be kept out of logs: it is a part of too many words."""
# Each is in the pattern in up to seven forms: tokens that rotate must not fill it.
MOST: Final = 10_000


class SecretRefused(EngineError):
    """A secret is not known, cannot be asked for now, or is too short to be masked."""

    code = "secret.refused"
    advice = "See that the secret is there and long enough: section `secrets` of the settings."


class Masker:
    """The values that must not be seen, in every form in which they are written."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, None] = OrderedDict()
        self._pattern: re.Pattern[str] | None = None

    def remember(self, value: str) -> None:
        """Mask this value from now on, the last ten thousand of them."""
        is_new = value not in self._values
        self._values[value] = None
        self._values.move_to_end(value)
        if not is_new:
            return
        while len(self._values) > MOST:
            self._values.popitem(last=False)
        forms = {form for one in self._values for form in _forms(one)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    @property
    def knows_any(self) -> bool:
        """Whether there is anything to mask."""
        return self._pattern is not None

    def text(self, text: str) -> str:
        """Mask a text."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def json(self, value: Json) -> Json:
        """Mask all texts in a value, keys too."""
        if self._pattern is None:
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


def _forms(value: str) -> set[str]:
    """Give the ways in which a value is mostly written: plain, in JSON, in URLs, as base64."""
    raw = value.encode("utf-8", "surrogatepass")
    written = msgspec.json.encode(value).decode()[1:-1] if raw.isascii() else value
    return {
        value,
        written,
        repr(value)[1:-1],
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        b64encode(raw).decode(),
    }
