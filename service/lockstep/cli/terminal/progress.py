"""How far it is, for what takes long: on a terminal, on standard error, gone when it is done."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lockstep.cli.terminal import output

Advance = Callable[[int], None]


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Advance]:
    """Show a bar; give what is to be called with how many more are done. Elsewhere: nothing."""
    if not sys.stderr.isatty() or total == 0:
        yield lambda _: None
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=output.console(error=True), transient=True) as shown:
        task = shown.add_task(output.line(what), total=total)
        yield lambda more: shown.advance(task, more)
