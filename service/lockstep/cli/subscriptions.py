"""`lockstep migrate-subscriptions` and `lockstep migration`: webhook subscriptions of before."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.table import Table

from lockstep.cli import output
from lockstep.cli.remote import PAGE, Refused, Remote, connected
from lockstep.control.subscriptions import identity
from lockstep.definition import SourceError, read
from lockstep.model.errors import EngineError
from lockstep.settings import Settings
from lockstep_schemas import api, migration
from lockstep_schemas.base import Json

AT_ONCE: Final = 50
BYTES_AT_ONCE: Final = 512 * 1024
"""What one request holds: one larger than a message is refused by the server, unread."""


class FileRefused(EngineError):
    """A file that holds no subscriptions."""

    code = "migration.file_refused"


async def migrate(settings: Settings, file: Path, *, as_json: bool) -> bool:
    """Import the subscriptions of a file; false if some failed, now or before."""
    some = load(file)
    names = {identity(one) for one in some}
    done = migration.Imported(total=0, migrated=0, skipped=0, failed=0)
    async with connected(settings) as remote:
        for portion in portions(some):
            request = migration.ImportRequest(subscriptions=portion)
            part = await remote.call("migration.import", request, migration.Imported)
            done = _sum(done, part)
            if done.total < len(some):
                output.tell(f"{done.total} of {len(some)}")
        failures = [one for one in await _failures(remote) if one.id in names] if names else []
    if as_json:
        output.show_json({**msgspec.to_builtins(done), "failures": failures})
        return not done.failed
    if failures:
        output.show(_table(failures))
    output.show_line(
        f"{output.count(done.total, 'subscription')}: {done.migrated} migrated, "
        f"{done.skipped} skipped, {done.failed} failed"
    )
    if done.failed:
        output.tell("see `lockstep migration failures`; mend the file and import it again")
    return not done.failed


async def list_failures(settings: Settings, *, as_json: bool) -> bool:
    """List the subscriptions that failed and that nobody has acknowledged, oldest first."""
    async with connected(settings) as remote:
        failures = await _failures(remote)
    if as_json:
        output.show_json({"items": failures, "total": len(failures)})
    else:
        output.show(_table(failures))
    return True


async def acknowledge(settings: Settings, ids: Sequence[str], *, as_json: bool) -> bool:
    """List failures no longer; all of them where no ids are named. False if some are not there."""
    done, unknown = 0, list[str]()
    async with connected(settings) as remote:
        for one in ids or [failure.id for failure in await _failures(remote)]:
            try:
                await remote.call("migration.acknowledge", api.ById(one), api.Success)
                done += 1
            except Refused as error:
                if error.fault.code != "not_found":
                    raise
                unknown.append(one)
    if as_json:
        output.show_json({"done": done, "unknown": unknown})
    else:
        output.show_line(f"{output.count(done, 'failure')} acknowledged")
        for one in unknown:
            output.complain(f"migration failure '{one}' not found")
    return not unknown


def load(file: Path) -> list[Json]:
    """Read the subscriptions of a file: a list, or an object that has one as `subscriptions`.

    Raises:
        FileRefused: It cannot be read, holds something else, or one that no message holds.
    """
    try:
        text = file.read_text()
    except OSError as error:
        raise FileRefused(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FileRefused(f"{file}: cannot be read: it is no UTF-8 text") from None
    value = _parsed(file, text)
    if isinstance(value, dict):
        value = value.get("subscriptions")
    if not isinstance(value, list):
        raise FileRefused(
            f"{file}: no subscriptions: a list is expected, or {{subscriptions: [...]}}"
        )
    for one in value:
        if (size := len(msgspec.json.encode(one))) > BYTES_AT_ONCE:
            raise FileRefused(f"{file}: '{identity(one)}' has {size} bytes; nothing was imported")
    return value


def portions(some: Sequence[Json]) -> Iterator[list[Json]]:
    """Split subscriptions into what one request holds."""
    portion, size = list[Json](), 0
    for one in some:
        more = len(msgspec.json.encode(one))
        if portion and (len(portion) == AT_ONCE or size + more > BYTES_AT_ONCE):
            yield portion
            portion, size = [], 0
        portion.append(one)
        size += more
    if portion:
        yield portion


def _parsed(file: Path, text: str) -> Json:
    """Read JSON as such, for an export may be large; anything else is YAML, with its places."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return read(text).value
    except SourceError as error:
        place = f"{file}:{error.issue.line or 1}:{error.issue.column or 1}"
        raise FileRefused(f"{place}: {error.issue.message}") from None


def _sum(one: migration.Imported, other: migration.Imported) -> migration.Imported:
    return migration.Imported(
        total=one.total + other.total,
        migrated=one.migrated + other.migrated,
        skipped=one.skipped + other.skipped,
        failed=one.failed + other.failed,
    )


async def _failures(remote: Remote) -> list[migration.ImportFailure]:
    """Read all pages."""
    found: dict[str, migration.ImportFailure] = {}  # pages may overlap where some go meanwhile
    offset = 0
    while True:
        request = migration.FailuresList(limit=PAGE, offset=offset)
        page = await remote.call("migration.failures", request, migration.Failures)
        found |= {one.id: one for one in page.items}
        offset += len(page.items)
        if not page.items or offset >= page.total:
            return list(found.values())


def _table(failures: Sequence[migration.ImportFailure]) -> Table:
    rows = [
        (
            one.id,
            one.name or "",
            one.provider or "",
            one.event or "",
            output.moment(one.failed_at),
            f"{one.reason}: {one.detail}",
        )
        for one in failures
    ]
    return output.table(("id", "name", "provider", "event", "failed", "why"), rows)
