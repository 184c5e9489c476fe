"""How far it is, for what takes long: on a terminal, on standard error, gone when it is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lockstep.cli.terminal import output

Advance = Callable[[int], None]


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Advance]:
    """Show a bar; give what is to be called with how many more are done. Elsewhere: nothing."""
    console = output.console(error=True)
    if not console.is_terminal or total == 0:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(output.line(what), total=total)
        yield lambda more: shown.advance(task, more)
