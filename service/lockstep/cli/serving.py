"""`dev`, `serve`, `config`, `db`: running an engine."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any, Final

import msgspec
import typer
import uvloop

from lockstep import app, embedded
from lockstep.cli import applying, logs
from lockstep.cli.output import errors, print_json, print_table, results
from lockstep.cli.session import Options, Session, session
from lockstep.config import Settings, load
from lockstep.embedded import Servers
from lockstep.model.errors import EngineError
from lockstep.store import pending

SAMPLES: Final = Path(__file__).parents[3] / "deploy" / "samples"


def serve(options: Options) -> None:
    """Run one engine until SIGTERM or Ctrl-C."""
    settings = options.settings()
    logs.configure(settings.log)
    _run(app.serve(settings, ready=_stop_on_signals))


def _stop_on_signals(engine: app.Engine) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.stop)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop; of errors that happen together the first one is told."""
    try:
        uvloop.run(work)
    except* EngineError as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def dev(options: Options, folder: Path, *, samples: bool) -> None:
    """Run embedded servers, migrations, the engine and the samples, until Ctrl-C."""
    loaded = load(options.config)
    logs.configure(loaded.settings.log)
    _run(_dev(loaded.settings, folder.resolve(), samples=samples))


async def _dev(settings: Settings, folder: Path, *, samples: bool) -> None:
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    errors.print("starting NATS and PostgreSQL ...")
    async with embedded.start(folder) as servers:
        settings = _beside(settings, servers)
        await app.migrate(settings)
        note = folder / "dev.json"
        note.write_bytes(
            msgspec.json.encode(
                {
                    "nats_url": servers.nats_url,
                    "postgres_dsn": servers.postgres_dsn,
                    "pid": os.getpid(),
                }
            )
        )
        try:
            await _engine_beside(settings, servers, folder, asked, samples=samples)
        finally:
            note.unlink(missing_ok=True)


def _beside(settings: Settings, servers: Servers) -> Settings:
    return msgspec.structs.replace(
        settings,
        nats=msgspec.structs.replace(settings.nats, servers=[servers.nats_url]),
        postgres=msgspec.structs.replace(settings.postgres, dsn=servers.postgres_dsn),
        engine=msgspec.structs.replace(settings.engine, catalog="open"),
    )


async def _engine_beside(
    settings: Settings, servers: Servers, folder: Path, asked: asyncio.Event, *, samples: bool
) -> None:
    started: asyncio.Future[app.Engine] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        engine = group.create_task(app.serve(settings, ready=started.set_result))
        stopping = group.create_task(_ends(asked.wait()))
        failing = group.create_task(servers.wait_failed())
        ready = group.create_task(_ends(started))
        await asyncio.wait({engine, ready, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            names = await _store_samples(settings) if samples else []
            _greet(servers, folder, names)
            await asyncio.wait({engine, stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
            if failing.done():
                raise failing.result()
            started.result().stop()
            await asyncio.wait({engine})
        for task in (engine, stopping, failing, ready):
            task.cancel()


async def _ends(what: Awaitable[object]) -> None:
    await what


async def _store_samples(settings: Settings) -> list[str]:
    if not SAMPLES.is_dir():
        errors.print(f"no samples: {SAMPLES} is not there")
        return []
    async with session(settings) as opened:
        return await _apply_samples(opened)


async def _apply_samples(opened: Session) -> list[str]:
    plan = await applying.planned(opened, [SAMPLES], prune=False)
    await applying.carry_out(opened, plan)
    return [step.name for step in plan]


def _greet(servers: Servers, folder: Path, samples: list[str]) -> None:
    program = Path(sys.argv[0])
    shown = program
    if program.is_absolute() and program.is_relative_to(Path.cwd()):
        shown = program.relative_to(Path.cwd())
    results.print("\n[bold green]Lockstep is running.[/bold green] Ctrl-C stops all of it.\n")
    print_table(
        ["what", "where"],
        [
            ["NATS", servers.nats_url],
            ["PostgreSQL", servers.postgres_dsn],
            ["data", folder],
            ["automations", ", ".join(samples) or "none yet"],
        ],
    )
    results.print("\nIn a second terminal, in this folder:\n")
    for line in (
        'publish demo.hello --payload \'{"name": "Ada"}\'',
        'publish orders.created --payload \'{"id": "A-1", "amount": 1200, "customer": "Ada"}\'',
        "runs list",
        "runs show <run id>",
        "runs watch",
    ):
        results.print(f"  {shown} {line}", markup=False, soft_wrap=True)
    results.print("")
    sys.stdout.flush()


def migrate(options: Options) -> None:
    """Apply what is missing."""
    settings = options.settings()
    applied = asyncio.run(app.migrate(settings))
    results.print(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")


def database_status(options: Options, *, as_json: bool) -> None:
    """Say what is missing."""
    settings = options.settings()
    missing = asyncio.run(pending(settings.postgres.dsn))
    if as_json:
        print_json({"pending": missing})
    elif missing:
        results.print(f"missing: {', '.join(missing)}; run `lockstep db migrate`")
    else:
        results.print("the schema is up to date")
    raise typer.Exit(1 if missing else 0)


def show_settings(options: Options, *, as_json: bool) -> None:
    """Show the settings in force."""
    overrides: dict[str, object] = {}
    if options.nats_url:
        overrides["nats.servers"] = [options.nats_url]
    shown = list(load(options.config, overrides=overrides).shown())
    if as_json:
        rows = [{"name": name, "value": value, "source": source} for name, value, source in shown]
        print_json(rows)
        return
    print_table(["setting", "value", "source"], shown)
