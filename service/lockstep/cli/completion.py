"""What a shell offers where Tab is pressed: ids that a running engine knows, and files.

Whoever presses Tab waits for it, and reads no errors there: without an engine, or with one that
is slow, nothing is offered.
"""

import contextlib
import io
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

import typer

from lockstep.cli.context import Options, load
from lockstep.model.errors import EngineError

if TYPE_CHECKING:
    from lockstep.client.remote import Remote

# Longer than that nobody waits for a key; an engine that is there answers in a tenth.
PATIENCE_SECONDS: Final = 1.5
# Of what grows without end: more words than a shell shows without a question.
LIMIT: Final = 100
SUFFIXES: Final = (".yaml", ".yml", ".json")

# What a shell takes as one word without quotes.
_PLAIN: Final = re.compile(r"[\w.:@/-]+")

Offer: TypeAlias = tuple[str, str]
"""A word, and what it is, for shells that show this."""
Search: TypeAlias = "Callable[[Remote], Awaitable[list[Offer]]]"


def automation(context: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Offer ids of automations, and names that are one word."""
    return _fitting(_asked(context, _automations), incomplete)


def run(context: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Offer ids of the newest runs."""
    return _fitting(_asked(context, lambda remote: _runs(remote, only=None)), incomplete)


def active_run(context: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Offer ids of runs that have not ended."""
    return _fitting(_asked(context, lambda remote: _runs(remote, only="active")), incomplete)


def ended_run(context: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Offer ids of runs that have ended."""
    return _fitting(_asked(context, lambda remote: _runs(remote, only="ended")), incomplete)


def event(context: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Offer event ids: of registered types, and those that automations ask for."""
    return _fitting(_asked(context, _events), incomplete)


def letter(context: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Offer ids of the newest dead letters."""
    return _fitting(_asked(context, _letters), incomplete)


def parked(context: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Offer ids of what is parked."""
    return _fitting(_asked(context, _parked), incomplete)


def trigger_type(context: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Offer the ids of types of triggers."""
    return _fitting(_asked(context, lambda remote: _types(remote, "triggers")), incomplete)


def action_type(context: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Offer the ids of types of actions."""
    return _fitting(_asked(context, lambda remote: _types(remote, "actions")), incomplete)


def artifact_type(context: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Offer the ids of types of artifacts."""
    return _fitting(_asked(context, lambda remote: _types(remote, "artifacts")), incomplete)


def status(incomplete: str) -> list[str]:
    """Offer the statuses of a run, and what stands for several."""
    from lockstep_schemas.run_events import RunStatus

    known = (*get_args(RunStatus), "active", "ended")
    return [one for one in known if one.startswith(incomplete)]


def file(incomplete: str) -> list[str]:
    """Offer YAML and JSON files, and folders."""
    return [*_files(incomplete, SUFFIXES)]


def payload(incomplete: str) -> list[str]:
    """Offer files behind an `@`."""
    if not incomplete.startswith("@"):
        return []
    return [f"@{name}" for name in _files(incomplete[1:], (".json",))]


def _files(incomplete: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Give what begins with what was typed; hidden ones only where the dot was."""
    folder, _, begin = incomplete.rpartition("/")
    under = f"{folder}/" if "/" in incomplete else ""
    try:
        found = sorted(Path(under or ".").iterdir())
    except OSError:
        return
    for path in found:
        if not path.name.startswith(begin) or (path.name.startswith(".") and not begin):
            continue
        if path.is_dir():
            yield f"{under}{path.name}/"
        elif path.suffix in suffixes:
            yield f"{under}{path.name}"


def _asked(context: typer.Context, search: Search) -> list[Offer]:
    """Ask the engine of the settings, and offer nothing where it does not answer at once."""
    import asyncio

    from lockstep.cli.silence import silence

    silence()  # first, see there
    from lockstep.client.remote import connected

    typed = context.find_root().params
    context.obj = Options(typed.get("config"), typed.get("nats_url"))

    async def ask() -> list[Offer]:
        async with asyncio.timeout(PATIENCE_SECONDS), connected(load(context).settings) as remote:
            return await search(remote)

    with contextlib.suppress(EngineError, OSError), contextlib.redirect_stderr(io.StringIO()):
        return asyncio.run(ask())
    return []


def _fitting(offers: Iterable[Offer], incomplete: str) -> Iterator[Offer]:
    for word, about in dict(offers).items():
        if word.startswith(incomplete) and _PLAIN.fullmatch(word):
            yield word, " ".join(about.split())


async def _automations(remote: "Remote") -> list[Offer]:
    found = await remote.automations()
    names = [(one.name, f"automation {one.id}, {one.status}") for one in found]
    return [*((one.id, one.name) for one in found), *names]


async def _runs(remote: "Remote", *, only: str | None) -> list[Offer]:
    from lockstep_schemas import api
    from lockstep_schemas.run_events import ACTIVE

    page = await remote.call("runs.list", api.RunsList(limit=LIMIT), api.RunsPage)
    return [
        (one.id, f"{one.automation_name}, {one.status}")
        for one in page.items
        if only is None or (one.status in ACTIVE) == (only == "active")
    ]


async def _events(remote: "Remote") -> list[Offer]:
    offers = await _types(remote, "triggers")
    for automation in await remote.automations():
        triggers = automation.definition.get("triggers")
        for found in triggers if isinstance(triggers, list) else ():
            if isinstance(found, dict) and isinstance(found.get("event"), str):
                offers.append((found["event"], f"starts {automation.name}"))
    return offers


async def _letters(remote: "Remote") -> list[Offer]:
    from lockstep_schemas import dead

    page = await remote.call("dead.list", dead.DeadList(limit=LIMIT), dead.DeadPage)
    return [(str(one.id), f"{one.event}: {one.reason}") for one in page.items]


async def _parked(remote: "Remote") -> list[Offer]:
    from lockstep_schemas import parked

    page = await remote.call("parked.list", parked.ParkedList(limit=LIMIT), parked.ParkedPage)
    return [(one.id, one.reason) for one in page.items]


async def _types(remote: "Remote", kind: str) -> list[Offer]:
    from lockstep.client import catalog

    kinds: dict[str, catalog.Kind] = {
        "triggers": "triggers", "actions": "actions", "artifacts": "artifacts"
    }  # fmt: skip
    return [
        (one.qualified_id, one.display_name) for one in await catalog.types(remote, kinds[kind])
    ]
