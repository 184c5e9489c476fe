"""What a template may cost, and the account that one evaluation keeps of it."""

import time
from collections.abc import Mapping
from typing import Final

import msgspec

from lockstep.model.errors import LimitExceeded
from lockstep.model.program import SharedScope
from lockstep.render.values import VALUE_BYTES, as_number, measure, to_text

INTEGER_BITS: Final = 4096
"""Larger integers are refused: about 1,200 digits. No single operation on them is long."""

_STRIDE: Final = 256
"""Steps between two looks at the clock; a step is some tenths of a microsecond."""

_CHARACTERS: Final = 5  # a power of two: so many are gone through in C in about a step
_ITEMS: Final = 3  # as well

_BEGINNING: Final = 32
"""Steps that each evaluation of a shared scope is charged with, so that many short ones count."""

_COPIES: Final = 32
"""How many values of the largest size one evaluation may make in all: 32 MiB by default."""


class Limits(msgspec.Struct, frozen=True):
    """The bounds of a text, of what becomes of it, and of the way there."""

    text_bytes: int = 64 * 1024
    value_bytes: int = VALUE_BYTES
    processor_seconds: float = 0.1
    nesting: int = 64


DEFAULT: Final = Limits()


class Work:
    """One evaluation: the scope that it reads, and what it may still cost. Never shared.

    The guard is cooperative: whatever loops counts its steps, and whatever makes a value asks for
    the room first, so that no single operation is long.
    """

    __slots__ = ("_account", "_room", "_steps", "limits", "scope")

    def __init__(self, scope: Mapping[str, object], limits: Limits) -> None:
        self.scope, self.limits = scope, limits
        if type(scope) is SharedScope:
            self._account: SharedScope | None = scope
            scope.steps += _BEGINNING
            self._steps = _STRIDE - scope.steps
        else:
            self._account, self._steps = None, _STRIDE
        self._room = limits.value_bytes * _COPIES

    def tick(self, steps: int = 1) -> None:
        """Count steps, and look at the clock now and then.

        Raises:
            LimitExceeded: The processor time is used up.
        """
        self._steps -= steps
        if self._steps < 0:
            self.seconds_left()

    def seconds_left(self) -> float:
        """Look at the clock; most evaluations end before they do so once.

        Raises:
            LimitExceeded: The processor time is used up.
        """
        # Of this thread, so that a machine that is busy with other things costs nobody a template.
        now = time.thread_time_ns()
        if self._account is None:
            self._account = SharedScope({})
        account, self._steps = self._account, _STRIDE
        allowed = account.seconds or self.limits.processor_seconds
        account.steps = 0
        if not account.ends_ns:
            account.ends_ns = now + int(allowed * 1e9)
        if now >= account.ends_ns:
            raise LimitExceeded(
                f"the evaluation took more than {1000 * allowed:g} ms of processor time"
            )
        return (account.ends_ns - now) / 1e9

    def take(self, size: int) -> None:
        """Ask for memory, in bytes, of which an evaluation has a share that it never gives back.

        Raises:
            LimitExceeded: The share is used up.
        """
        self._room -= size
        if self._room < 0:
            raise LimitExceeded("the evaluation needs too much memory")
        self.tick(1 + (size >> 10))

    def fit(self, characters: int) -> None:
        """Refuse a text before it is made.

        Raises:
            LimitExceeded: It would be longer than a value may be.
        """
        if characters > self.limits.value_bytes:
            raise LimitExceeded(
                f"a text would have {characters} characters;"
                f" a value may have {self.limits.value_bytes} bytes"
            )
        self.take(characters)

    def text(self, value: object) -> str:
        """Give the text of a value, as a template writes it.

        Raises:
            LimitExceeded: It is a list or an object, and too large.
            RenderError: It is no value of JSON.
        """
        if isinstance(value, str):
            return value
        made = to_text(value, self.limits.value_bytes, self.tick)
        self.tick(1 + (len(made) >> 3))
        return made

    def numeric(self, value: object) -> int | float | None:
        """Give a number, or the number that a text is; None for all else."""
        self.tick(1 + (len(value) >> 5) if type(value) is str else 1)
        return as_number(value)

    def weigh(self, value: object) -> None:
        """Refuse a list or an object that is too large to be gone through as a whole.

        Raises:
            LimitExceeded: As JSON it has more bytes than a value may have, or is nested too deep.
        """
        size = measure(value, self.limits.value_bytes, 0, self.tick)
        if size > self.limits.value_bytes:
            raise LimitExceeded(f"a value has more than {self.limits.value_bytes} bytes as JSON")
        self.tick(1 + (size >> 3))

    def approach(self, value: object) -> None:
        """Account for going through a value once, before that is done: a filter, a test.

        Raises:
            LimitExceeded: The processor time is used up.
        """
        kind = type(value)
        if kind is str:
            self.tick(1 + (len(value) >> _CHARACTERS))  # type: ignore[arg-type] # a text
        elif kind is list or kind is dict:
            self.tick(1 + (len(value) >> _ITEMS))  # type: ignore[arg-type] # a list, an object

    def account(self, value: object, made: object) -> None:
        """Account for a filter that has made something of a value.

        Raises:
            LimitExceeded: It is too large, or the processor time or the memory is used up.
        """
        self.tick(4)
        if type(made) is str:
            if made is not value:
                self.fit(len(made))
                self.take(made.__sizeof__() - len(made))
        elif type(made) is list:
            self.take(8 * len(made))
