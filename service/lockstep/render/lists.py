"""Filters of lists and objects. What is of another type passes through, or is neutral."""

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

from lockstep.render.limits import Budget
from lockstep.render.predicates import TESTS
from lockstep.render.values import MISSING, equal, less, member, to_text, truth

Value = Any


def length(value: object) -> object:
    """Characters of a text, items of a list, keys of an object; 0 of all else."""
    return len(value) if isinstance(value, str | list | dict) else 0


def join(budget: Budget, value: object, separator: object = ", ") -> object:
    """The texts of items, with a separator; what is no list passes through."""
    if not isinstance(value, list):
        return value
    mark = to_text(separator, budget.limits.value_bytes)
    texts, size = [], 0
    for item in value:
        text = to_text(item, budget.limits.value_bytes)
        size += len(text) + len(mark)
        budget.tick()
        if size > budget.limits.value_bytes:
            budget.room(size)
        texts.append(text)
    return mark.join(texts)


def to_list(value: object) -> object:
    """A list: of an object its keys, of a text its characters."""
    if isinstance(value, list):
        return value
    if isinstance(value, str | dict):
        return list(value)
    return [] if value is MISSING or value is None else [value]


def rounded(value: object, digits: object = 0) -> object:
    """A number, rounded half to even; whole where no digits are asked for."""
    if not _is_number(value) or not isinstance(digits, int) or abs(digits) > 300:
        return value
    try:
        made = round(value, digits)  # type: ignore[call-overload] # a number, by the line above
    except (OverflowError, ValueError):
        return value
    return int(made) if digits <= 0 and math.isfinite(made) else made


def absolute(value: object) -> object:
    """A number without its sign."""
    return abs(value) if _is_number(value) else value  # type: ignore[arg-type] # a number


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def minimum(budget: Budget, value: object) -> object:
    """The least item; missing of an empty list."""
    return _extreme(budget, value, less)


def maximum(budget: Budget, value: object) -> object:
    """The greatest item; missing of an empty list."""
    return _extreme(budget, value, lambda a, b: less(b, a))


def _extreme(budget: Budget, value: object, better: Callable[[Value, Value], bool]) -> object:
    if not isinstance(value, list):
        return value
    best: object = MISSING
    for item in value:
        budget.tick()
        if best is MISSING or better(item, best):
            best = item
    return best


def total(budget: Budget, value: object, attribute: object = None) -> object:
    """The sum of the numbers of a list; what is no number counts nothing."""
    if not isinstance(value, list):
        return 0
    result: float = 0
    for item in value:
        budget.tick()
        found = _attribute(item, attribute) if attribute is not None else item
        if _is_number(found):
            result += found  # type: ignore[operator] # a number
    return result


def first(value: object) -> object:
    """The first item or character."""
    return value[0] if isinstance(value, list | str) and value else MISSING


def last(value: object) -> object:
    """The last item or character."""
    return value[-1] if isinstance(value, list | str) and value else MISSING


def ordered(
    budget: Budget, value: object, reverse: object = False, attribute: object = None
) -> object:
    """A list in order: numbers by value, then texts; all else keeps its order, at the end."""
    if not isinstance(value, list):
        return value

    def compare(a: tuple[Value, Value], b: tuple[Value, Value]) -> int:
        budget.tick()
        ranks = (_rank(a[0]), _rank(b[0]))
        if ranks[0] != ranks[1]:
            return -1 if ranks[0] < ranks[1] else 1
        if ranks[0] == 2:
            return 0
        return -1 if a[0] < b[0] else int(a[0] > b[0])

    keyed = [(item if attribute is None else _attribute(item, attribute), item) for item in value]
    keyed.sort(key=functools.cmp_to_key(compare), reverse=truth(reverse))
    return [item for _, item in keyed]


def _rank(value: object) -> int:
    if isinstance(value, int | float) and not (isinstance(value, float) and math.isnan(value)):
        return 0
    return 1 if isinstance(value, str) else 2


def unique(budget: Budget, value: object) -> object:
    """A list without repeats, in order of first occurrence."""
    if not isinstance(value, list):
        return value
    seen: set[object] = set()
    kept: list[object] = []
    others: list[object] = []
    for item in value:
        budget.check() if others else budget.tick()
        if isinstance(item, str | int | float | None):
            if item not in seen:
                seen.add(item)
                kept.append(item)
        elif not any(equal(item, other) for other in others):
            others.append(item)
            kept.append(item)
    return kept


def backwards(value: object) -> object:
    """A list or a text from its end."""
    return value[::-1] if isinstance(value, list | str) else value


def _attribute(item: object, path: object, other: object = MISSING) -> object:
    if isinstance(path, int):
        found = member(item, path)
    else:
        found = item
        for key in str(path).split("."):
            found = member(found, int(key) if key.isdigit() else key)
    return other if found is MISSING else found


def select(budget: Budget, value: object, *test: object) -> object:
    """The items that pass a test, or are true."""
    return _selected(budget, value, test, lambda item: item, wanted=True)


def reject(budget: Budget, value: object, *test: object) -> object:
    """The items that do not pass a test, or are false."""
    return _selected(budget, value, test, lambda item: item, wanted=False)


def selectattr(budget: Budget, value: object, attribute: object, *test: object) -> object:
    """The items whose member passes a test, or is true."""
    return _selected(budget, value, test, lambda i: _attribute(i, attribute), wanted=True)


def rejectattr(budget: Budget, value: object, attribute: object, *test: object) -> object:
    """The items whose member does not pass a test, or is false."""
    return _selected(budget, value, test, lambda i: _attribute(i, attribute), wanted=False)


def _selected(
    budget: Budget,
    value: object,
    test: tuple[object, ...],
    of: Callable[[object], object],
    *,
    wanted: bool,
) -> object:
    if not isinstance(value, list):
        return []
    name, args = (str(test[0]), test[1:2]) if test else ("", ())
    judge = TESTS.get(name, truth) if name else truth
    kept = []
    for item in value:
        budget.tick()
        if isinstance(of(item), str | list | dict):
            budget.check()
        if bool(judge(of(item), *args)) is wanted:
            kept.append(item)
    return kept


def groupby(budget: Budget, value: object, attribute: object = "") -> object:
    """Pairs of a key and the items that have it, by key."""
    if not isinstance(value, list):
        return []
    groups: list[tuple[object, list[object]]] = []
    for item in value:
        budget.check()
        key = _attribute(item, attribute, None)
        for known, items in groups:
            if equal(known, key):
                items.append(item)
                break
        else:
            groups.append((key, [item]))
    by_key = ordered(budget, [[key, items] for key, items in groups], False, 0)
    return by_key


def keys(value: object) -> object:
    """The keys of an object."""
    return list(value) if isinstance(value, dict) else []


def values(value: object) -> object:
    """The values of an object."""
    return list(value.values()) if isinstance(value, dict) else []


def items(value: object) -> object:
    """Pairs of key and value of an object."""
    return [[key, item] for key, item in value.items()] if isinstance(value, dict) else []


def mapped(
    budget: Budget,
    value: object,
    apply: Callable[[object], object] | None,
    attribute: object = None,
    default: object = None,
) -> object:
    """Each item through a filter, or its member."""
    if not isinstance(value, list):
        return []
    made = []
    for item in _ticking(budget, value):
        if attribute is not None:
            found = _attribute(item, attribute, default)
            made.append(found)
        elif apply is not None:
            found = apply(item)
            made.append(None if found is MISSING else found)
        else:
            made.append(item)
    return made


def _ticking(budget: Budget, value: Iterable[object]) -> Iterable[object]:
    for item in value:
        budget.check()
        yield item
