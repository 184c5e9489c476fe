"""Texts for people: reasons, errors, what is waited for. Each is bounded where it is made."""

from collections.abc import Iterable
from typing import Final

TEXT_BYTES: Final = 4096
"""A reason is read by people, and stands in a row, in run events and in log lines at once."""
MARK: Final = "…"  # at the end of what was cut
NAMED: Final = 5  # names in a line that tells of many at once


def storable(text: str, most: int = TEXT_BYTES) -> str:
    """Give a text as rows, run events and log lines hold it.

    Of at most `most` bytes of UTF-8, no character split; without what PostgreSQL and JSON cannot
    hold: a zero byte, half of a surrogate pair.
    """
    head = text[: most + 1]  # what follows is cut in any case, and may be long
    if "\0" in head:
        head = head.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if head.isascii() and len(head) <= most:
        return head
    written = head.encode("utf-8", "replace")
    if len(written) > most:
        written = written[: most - len(MARK.encode())]
        return written.decode("utf-8", "ignore") + MARK
    return written.decode()


def some_of(names: Iterable[str]) -> list[str]:
    """Give the first few of many names, each once, for a log line that tells their number."""
    return [*dict.fromkeys(names)][:NAMED]
