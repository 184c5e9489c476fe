"""A batch that fails is taken apart, so that one row that cannot be handled holds up no other."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from lockstep.model.errors import Unavailable

Row = TypeVar("Row")


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
