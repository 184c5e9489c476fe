"""`lockstep dev`: servers, engine and sample automations, all on this machine."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from lockstep.cli.context import load
from lockstep.cli.terminal import output
from lockstep.model.errors import EngineError

if TYPE_CHECKING:
    from lockstep.definition.documents import Document
    from lockstep.embedded import Servers
    from lockstep.settings.load import Loaded

EXAMPLES: Final = ("dev", "dev --folder /tmp/try --no-samples")

# Who holds the folder is alive and says so: waiting for his end is useless.
_HELD_SECONDS: Final = 1.0


def command(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Where the data is kept.")] = Path(".lockstep"),
    samples: Annotated[bool, typer.Option(help="Store the sample automations.")] = True,
) -> None:
    """Run servers, engine and samples on this machine."""
    from lockstep.engine import process

    process.run(_dev(load(context, of_dev=True), folder, samples=samples))


async def _dev(loaded: "Loaded", folder: Path, *, samples: bool) -> None:
    """Run everything until a signal asks to stop.

    Raises:
        EngineError: A part cannot start, or cannot go on.
    """
    from lockstep.engine import process
    from lockstep.telemetry import logs

    logs.configure(loaded.settings.log)
    async with process.stop_signal(output.tell_stopping) as stop:
        started = asyncio.Event()
        working = asyncio.create_task(_work(loaded, folder, samples, stop, started))
        try:
            await process.either(working, stop)
            if started.is_set() or working.done():
                await working  # a running engine stops by itself, in good order
        finally:
            await process.cancelled(working)


async def _work(
    loaded: "Loaded", folder: Path, samples: bool, stop: asyncio.Event, started: asyncio.Event
) -> None:
    from lockstep import embedded
    from lockstep.cli.files import samples as ours
    from lockstep.embedded.lock import LOCK_LIMIT_SECONDS
    from lockstep.engine import process, serve
    from lockstep.settings.load import DEV_FILE, in_dev

    tell_differences(loaded)
    output.tell(f"starting NATS and PostgreSQL in {folder}")
    limit = _HELD_SECONDS if _is_held(folder) else LOCK_LIMIT_SECONDS
    async with embedded.start(folder, lock_limit_seconds=limit) as servers:
        used = in_dev(loaded, servers.nats_url, servers.postgres_dsn)
        await serve.migrate(used.settings)
        started.set()
        takes_events = asyncio.Event()
        found = await asyncio.to_thread(ours.read) if samples else []
        try:
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(_watch(servers, stop)),
                    group.create_task(_welcome(loaded, used, folder, found, takes_events)),
                ]
                await process.engine(used.settings, stop, takes_events.set)
                for task in beside:
                    task.cancel()
        finally:
            (folder / DEV_FILE.name).unlink(missing_ok=True)


def _is_held(folder: Path) -> bool:
    """Tell whether another `dev` is there; a stale file says nothing."""
    from lockstep.settings.load import DEV_FILE, DevServers, is_alive

    path = folder / DEV_FILE.name
    try:
        return is_alive(msgspec.json.decode(path.read_bytes(), type=DevServers).pid)
    except (OSError, msgspec.DecodeError):
        return False


def tell_differences(loaded: "Loaded") -> None:
    """Say what is not as `serve` would have it."""
    from lockstep.settings.load import DEV, DEV_DEFAULTS, Loaded, passed_over
    from lockstep.settings.structs import Settings

    usual = {name: value for name, value, _ in Loaded(Settings(), {}).shown()}
    for name, value in DEV_DEFAULTS.items():
        if loaded.sources.get(name) == DEV:
            output.tell(f"{name} is {value} unless it is set; for `lockstep serve` {usual[name]}")
    for name, source in passed_over(loaded):
        output.tell(f"{name} ({source}) is not used: the servers are our own", "yellow")


async def _watch(servers: "Servers", stop: asyncio.Event) -> None:
    """Fail when a server ends that nobody asked to."""
    failure = await servers.wait_failed()
    if not stop.is_set():
        raise failure


async def _welcome(
    loaded: "Loaded",
    used: "Loaded",
    folder: Path,
    samples: "Sequence[Document]",
    takes_events: asyncio.Event,
) -> None:
    """Once events are taken: store the samples, tell the other commands, say what to do next."""
    from lockstep.cli.files.samples import store
    from lockstep.cli.terminal.welcome import welcome
    from lockstep.client.remote import connected

    await takes_events.wait()
    try:
        async with connected(used.settings) as remote:
            await store(remote, samples)
    except EngineError as error:
        output.complain(f"the sample automations are not there: {error}")
        samples = []
    _write_dev_file(used, folder)
    for line in welcome(used.settings, folder, samples, is_found=_is_found(loaded, folder)):
        output.show_line(line)


def _is_found(loaded: "Loaded", folder: Path) -> bool:
    """Tell whether other commands in this folder use our servers by themselves."""
    from lockstep.settings.load import ADDRESSES, DEV_FILE

    is_here = folder.resolve() == Path.cwd() / DEV_FILE.parent
    return is_here and not ADDRESSES & loaded.sources.keys()


def _write_dev_file(used: "Loaded", folder: Path) -> None:
    """Say where the servers are; whole or not at all, and to nobody else."""
    from lockstep.settings.load import DEV_FILE, note_of

    new = folder / f"{DEV_FILE.name}.new"
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(note_of(used)))
    new.replace(folder / DEV_FILE.name)
