"""Filters of text. What is no text passes through; an odd argument changes nothing."""

import re
from typing import Final

from lockstep.render.limits import Work
from lockstep.render.loops import path_of, pick
from lockstep.render.values import MISSING, as_number, truth

_ELLIPSIS: Final = "…"

_TRUE_WORDS: Final = frozenset({"true", "yes", "on", "1"})
_FALSE_WORDS: Final = frozenset({"false", "no", "off", "0", ""})
_PART_BYTES: Final = 64  # the head of a text, and its place in a list
_MOST_TRIMMED: Final = 64
"""Characters to strip; each is looked for at each step."""

_WORD: Final = re.compile(r"[^-\s({\[<]+")
_COUNTED: Final = re.compile(r"\w+")


def default(_: Work, value: object, default_value: object = "", boolean: object = False) -> object:
    """Give another value for missing, null and empty text; or, on demand, for all that is false."""
    if value is MISSING or value is None or value == "":
        return default_value
    return default_value if truth(boolean) and not truth(value) else value


def upper(_: Work, value: object) -> object:
    """Give a text in upper case."""
    return value.upper() if isinstance(value, str) else value


def lower(_: Work, value: object) -> object:
    """Give a text in lower case."""
    return value.lower() if isinstance(value, str) else value


def capitalize(_: Work, value: object) -> object:
    """Give a text with its first character in upper case and all others in lower case."""
    return value.capitalize() if isinstance(value, str) else value


def title(work: Work, value: object) -> object:
    """Give a text with each word in lower case, but for its first character.

    Source: the filter of Jinja2; a word begins after white space, `-`, `(`, `{`, `[` and `<`.
    """
    if not isinstance(value, str):
        return value

    def titled(word: re.Match[str]) -> str:
        work.take(_PART_BYTES)
        return word[0][0].upper() + word[0][1:].lower()

    return _WORD.sub(titled, value)


def indent(
    work: Work, value: object, width: object = 4, first: object = False, blank: object = False
) -> object:
    """Give a text with its lines indented by so many spaces or by a text, the first on demand.

    Source: the filter of Jinja2; lines with nothing in them stay empty, unless `blank` says so.
    """
    spaces = whole(width)
    if not isinstance(value, str) or (spaces is None and not isinstance(width, str)):
        return value
    work.fit(max(spaces or 0, 0))
    mark = width if isinstance(width, str) else " " * max(spaces or 0, 0)
    head, *rest = f"{value}\n".splitlines()
    work.take(_PART_BYTES * len(rest))
    work.fit(len(value) + len(mark) * (1 + len(rest)))
    every = truth(blank)
    lines = [mark + line if line or every else line for line in rest]
    return "\n".join([mark + head if truth(first) else head, *lines])


def wordcount(work: Work, value: object) -> object:
    """Give how many words there are in the text of a value.

    Source: the filter of Jinja2.
    """
    found = 0
    for _ in _COUNTED.finditer(work.text(value)):
        work.tick()
        found += 1
    return found


def trim(_: Work, value: object, chars: object = None) -> object:
    """Give a text without white space, or without the given characters, at both ends."""
    if not isinstance(value, str):
        return value
    if isinstance(chars, str) and len(chars) <= _MOST_TRIMMED:
        return value.strip(chars)
    return value.strip()


def truncate(_: Work, value: object, length: object = 255) -> object:
    """Give the first characters of a text, and an ellipsis where some were cut off."""
    most = whole(length)
    if not isinstance(value, str) or most is None or most < 0 or len(value) <= most:
        return value
    return value[:most] + _ELLIPSIS


def replace(
    work: Work, value: object, old: object, new: object = "", count: object = None
) -> object:
    """Give a text with each occurrence, or the first few, of a part replaced."""
    if not isinstance(value, str):
        return value
    old, new = work.text(old), work.text(new)
    times = value.count(old) if old else 0
    most = whole(count)
    if most is not None and most >= 0:
        times = min(times, most)
    work.fit(len(value) + times * max(len(new) - len(old), 0))
    return value.replace(old, new, times) if times else value


def split(work: Work, value: object, sep: object = None) -> object:
    """Give the parts of a text between separators, or between white space if there is none."""
    if not isinstance(value, str):
        return value
    if isinstance(sep, str) and sep:
        work.take(_PART_BYTES * value.count(sep))
        return value.split(sep)
    parts = value.split()
    work.take(_PART_BYTES * len(parts))
    return parts


def join(work: Work, value: object, sep: object = ", ", attribute: object = None) -> object:
    """Give the texts of the items of a list, or of a member of each, as one text."""
    if not isinstance(value, list):
        return value
    mark = work.text(sep)
    path = path_of(attribute)
    texts, size = [], 0
    for item in value:
        text = work.text(pick(item, path))
        size += len(text) + len(mark)
        if size > work.limits.value_bytes + len(mark):
            work.fit(size)
        work.tick(2)
        texts.append(text)
    return mark.join(texts)


def string(work: Work, value: object) -> object:
    """Give the text of a value, as a template writes it."""
    return work.text(value)


def to_integer(_: Work, value: object, default: object = 0) -> object:
    """Give a number, or the number that a text is, without its fraction; else the default."""
    if isinstance(value, bool):
        return int(value)
    number = as_number(value)
    return default if number is None else int(number)


def to_float(_: Work, value: object, default: object = 0.0) -> object:
    """Give a number, or the number that a text is, as a float; else the default."""
    if isinstance(value, bool):
        return float(value)
    number = as_number(value)
    try:
        return default if number is None else float(number)
    except OverflowError:
        return default


def to_bool(_: Work, value: object) -> object:
    """Give the truth of a value; of the words for yes and no (`off`, `0`) that of their meaning."""
    word = value.strip().lower() if isinstance(value, str) and len(value) <= 20 else None
    if word in _TRUE_WORDS or word in _FALSE_WORDS:
        return word in _TRUE_WORDS
    return truth(value)


def whole(value: object) -> int | None:
    """Give the whole number that an argument is; None for all else."""
    number = as_number(value)
    return None if number is None or number != int(number) else int(number)
