"""Lockstep as the next version might be: what it saves has a format that this one cannot read."""

from typing import Any

from lockstep.__main__ import main
from lockstep.walk import frames

today: Any = frames
encode_today = frames.encode


def encode(root: frames.RootFrame) -> bytes:
    """Save a run in the format of tomorrow, with a field that nobody knows today."""
    root.format = 2
    return encode_today(root)[:-1] + b',"of_tomorrow":true}'


today.FORMAT, today.READABLE, today.encode = 2, frozenset({1, 2}), encode

if __name__ == "__main__":
    main()
