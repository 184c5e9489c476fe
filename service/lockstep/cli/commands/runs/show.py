"""`lockstep runs show`: what a run did, as a tree."""

from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson, Last, OfAutomation, check_run
from lockstep.cli.terminal import output

EXAMPLES: Final = (
    "runs show RUN_ID --all",
    'runs show --last --automation "Door guard"',
    "runs show RUN_ID --io",
    "runs show RUN_ID --step 'actions[0].choose[1].sequence[0]'",
)


def command(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="Id of the run, or its beginning.", autocompletion=completion.run
        ),
    ] = None,
    last: Last = False,
    automation: OfAutomation = None,
    whole: Annotated[bool, typer.Option("--all", help="Draw long loops in full.")] = False,
    io: Annotated[
        bool, typer.Option("--io", help="Write what went into each step and came out of it.")
    ] = False,
    step: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Write that of one step: its path, or its id."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the steps of a run as a tree, and the event that started it."""
    check_run(run, automation, last=last)
    finish(_show(engine(context), (run, automation), step, whole=whole, io=io, as_json=as_json))


async def _show(
    engine: Reach,
    which: tuple[str | None, str | None],
    step: str | None,
    *,
    whole: bool,
    io: bool,
    as_json: bool,
) -> bool:
    """Show a run, by its id, or the newest one of an automation or of all."""
    from lockstep.cli.terminal import step_io
    from lockstep.cli.terminal.tree import FOLDED, draw

    async with engine as remote:
        run, automation = which
        detail = await remote.run(run or await remote.newest_run(automation, None))
    if step is not None:
        steps = step_io.steps_at(detail.steps, step)
        if as_json:
            output.show_json(steps)
        else:
            step_io.draw(steps)
        return True
    if as_json:
        output.show_json(detail)
    else:
        draw(detail, limit=None if whole else FOLDED, whole_payload=io)
        if io:
            step_io.draw(detail.steps)
    return True
