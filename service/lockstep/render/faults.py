"""Says where in a text an error lies, and turns whatever is raised into an error of ours."""

import re
from typing import Final

from lockstep.model.errors import LimitExceeded, RenderError, SyntaxFault
from lockstep.model.texts import described

_BREAK: Final = re.compile(r"\r\n?|\n")


def place(text: str, offset: int) -> tuple[int, int]:
    """Give line and column of an offset, both from 1."""
    line, begin = 1, 0
    for found in _BREAK.finditer(text, 0, offset):
        line, begin = line + 1, found.end()
    return line, offset - begin + 1


def fault(text: str, offset: int, message: str, hint: str = "") -> SyntaxFault:
    """Make a fault at an offset."""
    line, column = place(text, offset)
    return SyntaxFault(message, line=line, column=column, hint=hint)


def excess(text: str, offset: int, message: str) -> LimitExceeded:
    """Make an error of a text that goes past a limit at an offset."""
    line, column = place(text, offset)
    return LimitExceeded(message, line=line, column=column)


def locate(error: RenderError, text: str, offset: int) -> None:
    """Give an error its line and its column, unless it has them."""
    if error.line is None:
        error.line, error.column = place(text, offset)


def unexpected(error: Exception, text: str, offset: int) -> RenderError:
    """Make of what Python raised an error of ours."""
    line, column = place(text, offset)
    match error:
        case RecursionError() | MemoryError():
            message = "a value is too large or nested too deep"
            return LimitExceeded(message, line=line, column=column)
        case ZeroDivisionError():
            return RenderError("division by zero", line=line, column=column)
        case OverflowError():
            return RenderError("a number is too large", line=line, column=column)
        case _:
            return RenderError(described(error), line=line, column=column)
