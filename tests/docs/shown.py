"""What a command shows, compared with what a page says that it shows."""

import re
import socket
from typing import Final

# What differs each time; and what hangs on it, the widths of tables.
DIFFERS: Final = (
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){1,3}(-[0-9a-f]{12})?\b", "ID"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?", "TIME"),
    (r"\b\d\d:\d\d:\d\d(\.\d+)?", "TIME"),
    (r"-?\b\d+(\.\d+)? ?(ms|s|min|h|days?)\b( \d+ (s|min|h)\b)?", "SPAN"),
    (r"127\.0\.0\.1(:|', )\d+", "ADDRESS"),
    (r"\b\d{4}_[a-z]\w+", "MIGRATION"),
    (r"\b\d+\.\d+(\.\d+)?\b", "VERSION"),
    (r"[─━-]{2,}", "--"),
    (r"[ \t]+", " "),
)


def same(text: str) -> list[str]:
    """Give the lines of a text without what differs each time."""
    text = text.replace(f" {socket.gethostname()} ", " vm ")
    for pattern, word in DIFFERS:
        text = re.sub(pattern, word, text)
    return [line.strip() for line in text.strip().splitlines()]


def stands_in(told: list[str], shown: list[str]) -> bool:
    """Tell whether lines are those that were shown; `...` stands for some of them, or none."""
    if not told:
        return not shown
    if told[0] == "...":
        return any(stands_in(told[1:], shown[at:]) for at in range(len(shown) + 1))
    return bool(shown) and told[0] == shown[0] and stands_in(told[1:], shown[1:])
