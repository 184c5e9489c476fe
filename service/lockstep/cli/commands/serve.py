"""`lockstep serve`: one engine, from its settings to a signal."""

from typing import TYPE_CHECKING, Final

import typer

from lockstep.cli.context import load
from lockstep.cli.terminal import output

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockstep.settings.structs import Settings

EXAMPLES: Final = (
    "serve",
    "--config /etc/lockstep.toml serve",
    "--nats-url nats://nats:4222 serve",
)


def command(context: typer.Context) -> None:
    """Run one engine against the servers of the settings."""
    from lockstep.engine import process

    process.run(_serve(load(context).settings, lambda: load(context).settings))


async def _serve(settings: "Settings", fresh: "Callable[[], Settings]") -> None:
    from lockstep.engine import process
    from lockstep.telemetry import logs

    logs.configure(settings.log)
    async with process.stop_signal(output.tell_stopping) as stop:
        await process.engine(settings, stop, fresh=fresh)
