"""Filters of lists, of objects, and of numbers. What is of another type passes through."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from lockstep.model.errors import LimitExceeded
from lockstep.render.filters_text import whole
from lockstep.render.limits import Work
from lockstep.render.loops import Path, path_of, paths_of, pick
from lockstep.render.operators import bounded
from lockstep.render.values import MISSING, as_number, truth

MOST_SORTED: Final = 50_000
"""Items of a list that is put in order: sorting cannot be interrupted."""

_PAIR_BYTES: Final = 128  # a tuple of two, and its place in a list
_LIST_BYTES: Final = 64  # a list of its own, and its place in another
_CHARACTER_BYTES: Final = 64  # a text of one character, and its place in a list
_PIECE: Final = 512  # items sorted in one go: it takes less than a look at the clock may be late
_PIECE_STEPS: Final = 8  # of each of them: it is compared about as often
_PLAIN_BITS: Final = 64  # of larger integers many have one hash, and are then looked up slowly
_ROUND_STEPS: Final = 32  # a large float is written out for it
_ROUND_DIGITS: Final = 300  # a float has exponents up to 308; more digits only cost time


_Keyed: TypeAlias = tuple[tuple[object, ...], object]


def length(_: Work, value: object) -> object:
    """Give the number of characters, items or keys; 0 for all else."""
    return len(value) if isinstance(value, str | list | Mapping) else 0


def to_list(work: Work, value: object) -> object:
    """Give a list: the characters of a text, the keys of an object, else the value as an item."""
    match value:
        case list():
            return value
        case str():
            work.take(_CHARACTER_BYTES * len(value))
            return list(value)
        case Mapping():
            return list(value)
        case _:
            return [] if value is None or value is MISSING else [value]


def keys(_: Work, value: object) -> object:
    """Give the keys of an object; none of all else."""
    return list(value) if isinstance(value, Mapping) else []


def values(_: Work, value: object) -> object:
    """Give the values of an object; none of all else."""
    return list(value.values()) if isinstance(value, Mapping) else []


def items(work: Work, value: object) -> object:
    """Give the keys and values of an object as pairs; none of all else."""
    if not isinstance(value, Mapping):
        return []
    work.take(_PAIR_BYTES * len(value))
    return [[name, item] for name, item in value.items()]


def first(_: Work, value: object) -> object:
    """Give the first item of a list, missing if it is empty."""
    return (value[0] if value else MISSING) if isinstance(value, list) else value


def last(_: Work, value: object) -> object:
    """Give the last item of a list, missing if it is empty."""
    return (value[-1] if value else MISSING) if isinstance(value, list) else value


def backwards(_: Work, value: object) -> object:
    """Give a list or a text from its end."""
    return value[::-1] if isinstance(value, list | str) else value


def batch(work: Work, value: object, linecount: object, fill_with: object = None) -> object:
    """Give lists of so many items of a list each, the last one filled up on demand."""
    size = whole(linecount)
    if not isinstance(value, list) or size is None or size < 1:
        return value
    work.take(8 * len(value) + _LIST_BYTES * (len(value) // size + 1))
    made = [value[at : at + size] for at in range(0, len(value), size)]
    if made and fill_with is not None and fill_with is not MISSING:
        lacking = size - len(made[-1])
        work.take(8 * lacking)
        made[-1] += [fill_with] * lacking
    return made


def slices(work: Work, value: object, slices: object, fill_with: object = None) -> object:
    """Give a list as so many lists of about the same length, the shorter ones filled on demand."""
    number = whole(slices)
    if not isinstance(value, list) or number is None or number < 1:
        return value
    work.take(8 * len(value) + _LIST_BYTES * number)
    work.tick(number)
    size, longer = divmod(len(value), number)
    fill = [] if fill_with is None or fill_with is MISSING else [fill_with]
    made, end = [], 0
    for place in range(number):
        begin, end = end, end + size + (place < longer)
        made.append(value[begin:end] + (fill if place >= longer else []))
    return made


def dictsort(
    work: Work,
    value: object,
    case_sensitive: object = False,
    by: object = "key",
    reverse: object = False,
) -> object:
    """Give the keys and values of an object as pairs in order, of keys or by `value`."""
    pairs = items(work, value)
    return ordered(work, pairs, reverse, case_sensitive, 1 if by == "value" else 0)


def absolute(_: Work, value: object) -> object:
    """Give a number, or the number that a text is, without its sign."""
    number = as_number(value)
    return value if number is None else abs(number)


def rounded(work: Work, value: object, precision: object = 0, method: object = "common") -> object:
    """Round a number, or the number that a text is; a whole number if no digits are asked for.

    Half goes to the even neighbour, as Python has it; `ceil` and `floor` go up and down.
    """
    number, places = work.numeric(value), whole(precision)
    work.tick(_ROUND_STEPS)
    if number is None or places is None or abs(places) > _ROUND_DIGITS:
        return value
    if method == "ceil" or method == "floor":
        made = _towards(number, places, up=method == "ceil")
    else:
        made = round(number, places)
    return int(made) if places <= 0 else made


def _towards(number: int | float, places: int, *, up: bool) -> int | float:
    """Round to a side, by way of the nearest: scaling a float has errors of its own."""
    near: int | float = round(number, places)
    if (near >= number) if up else (near <= number):
        return near
    unit = 10**-places if places <= 0 else 1 / 10**places
    made: int | float = round(near + unit if up else near - unit, places)
    return made


def total(work: Work, value: object, attribute: object = None, start: object = 0) -> object:
    """Add the numbers of a list, or of a member of each item; what is no number counts nothing."""
    if not isinstance(value, list):
        return value
    path, made = path_of(attribute), as_number(start) or 0
    for item in value:
        work.tick(1 + len(path))
        made += work.numeric(pick(item, path)) or 0
    return bounded(made)


def least(
    work: Work, value: object, case_sensitive: object = False, attribute: object = None
) -> object:
    """Give the item of a list that comes first in order, missing if there is none but null."""
    return _extreme(work, value, min, case_sensitive, attribute)


def greatest(
    work: Work, value: object, case_sensitive: object = False, attribute: object = None
) -> object:
    """Give the item of a list that comes last in order, missing if there is none but null."""
    return _extreme(work, value, max, case_sensitive, attribute)


def _extreme(
    work: Work,
    value: object,
    choose: Callable[..., Any],
    case_sensitive: object,
    attribute: object,
) -> object:
    if not isinstance(value, list):
        return value
    pairs = _keyed(work, value, case_sensitive, [path_of(attribute)])
    keyed = [pair for pair in pairs if pair[0] != (0,)]
    return choose(keyed, key=lambda pair: pair[0])[1] if keyed else MISSING


def ordered(
    work: Work,
    value: object,
    reverse: object = False,
    case_sensitive: object = False,
    attribute: object = None,
) -> object:
    """Give a list in order: null, numbers, texts without regard to case, lists, objects.

    `attribute` may name several members: where the first are equal, the next ones decide.
    """
    if not isinstance(value, list):
        return value
    if len(value) > MOST_SORTED:
        raise LimitExceeded(f"a list of more than {MOST_SORTED} items cannot be put in order")
    keyed = _keyed(work, value, case_sensitive, paths_of(attribute))
    return [item for _, item in _sorted(work, keyed, reverse=truth(reverse))]


def unique(
    work: Work, value: object, case_sensitive: object = False, attribute: object = None
) -> object:
    """Give a list without repeats, the first of each; texts without regard to case."""
    if not isinstance(value, list):
        return value
    exact, path = truth(case_sensitive), path_of(attribute)
    made: dict[object, object] = {}
    for item in value:
        made.setdefault(_identity(work, pick(item, path), exact=exact), item)
    return list(made.values())


def groupby(
    work: Work,
    value: object,
    attribute: object,
    default: object = None,
    case_sensitive: object = False,
) -> object:
    """Give pairs of a member's value and the items that have it, in order of the value.

    They are also reached as `.grouper` and `.list`, as in Jinja2.
    """
    if not isinstance(value, list):
        return value
    path, other = path_of(attribute), None if default is MISSING else default
    exact = truth(case_sensitive)
    groups: dict[object, list[object]] = {}
    for item in value:
        key = pick(item, path, other)
        # The key of a group is that of its first item.
        group = groups.setdefault(_identity(work, key, exact=exact), [key, []])
        group[1].append(item)  # type: ignore[attr-defined] # the list behind the key
    work.take(_PAIR_BYTES * len(groups))
    return ordered(work, list(groups.values()), False, case_sensitive, 0)


def _keyed(
    work: Work, value: list[object], case_sensitive: object, paths: Sequence[Path]
) -> list[_Keyed]:
    """Pair each item with what it is ordered by."""
    work.weigh(value)
    exact, steps = truth(case_sensitive), 3 + sum([1 + len(path) for path in paths])
    made: list[_Keyed] = []
    for item in value:
        work.tick(steps)
        members = [pick(item, path) for path in paths]
        for one in members:
            work.approach(one)
        order = [_order(one, exact=exact) for one in members]
        made.append((order[0] if len(order) == 1 else tuple(order), item))
    return made


def _sorted(work: Work, keyed: list[_Keyed], *, reverse: bool) -> list[_Keyed]:
    """Sort in pieces that are merged pair by pair, so that the limits are looked at in between.

    Sorting two pieces behind each other that are in order is merging them, in one go.
    """
    first = itemgetter(0)
    pieces = [keyed[at : at + _PIECE] for at in range(0, len(keyed), _PIECE)]
    steps = _PIECE_STEPS
    while True:
        for piece in pieces:
            work.tick(steps * len(piece))
            piece.sort(key=first, reverse=reverse)
        if len(pieces) < 2:
            return pieces[0] if pieces else []
        steps = 1
        pieces = [
            pieces[at] + (pieces[at + 1] if at + 1 < len(pieces) else [])
            for at in range(0, len(pieces), 2)
        ]


def _order(value: object, *, exact: bool) -> tuple[object, ...]:
    """Give a key that orders values of all types."""
    match value:
        case str():
            return (2, value if exact else value.lower())
        case int() | float() if value == value:  # NaN has no order
            return (1, value)
        case list():
            return (3, *[_order(item, exact=exact) for item in value])
        case Mapping():
            return (4,)
        case _:
            return (0,)


def _identity(work: Work, value: object, *, exact: bool) -> object:
    """Give what is equal for values that are to count as one, and can be looked up."""
    work.tick(4)
    if isinstance(value, str):
        if exact:
            return value
        work.approach(value)
        return value.lower()
    if isinstance(value, list | Mapping):
        text = work.text(value)
        work.take(len(text))
        return (text,)
    if isinstance(value, int) and value.bit_length() > _PLAIN_BITS:
        return (str(value),)
    return None if value is MISSING else value
