"""The difference between two JSON values, by meaning: what changed where, from what to what."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final

import msgspec

from lockstep.definition.stored import DefinitionRefused, parse
from lockstep_schemas.base import Json


class NoValue(msgspec.Struct, frozen=True):
    """Stands for a value that is not there; `None` is one."""


MISSING: Final = NoValue()


class Difference(msgspec.Struct, frozen=True):
    """One place that differs; a side is `MISSING` where there is nothing."""

    path: tuple[str | int, ...]
    old: Json | NoValue
    new: Json | NoValue


def meaning(definition: Json) -> Json:
    """Give a definition without what says nothing: values that are the default anyway."""
    try:
        return msgspec.to_builtins(parse(definition))
    except DefinitionRefused:
        return definition  # of another version of the language: compared as it is


def differences(old: Json, new: Json, path: tuple[str | int, ...] = ()) -> Iterator[Difference]:
    """Give the smallest places that differ; the order of keys does not matter."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key, MISSING), new.get(key, MISSING), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_lists(old, new, path)
    elif not is_same(old, new):
        yield Difference(path, old, new)


def is_same(old: Json, new: Json) -> bool:
    """Tell whether two values mean the same: `1` is `1.0`, but not `true`."""
    return _key(old) == _key(new)


def _of_lists(
    old: Sequence[Json], new: Sequence[Json], path: tuple[str | int, ...]
) -> Iterator[Difference]:
    """Match what is the same first, so that an inserted action changes none of those after it.

    What is added or changed has its index in the new list, what is removed that in the old one.
    """
    keys = [_key(one) for one in old], [_key(one) for one in new]
    matcher = SequenceMatcher(None, *keys, autojunk=False)
    for what, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if what == "equal":
            continue
        pairs = min(old_to - old_from, new_to - new_from)
        for step in range(pairs):
            yield from differences(
                old[old_from + step], new[new_from + step], (*path, new_from + step)
            )
        for index in range(old_from + pairs, old_to):
            yield Difference((*path, index), old[index], MISSING)
        for index in range(new_from + pairs, new_to):
            yield Difference((*path, index), MISSING, new[index])


def _key(value: Json) -> object:
    """Give what is equal, and hashable, exactly for values that mean the same."""
    match value:
        case bool():
            return (bool, value)  # else `true` would be 1
        case Mapping():
            return frozenset((name, _key(inner)) for name, inner in value.items())
        case list():
            return tuple(_key(inner) for inner in value)
    return value
