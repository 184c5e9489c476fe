"""Work that is counted in calls of functions: the same number on every machine, however busy."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most(calls: int) -> Iterator[None]:
    """Let a block call at most so many functions, those of the interpreter counted too.

    Raises:
        AssertionError: It does more; at that call, so that what has no end is seen as well.
    """
    made = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal made
        if event in {"call", "c_call"}:
            made += 1
            if made > calls:
                sys.setprofile(None)
                raise AssertionError(f"more than {calls:,} calls")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
