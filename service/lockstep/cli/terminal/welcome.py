"""What `lockstep dev` says when it runs: where everything is, and what to type next."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.text import Text

from lockstep.definition.documents import Document
from lockstep.settings.structs import Settings, without_secrets

_HELLO: Final = """demo.hello --payload '{"name": "Ada"}'"""


def welcome(
    settings: Settings, folder: Path, samples: Sequence[Document], *, is_found: bool
) -> list[Text]:
    """Say what runs where, and what to type next.

    `is_found`: other commands in this folder find the servers by themselves.
    """
    nats_url = settings.nats.servers[0]
    rows = {
        "NATS": nats_url,
        "PostgreSQL": without_secrets(settings.postgres.dsn),
        "data": str(folder.resolve()),
        "samples": ", ".join(sample.name for sample in samples) or "none",
    }
    command = _command()
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
