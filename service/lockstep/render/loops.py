"""What goes through a list with a filter or a test: `map`, `select` and its kin."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from lockstep.model.errors import LimitExceeded
from lockstep.render.limits import Work
from lockstep.render.operators import member
from lockstep.render.predicates import Predicate
from lockstep.render.values import MISSING, truth

Path: TypeAlias = Sequence[str | int]

_MOST_PARTS: Final = 64  # half as deep as a value may be nested


def path_of(attribute: object) -> Path:
    """Take the path of a member apart: `a.0.b` are a key, an index and a key.

    Raises:
        LimitExceeded: It has too many parts.
    """
    if isinstance(attribute, int) and not isinstance(attribute, bool):
        return [attribute]
    words = attribute.split(".", _MOST_PARTS) if isinstance(attribute, str) else []
    if len(words) > _MOST_PARTS:
        raise LimitExceeded(f"the path of a member has more than {_MOST_PARTS} parts")
    return [
        int(word) if word.isascii() and word.isdigit() and len(word) < 10 else word
        for word in words
    ]


def paths_of(attribute: object) -> Sequence[Path]:
    """Take the paths of several members apart, between commas: `a.b, c`.

    Raises:
        LimitExceeded: They have too many parts.
    """
    if not isinstance(attribute, str):
        return [path_of(attribute)]
    texts = attribute.split(",", _MOST_PARTS)
    paths = [path_of(text.strip()) for text in texts]
    if sum(map(len, paths)) > _MOST_PARTS:
        raise LimitExceeded(f"the members to sort by have more than {_MOST_PARTS} parts")
    return paths


def pick(item: object, path: Path, default: object = MISSING) -> object:
    """Give the member of an item that lies at a path, or the default where there is none."""
    for key in path:
        item = member(item, key)
    return default if item is MISSING else item


def mapped(
    inner: Callable[..., object], work: Work, value: object, *args: object, **named: object
) -> object:
    """Give a list of what a filter makes of each item; what is no list passes through."""
    if not isinstance(value, list):
        return value
    made = []
    for item in value:
        work.approach(item)
        result = inner(work, item, *args, **named)
        work.account(item, result)
        made.append(None if result is MISSING else result)
    return made


def plucked(work: Work, value: object, *, attribute: object, default: object = None) -> object:
    """Give a list of a member of each item; what is no list passes through."""
    if not isinstance(value, list):
        return value
    path, other = path_of(attribute), None if default is MISSING else default
    made = []
    for item in value:
        work.tick(1 + len(path))
        made.append(pick(item, path, other))
    return made


def tested(predicate: Predicate, wanted: bool, work: Work, value: object, *args: object) -> object:
    """Give the items of which a test says what is wanted; what is no list passes through."""
    if not isinstance(value, list):
        return value
    made = []
    for item in value:
        work.tick(2)
        if predicate(work, item, *args) is wanted:
            made.append(item)
    return made


def tested_by(
    predicate: Predicate,
    wanted: bool,
    work: Work,
    value: object,
    attribute: object,
    *args: object,
) -> object:
    """Give the items of whose member a test says what is wanted; no list passes through."""
    if not isinstance(value, list):
        return value
    path = path_of(attribute)
    made = []
    for item in value:
        work.tick(2 + len(path))
        if predicate(work, pick(item, path), *args) is wanted:
            made.append(item)
    return made


def is_true(_: Work, value: object) -> bool:
    """The test where none is named."""
    return truth(value)


class Tested(NamedTuple):
    """How a filter is made that takes the name of a test."""

    before: int
    """Arguments before the name."""
    run: Callable[..., object]
    wanted: bool
    """What the test must say."""


TESTED: Final[Mapping[str, Tested]] = {
    "select": Tested(0, tested, True),
    "reject": Tested(0, tested, False),
    "selectattr": Tested(1, tested_by, True),
    "rejectattr": Tested(1, tested_by, False),
}
