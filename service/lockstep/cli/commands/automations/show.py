"""`lockstep automations show`: one automation, as a file has it."""

from typing import Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson, Automation
from lockstep.cli.terminal import output

EXAMPLES: Final = ("automations show sample-orders > orders.yaml",)


def command(context: typer.Context, automation: Automation, as_json: AsJson = False) -> None:
    """Show an automation as YAML that `apply` takes."""
    finish(_show(engine(context), automation, as_json=as_json))


async def _show(engine: Reach, id_or_name: str, *, as_json: bool) -> bool:
    from lockstep.cli.files import source

    async with engine as remote:
        one = await remote.automation(id_or_name)
    if as_json:
        output.show_json(one)
        return True
    by = one.updated_by
    who = f" by {by.name or by.id or by.type}" if by else ""
    managed = f"managed by {one.managed_by}" if one.managed_by else "managed by hand"
    output.show_line(f"# version {one.version}, updated {one.updated_at:%Y-%m-%d %H:%M}Z{who}")
    output.show_line(f"# {managed}")
    output.show_line(source.document(one).rstrip())
    return True
