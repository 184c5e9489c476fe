"""What an expression may cost."""

import time
from typing import Final

import msgspec

from lockstep.model.errors import LimitExceeded

MAX_INTEGER_BITS: Final = 4096


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a template and of its evaluation."""

    text_bytes: int = 64 * 1024
    value_bytes: int = 1024 * 1024
    processor_seconds: float = 0.1
    nesting: int = 64


class Budget:
    """The processor time of one evaluation: asked at each operation that can be costly."""

    __slots__ = ("_began_ns", "_steps", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._began_ns = 0
        self._steps = 0

    def check(self) -> None:
        """Raise LimitExceeded when the time is over.

        Processor time of this thread, so that a busy machine costs nobody a template.
        """
        now = time.thread_time_ns()
        if not self._began_ns:
            self._began_ns = now
        elif now - self._began_ns > self.limits.processor_seconds * 1e9:
            raise LimitExceeded(
                f"the evaluation took more than {self.limits.processor_seconds * 1000:g} ms of "
                "processor time; make the expression or its data smaller"
            )

    def tick(self) -> None:
        """Count a cheap step; check now and then."""
        self._steps += 1
        if self._steps & 0x3F == 0:
            self.check()

    def room(self, size: int) -> None:
        """Refuse a value before it is made, where it would be too large."""
        self.check()
        if size > self.limits.value_bytes:
            raise LimitExceeded(
                f"the value would have {size} bytes, {self.limits.value_bytes} are allowed"
            )
