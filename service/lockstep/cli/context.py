"""What commands share: what stands before them, the settings, the way to an engine and out."""

from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import typer

from lockstep.client import unreachable

if TYPE_CHECKING:
    from lockstep.client.remote import Remote
    from lockstep.settings.load import Loaded

Reach: TypeAlias = "AbstractAsyncContextManager[Remote]"
"""A running engine, connected to while it is entered."""
WANTS_JSON: Final = ContextVar("wants_json", default=False)
"""Whether the command that runs was given `--json`: its errors are JSON too."""


class Options(NamedTuple):
    """The options before the command."""

    config: Path | None = None
    nats_url: str | None = None


def load(context: typer.Context, *, of_dev: bool = False) -> "Loaded":
    """Read the settings for a command; `of_dev` for `lockstep dev` itself.

    Raises:
        SettingError: Some are wrong.
    """
    from lockstep.cli import silence  # noqa: F401 - first, see there
    from lockstep.settings import load as reader

    options = context.ensure_object(Options)
    overrides: dict[str, object] = {}
    if options.nats_url is not None:
        overrides["nats.servers"] = [url.strip() for url in options.nats_url.split(",")]
    loaded = reader.load(options.config, None, overrides, of_dev=of_dev)
    unreachable.SOURCES.set(loaded.sources)
    return loaded


def engine(context: typer.Context) -> Reach:
    """Give the engine that the settings lead to.

    Raises:
        SettingError: Some are wrong.
    """
    settings = load(context).settings
    from lockstep.client.remote import connected

    return connected(settings)


def finish(work: Coroutine[None, None, bool]) -> None:
    """Do the work of a command; leave with 1 where it says that it was refused or failed."""
    import asyncio

    from lockstep.cli.silence import silence

    silence()
    if not asyncio.run(work):
        raise typer.Exit(1)
