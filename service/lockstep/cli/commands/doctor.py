"""`lockstep doctor`: a look at everything that an engine needs, and at what it has left."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli.context import finish, load
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output
from lockstep.model.errors import SettingError
from lockstep.model.findings import Finding, Verdict, fault, fine

if TYPE_CHECKING:
    from lockstep.settings.structs import Settings

EXAMPLES: Final = ("doctor", "doctor --nats-monitor http://127.0.0.1:8222 --json")

# The monitoring port answers from memory: one that has not by then is no monitoring port.
MONITOR_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 5.0  # somebody waits at a terminal
_STYLES: Final[dict[Verdict, str]] = {
    "ok": "green",
    "unknown": "dim",
    "warning": "yellow",
    "fault": "red",
}


def command(
    context: typer.Context,
    nats_monitor: Annotated[
        str | None,
        typer.Option(help="Address of the monitoring port of NATS, such as http://127.0.0.1:8222."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong, and how to mend it."""
    finish(doctor(load(context).settings, nats_monitor, as_json=as_json))


async def doctor(
    settings: "Settings",
    monitor: str | None,
    *,
    as_json: bool,
    patience_seconds: float = PATIENCE_SECONDS,
) -> bool:
    """Look at all of it, and say what is wrong; false where something is.

    `patience_seconds` is for how long NATS is tried to be reached.

    Raises:
        SettingError: The monitoring port of NATS does not answer.
    """
    from lockstep import store
    from lockstep.bus.doctor import examine
    from lockstep.cli.files.patterns import outdated_patterns

    monitored = None if monitor is None else await asyncio.to_thread(_monitored, monitor)
    on_bus, in_store = await asyncio.gather(
        examine(settings.nats, monitored, patience_seconds),
        store.examine(settings.postgres.dsn, settings.engine.stale_seconds),
    )
    patterns = await outdated_patterns(settings.postgres.dsn)
    findings = [*on_bus, *in_store, *_catalog(settings), *patterns]
    faults = sum(one.verdict == "fault" for one in findings)
    if as_json:
        output.show_json({"ok": not faults, "findings": findings})
        return not faults
    for one in findings:
        _show(one)
    warnings = sum(one.verdict == "warning" for one in findings)
    summary = f"{output.count(faults, 'fault')}, {output.count(warnings, 'warning')}"
    output.tell(summary, "red" if faults else "")
    return not faults


def _show(finding: Finding) -> None:
    from rich.text import Text

    style = _STYLES[finding.verdict]
    output.show_line(
        Text.assemble(
            (f"{finding.verdict:<8}", style),
            f"{finding.check:<20}",
            output.line(finding.found),
        )
    )
    if finding.mend is not None:
        output.show_line(Text.assemble(" " * 8, ("mend: ", "bold"), output.line(finding.mend)))


def _catalog(settings: "Settings") -> Sequence[Finding]:
    """Load what brings types, as an engine would."""
    from lockstep.catalog import build_catalog, load_plugins, load_triggers

    catalog = build_catalog(settings.engine.catalog == "open", prefix=settings.nats.prefix)
    failures = load_plugins(catalog)
    found = [
        fault(
            "plugins",
            f"plug-in '{one.plugin}' ({one.source}) cannot be loaded: {one.error}",
            "mend or update the package, or uninstall it; the engine goes on without it",
        )
        for one in failures
    ]
    folder = settings.engine.triggers_folder
    try:
        wrong = load_triggers(catalog, Path(folder)) if folder else []
    except OSError as error:
        wrong = [f"{folder}: {error.strerror}"]
    found += [fault("triggers", line, "mend it; see engine.triggers_folder") for line in wrong]
    return found or [fine("plugins", "all plug-ins and files with types can be loaded")]


def _monitored(address: str) -> bytes:
    """Ask the monitoring port of NATS for its configuration of JetStream.

    Raises:
        SettingError: It gives none.
    """
    if not address.startswith(("http://", "https://")):
        raise SettingError(
            f"--nats-monitor {address}: an address like http://HOST:8222 is expected"
        )
    import urllib.error
    import urllib.request

    url = f"{address.rstrip('/')}/jsz?config=1"
    try:
        with urllib.request.urlopen(url, timeout=MONITOR_SECONDS) as answer:  # noqa: S310 - checked
            body: bytes = answer.read()
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise SettingError(f"--nats-monitor: {url} does not answer: {error}") from None
    return body
