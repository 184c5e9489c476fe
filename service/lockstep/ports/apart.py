"""A batch that fails is taken apart, so that one row that cannot be handled holds up no other."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from lockstep.model.errors import Unavailable
from lockstep.model.parked import why

Row = TypeVar("Row")

log = structlog.get_logger()


async def apart(
    rows: Sequence[Row],
    act: Callable[[Sequence[Row]], Awaitable[None]],
    refused: Callable[[Row, Exception], None],
) -> None:
    """Act on rows at once; where that fails, on halves of them, down to those it fails for.

    `refused` is told each of these, while its exception is handled.

    Raises:
        Unavailable: A server is away; some may be done.
    """
    if not rows:
        return
    try:
        await act(rows)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        if len(rows) == 1:
            refused(rows[0], error)
            return
    else:
        return
    middle = len(rows) // 2
    await apart(rows[:middle], act, refused)
    await apart(rows[middle:], act, refused)


async def set_apart(
    rows: Sequence[Row],
    act: Callable[[Sequence[Row]], Awaitable[None]],
    park: Callable[[Sequence[tuple[Row, str]]], Awaitable[None]],
) -> None:
    """Act on rows; put those aside that it fails for, each with the reason.

    Raises:
        Unavailable: A server is away; some may be done.
    """
    found: list[tuple[Row, str]] = []

    def refused(row: Row, error: Exception) -> None:
        log.error("batch.refused", row=str(row), exc_info=error)
        found.append((row, why(error)))

    await apart(rows, act, refused)
    if found:
        await park(found)
