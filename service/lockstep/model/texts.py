"""Texts for people: reasons, errors, what is waited for. Each is bounded where it is made."""

from collections.abc import Iterable, Sequence
from typing import Final

from lockstep.model.secrets import MASKER

TEXT_BYTES: Final = 4096
"""A reason is read by people, and stands in a row, in run events and in log lines at once."""
KEY_BYTES: Final = 512  # of a context key that is shown beside others
NAME_BYTES: Final = 256  # of a type that is not ours
MARK: Final = "…"  # at the end of what was cut
NAMED: Final = 5  # names in a line that tells of many at once


def storable(text: str, most: int = TEXT_BYTES) -> str:
    """Give a text as rows, run events and log lines hold it.

    Of at most `most` bytes of UTF-8, no character split; without what PostgreSQL and JSON cannot
    hold: a zero byte, half of a surrogate pair.
    """
    head = text[: most + 1]  # what follows is cut in any case, and may be long
    if "\0" in head:
        head = head.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if head.isascii() and len(head) <= most:
        return head
    written = head.encode("utf-8", "replace")
    if len(written) > most:
        written = written[: most - len(MARK.encode())]
        return written.decode("utf-8", "ignore") + MARK
    return written.decode()


def shown_key(context_key: str | None) -> str:
    """Give a context key as receipts hold it: cut; empty where there is none, as on the bus."""
    return storable(context_key, KEY_BYTES) if context_key else ""


def said(error: object, most: int = TEXT_BYTES) -> str:
    """Give what an exception, or any object that is not ours, says: storable, without secrets.

    It never raises: where the object cannot say it, or says nothing, the text is its type's name;
    a text says itself, also an empty one.
    """
    try:
        # Not `[:]`: the text may be of a class of its own, which can do anything.
        text = str.__getitem__(str(error), slice(None))
    except BaseException:  # noqa: BLE001 - code of others; it awaits nothing: none is for us
        text = ""
    # What stands in it is cut at last: half of a secret would not be masked.
    return storable(MASKER.text(text), most) if text or type(error) is str else kind_of(error)


def described(error: object, most: int = TEXT_BYTES) -> str:
    """Give what an exception says, with its type's name in front; see `said`."""
    kind, text = kind_of(error), said(error, most)
    return kind if text == kind else storable(f"{kind}: {text}", most)


def kind_of(thing: object) -> str:
    """Give the name of the type of an object that may not be ours; it never raises."""
    try:
        return storable(str.__getitem__(type(thing).__name__, slice(None)), NAME_BYTES)
    except BaseException:  # noqa: BLE001 - code of others: of its metaclass
        return "object"


def some_of(names: Iterable[str]) -> list[str]:
    """Give the first few of many names, each once, for a log line that tells their number."""
    return [*dict.fromkeys(names)][:NAMED]


def path_text(path: Sequence[str | int]) -> str:
    """Write a path as people do: `actions[2].delay.seconds`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
