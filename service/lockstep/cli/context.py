"""What all commands share: the global options, the settings, the way to the end of a command."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from lockstep.cli import unreachable

if TYPE_CHECKING:
    from lockstep.config import Loaded

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


class Options(msgspec.Struct, frozen=True):
    """The options before the command."""

    config: Path | None = None
    nats_url: str | None = None


def load(context: typer.Context, *, use_dev: bool = True) -> "Loaded":
    """Read the settings for a command.

    Raises:
        SettingError: Some are wrong.
    """
    from lockstep import config  # noqa: PLC0415 - `--help` needs none of it

    options = context.ensure_object(Options)
    overrides: dict[str, object] = {}
    if options.nats_url is not None:
        overrides["nats.servers"] = [url.strip() for url in options.nats_url.split(",")]
    loaded = config.load(options.config, None, overrides, use_dev=use_dev)
    unreachable.SOURCES.set(loaded.sources)
    return loaded


def finish(work: Coroutine[None, None, bool]) -> None:
    """Do the work of a command; leave with 1 where it says that it was refused or failed."""
    from lockstep.cli import logs  # noqa: PLC0415 - `--help` needs none of it

    logs.silence()
    if not asyncio.run(work):
        raise typer.Exit(1)
