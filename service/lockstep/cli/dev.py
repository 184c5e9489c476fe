"""`lockstep dev`: servers, engine and sample automations, all on this machine."""

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.text import Text

import lockstep
from lockstep import embedded, start
from lockstep.cli import documents, logs, output
from lockstep.cli.apply import carry_out
from lockstep.cli.documents import Document
from lockstep.cli.plan import plan
from lockstep.cli.remote import connected
from lockstep.cli.serve import cancelled, either, engine, stop_signal
from lockstep.config import DEV_FILE, DevServers, Loaded, is_alive
from lockstep.embedded import Servers
from lockstep.embedded.lock import LOCK_LIMIT_SECONDS
from lockstep.model.errors import EngineError
from lockstep.settings import Settings, without_secrets

SAMPLES: Final = "dev"
"""Who manages the sample automations: `apply --prune` leaves them alone."""

# Who holds the folder is alive and says so: waiting for his end is useless.
_HELD_SECONDS: Final = 1.0
_HELLO: Final = """demo.hello --payload '{"name": "Ada"}'"""


async def dev(loaded: Loaded, folder: Path, *, samples: bool) -> None:
    """Run everything until a signal asks to stop.

    Raises:
        EngineError: A part cannot start, or cannot go on.
    """
    logs.configure(loaded.settings.log)
    async with stop_signal() as stop:
        started = asyncio.Event()
        working = asyncio.create_task(_work(loaded, folder, samples, stop, started))
        try:
            await either(working, stop)
            if started.is_set() or working.done():
                await working  # a running engine stops by itself, in good order
        finally:
            await cancelled(working)


async def _work(
    loaded: Loaded, folder: Path, samples: bool, stop: asyncio.Event, started: asyncio.Event
) -> None:
    output.tell(f"starting NATS and PostgreSQL in {folder}")
    limit = _HELD_SECONDS if _is_held(folder) else LOCK_LIMIT_SECONDS
    async with embedded.start(folder, lock_limit_seconds=limit) as servers:
        settings = settings_for(loaded, servers.nats_url, servers.postgres_dsn)
        await start.migrate(settings)
        started.set()
        takes_events = asyncio.Event()
        found = await asyncio.to_thread(_samples) if samples else []
        try:
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(_watch(servers, stop)),
                    group.create_task(_welcome(settings, folder, found, takes_events)),
                ]
                await engine(settings, stop, takes_events.set)
                for task in beside:
                    task.cancel()
        finally:
            (folder / DEV_FILE.name).unlink(missing_ok=True)


def _is_held(folder: Path) -> bool:
    """Tell whether another `dev` is there; a stale file says nothing."""
    path = folder / DEV_FILE.name
    try:
        return is_alive(msgspec.json.decode(path.read_bytes(), type=DevServers).pid)
    except (OSError, msgspec.DecodeError):
        return False


def settings_for(loaded: Loaded, nats_url: str, postgres_dsn: str) -> Settings:
    """Point settings at servers of our own; any event id may be used unless they say otherwise."""
    settings = loaded.settings
    nothing = msgspec.structs.replace(settings.nats, **dict.fromkeys(_CREDENTIALS, ""))
    is_chosen = "engine.catalog" in loaded.sources
    return Settings(
        nats=msgspec.structs.replace(nothing, servers=[nats_url], manage_bus=True, replicas=1),
        postgres=msgspec.structs.replace(settings.postgres, dsn=postgres_dsn, password_file=""),
        engine=settings.engine
        if is_chosen
        else msgspec.structs.replace(settings.engine, catalog="open"),
        log=settings.log,
    )


_CREDENTIALS: Final = (
    "user",
    "password",
    "token",
    "nkey_seed_file",
    "credentials_file",
    "tls_ca_file",
    "tls_cert_file",
    "tls_key_file",
)


async def _watch(servers: Servers, stop: asyncio.Event) -> None:
    """Fail when a server ends that nobody asked to."""
    failure = await servers.wait_failed()
    if not stop.is_set():
        raise failure


async def _welcome(
    settings: Settings, folder: Path, samples: Sequence[Document], takes_events: asyncio.Event
) -> None:
    """Once events are taken: store the samples, tell the other commands, say what to do next."""
    await takes_events.wait()
    try:
        await _store(settings, samples)
    except EngineError as error:
        output.complain(f"the sample automations are not there: {error}")
        samples = []
    _write_dev_file(settings, folder)
    for line in welcome(settings, folder, samples):
        output.show_line(line)


async def _store(settings: Settings, samples: Sequence[Document]) -> None:
    """Create the samples, or bring them up to date; those that somebody took over are his."""
    async with connected(settings) as remote:
        made = plan(await remote.automations(), samples, managed_by=SAMPLES)
        ours = [
            change
            for change in made.changes
            if change.current is None or change.current.managed_by == SAMPLES
        ]
        await carry_out(remote, ours, managed_by=SAMPLES)


def _samples() -> list[Document]:
    """Read the sample automations of the checkout that this package is in."""
    checkout = Path(lockstep.__file__).parents[2]
    folder = checkout / "deploy" / "samples"
    if not folder.is_dir():
        output.tell("no sample automations: they are in the checkout of the project only")
        return []
    loaded = documents.load(sorted(folder.glob("*.yaml")))
    for fault in loaded.faults:
        output.tell(f"sample left out: {fault}", "yellow")
    return loaded.documents


def _write_dev_file(settings: Settings, folder: Path) -> None:
    """Say where the servers are; whole or not at all, and to nobody else."""
    found = DevServers(settings.nats.servers[0], settings.postgres.dsn, os.getpid())
    new = folder / f"{DEV_FILE.name}.new"
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(found))
    new.replace(folder / DEV_FILE.name)


def welcome(settings: Settings, folder: Path, samples: Sequence[Document]) -> list[Text]:
    """Say what runs where, and what to type next."""
    nats_url = settings.nats.servers[0]
    rows = {
        "NATS": nats_url,
        "PostgreSQL": without_secrets(settings.postgres.dsn),
        "data": str(folder.resolve()),
        "samples": ", ".join(sample.name for sample in samples) or "none",
    }
    command = _command()
    is_found = folder.resolve() == Path.cwd() / DEV_FILE.parent
    if not is_found:
        command = f"{command} --nats-url {nats_url}"
    events = [
        str(trigger["event"]) for sample in samples for trigger in sample.definition["triggers"]
    ]
    event = _HELLO if "demo.hello" in events else events[0] if events else "EVENT"
    steps = {
        f"publish {event}": "publish an event",
        "runs list": "see what it started",
        "runs show RUN_ID": "see the steps of a run",
        "runs watch": "watch runs as they happen",
        "apply FILE": "store an automation of your own",
    }
    width = max(map(len, steps)) + len(command) + 3
    return [
        Text.assemble(("Lockstep runs.", "bold green")),
        *(Text.assemble(f"  {name:<12}", (value, "cyan")) for name, value in rows.items()),
        Text("Type next, in a second terminal" + (" in this folder:" if is_found else ":")),
        *(
            Text.assemble("  ", (f"{command} {words}".ljust(width), "bold"), (what, "dim"))
            for words, what in steps.items()
        ),
        Text("Ctrl-C stops all of it; the data stays."),
    ]


def _command() -> str:
    """Give what has to be typed for this command line."""
    if shutil.which("lockstep"):
        return "lockstep"
    typed = Path(sys.argv[0])
    here = Path.cwd()
    if typed.name != "lockstep":
        return f"{sys.executable} -m lockstep"
    return str(typed.relative_to(here) if typed.is_relative_to(here) else typed)
