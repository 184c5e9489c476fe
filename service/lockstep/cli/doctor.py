"""`lockstep doctor`: a look at everything that an engine needs, and at what it has left."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.text import Text

from lockstep import bus, store
from lockstep.catalog import build_catalog, load_plugins, load_triggers
from lockstep.cli import output
from lockstep.model.errors import SettingError
from lockstep.model.findings import Finding, Verdict, fault, fine
from lockstep.settings import Settings

MONITOR_SECONDS: Final = 5.0
STYLES: Final[dict[Verdict, str]] = {
    "ok": "green",
    "unknown": "dim",
    "warning": "yellow",
    "fault": "red",
}


async def doctor(settings: Settings, monitor: str | None, *, as_json: bool) -> bool:
    """Look at all of it, and say what is wrong; false where something is.

    Raises:
        SettingError: The monitoring port of NATS does not answer.
    """
    monitored = None if monitor is None else await asyncio.to_thread(_monitored, monitor)
    on_bus, in_store = await asyncio.gather(
        bus.examine(settings.nats, monitored),
        store.examine(settings.postgres.dsn, settings.engine.stale_seconds),
    )
    findings = [*on_bus, *in_store, *_catalog(settings)]
    faults = sum(one.verdict == "fault" for one in findings)
    if as_json:
        output.show_json({"ok": not faults, "findings": findings})
        return not faults
    for one in findings:
        _show(one)
    warnings = sum(one.verdict == "warning" for one in findings)
    told = f"{output.count(faults, 'fault')}, {output.count(warnings, 'warning')}"
    output.tell(told, "red" if faults else "")
    return not faults


def _show(finding: Finding) -> None:
    style = STYLES[finding.verdict]
    output.show_line(
        Text.assemble(
            (f"{finding.verdict:<8}", style),
            f"{finding.check:<20}",
            output.line(finding.found),
        )
    )
    if finding.mend is not None:
        output.show_line(Text.assemble(" " * 8, ("mend: ", "bold"), output.line(finding.mend)))


def _catalog(settings: Settings) -> Sequence[Finding]:
    """Load what brings types, as an engine would."""
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
    url = f"{address.rstrip('/')}/jsz?config=1"
    try:
        with urllib.request.urlopen(url, timeout=MONITOR_SECONDS) as answer:  # noqa: S310 - checked
            body: bytes = answer.read()
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise SettingError(f"--nats-monitor: {url} does not answer: {error}") from None
    return body
