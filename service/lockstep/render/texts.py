"""Filters of text. What is of another type passes through, or gives a neutral value."""

import base64
import binascii
import hashlib
import math
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import regex

from lockstep.model.errors import LimitExceeded, RenderError
from lockstep.render.limits import Budget
from lockstep.render.values import MISSING, as_number, to_json, to_text, truth

REGEX_SECONDS: Final = 0.05
REGEX_CHARACTERS: Final = 1000


def default(value: object, other: object = "") -> object:
    """The other value for missing, null and empty text."""
    return other if value is MISSING or value is None or value == "" else value


def upper(value: object) -> object:
    """Upper case."""
    return value.upper() if isinstance(value, str) else value


def lower(value: object) -> object:
    """Lower case."""
    return value.lower() if isinstance(value, str) else value


def capitalize(value: object) -> object:
    """First letter in upper case, the rest as it is in lower case."""
    return value.capitalize() if isinstance(value, str) else value


def trim(value: object) -> object:
    """Without white space at both ends."""
    return value.strip() if isinstance(value, str) else value


def truncate(value: object, length: object = 255) -> object:
    """At most so many characters, then an ellipsis."""
    if not isinstance(value, str) or not isinstance(length, int) or length < 0:
        return value
    return value if len(value) <= length else value[:length] + "…"


def json(budget: Budget, value: object, indent: object = 0) -> object:
    """The JSON of a value."""
    width = indent if isinstance(indent, int) and not isinstance(indent, bool) else 0
    return to_json(value, budget.limits.value_bytes, width)


def replace(budget: Budget, value: object, old: object = "", new: object = "") -> object:
    """Every occurrence of a part, replaced."""
    if not isinstance(value, str) or not isinstance(old, str) or old == "":
        return value
    text = to_text(new, budget.limits.value_bytes)
    budget.room(len(value) + value.count(old) * max(0, len(text) - len(old)))
    return value.replace(old, text)


def integer(value: object, other: object = 0) -> object:
    """A whole number; what is none gives the other."""
    if isinstance(value, bool):
        return int(value)
    number = as_number(value)
    if number is None or not math.isfinite(number):
        return other
    return int(number)


def number(value: object, other: object = 0.0) -> object:
    """A number with a fraction; what is none gives the other."""
    if isinstance(value, bool):
        return float(value)
    found = as_number(value)
    try:
        return other if found is None else float(found)
    except OverflowError:
        return other


def string(budget: Budget, value: object) -> object:
    """The text of a value, as a template writes it."""
    return to_text(value, budget.limits.value_bytes)


def boolean(value: object) -> object:
    """Truth; the texts `true yes on 1` and `false no off 0` by what they say."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in {"false", "no", "off", "0", ""}:
            return False
    return truth(value)


def split(value: object, separator: object = None) -> object:
    """The parts of a text between separators, or between white space."""
    if not isinstance(value, str):
        return value if isinstance(value, list) else []
    if separator is None:
        return value.split()
    return value.split(separator) if isinstance(separator, str) and separator else [value]


def regex_match(budget: Budget, value: object, pattern: object = "") -> object:
    """Whether a pattern is found anywhere in a text."""
    if not isinstance(value, str) or not isinstance(pattern, str):
        return False
    return (
        _within(budget, lambda: _compiled(pattern).search(value, timeout=REGEX_SECONDS)) is not None
    )


def regex_replace(budget: Budget, value: object, pattern: object = "", new: object = "") -> object:
    """Every match of a pattern, replaced; a backslash and a number name a group."""
    if not isinstance(value, str) or not isinstance(pattern, str) or not isinstance(new, str):
        return value
    compiled = _compiled(pattern)
    room = budget.limits.value_bytes
    made = _within(
        budget,
        lambda: _bounded_sub(compiled, new, value, room),
    )
    return str(made)


def _bounded_sub(compiled: "regex.Pattern[str]", new: str, value: str, room: int) -> str:
    """Replace piece by piece, and stop as soon as the result is larger than is allowed."""
    made, size, at = [], 0, 0
    for match in compiled.finditer(value, timeout=REGEX_SECONDS):
        made += [value[at : match.start()], match.expand(new)]
        size += len(made[-1]) + len(made[-2])
        if size > room:
            raise LimitExceeded(f"the value would have more than {room} bytes")
        at = match.end()
    return "".join([*made, value[at:]])


def _compiled(pattern: str) -> "regex.Pattern[str]":
    if len(pattern) > REGEX_CHARACTERS:
        raise LimitExceeded(f"a pattern of more than {REGEX_CHARACTERS} characters is not allowed")
    try:
        return regex.compile(pattern)
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        raise RenderError(f"the pattern is wrong: {error}") from None


def _within(budget: Budget, work: Callable[[], object]) -> object:
    budget.check()
    try:
        return work()
    except TimeoutError:
        raise LimitExceeded(
            f"the pattern took more than {REGEX_SECONDS * 1000:g} ms; make it simpler"
        ) from None
    except (regex.error, IndexError) as error:
        raise RenderError(f"the replacement is wrong: {error}") from None


def b64encode(value: object) -> object:
    """Base64 of the UTF-8 of a text."""
    return base64.b64encode(value.encode()).decode() if isinstance(value, str) else value


def b64decode(value: object) -> object:
    """The text that Base64 holds; what is none passes through."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return value


def urlencode(budget: Budget, value: object) -> object:
    """A text as a part of a URL; an object as a query."""
    if isinstance(value, dict):
        pairs = [
            f"{quote(name, safe='')}={quote(to_text(item, budget.limits.value_bytes), safe='')}"
            for name, item in value.items()
        ]
        return "&".join(pairs)
    return quote(to_text(value, budget.limits.value_bytes), safe="")


def sha256(budget: Budget, value: object) -> object:
    """The SHA-256 of the text of a value, in hexadecimal digits."""
    return hashlib.sha256(to_text(value, budget.limits.value_bytes).encode()).hexdigest()
