"""Webhook subscriptions of before, in files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from lockstep.control.subscriptions import identity
from lockstep.definition.source import SourceError, read
from lockstep.model.errors import EngineError
from lockstep_schemas.base import Json

AT_ONCE: Final = 50
"""Subscriptions in one request: each is a transaction or two, and all of them have 15 s."""
BYTES_AT_ONCE: Final = 512 * 1024
"""What one request holds: half of what a server takes by default. A larger one it refuses, unread.
"""


class FileRefused(EngineError):
    """A file that holds no subscriptions."""

    code = "migration.file_refused"
    category = "bad_request"
    advice = "Name a YAML or JSON file with a list, or with `subscriptions`."


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
    for subscription in some:
        more = len(msgspec.json.encode(subscription))
        if portion and (len(portion) == AT_ONCE or size + more > BYTES_AT_ONCE):
            yield portion
            portion, size = [], 0
        portion.append(subscription)
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
