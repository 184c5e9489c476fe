"""From raw JSON to the structs of the language: every fault, each with its path."""

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT

from lockstep.definition import foreign, rules
from lockstep.definition.wording import MAX_MESSAGE, expected, got, short
from lockstep_schemas.actions import KINDS, Action, ActionBase
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json
from lockstep_schemas.conditions import CONDITIONS, Condition
from lockstep_schemas.definition import Definition, Trigger

# Python has 1000 frames. A level of actions takes 10 of them here and 5 in the walk, one of choices
# 17, but that is four levels of JSON. Conditions in the deepest action have to find room, too.
MAX_CONDITION_DEPTH: Final = 32
MAX_ACTION_DEPTH: Final = 64  # 640 of those frames
MAX_DEPTH: Final = 200  # of any JSON: choices are 50 deep at most, which are 850 frames
MAX_FAULTS: Final = 500  # see `TooManyFaults`

Path = tuple[str | int, ...]
Part = Trigger | Condition | Action


class TooManyFaults(Exception):
    """Nobody reads more, and to look for more would only cost time."""


class Shaper:
    """Converts a definition, and collects what is wrong with it.

    Attributes:
        issues: What is wrong.
        parts: The largest parts that are right: triggers, conditions, actions, each with its path.
    """

    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.parts: list[tuple[Path, Part]] = []
        self._depth = 0

    def definition(self, raw: Json) -> Definition | None:
        """Convert a whole definition; None where there are issues."""
        wrong = no_json(raw)
        if wrong is not None:
            self.fault((), wrong)
            return None
        try:
            made = self.struct(raw, Definition, ())
        except TooManyFaults:
            return None
        return made if not self.issues else None

    def fault(self, path: Path, message: str, hint: str | None = None) -> None:
        """Note a fault.

        Raises:
            TooManyFaults: There are enough of them.
        """
        text = short(message, MAX_MESSAGE)
        self.issues.append(Issue(path=list(path), message=text, hint=hint))
        if len(self.issues) > MAX_FAULTS:
            raise TooManyFaults

    def _part(self, path: Path, make: Callable[[], Any]) -> Any:
        """Convert a part; where it is right it is kept, in the place of the parts in it."""
        issues, parts = len(self.issues), len(self.parts)
        made = make()
        if len(self.issues) == issues:
            self.parts[parts:] = [(path, made)]
        return made

    def struct(self, raw: Json, kind: type[msgspec.Struct], path: Path) -> Any:
        """Convert an object to a struct, field by field; None where a field is wrong."""
        if not isinstance(raw, dict):
            hint = foreign.shape(kind.__name__, raw)
            self.fault(path, f"expected an object, got {got(raw)}", hint)
            return None
        before = len(self.issues)
        fields = msgspec.structs.fields(kind)
        known = [field.encode_name for field in fields]
        self._unknown(raw, known, kind.__name__, path)
        values = {}
        for field in fields:
            name = field.encode_name
            if name in raw:
                values[field.name] = self.value(raw[name], field.type, (*path, name))
            elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
                self.fault((*path, name), f"`{name}` is missing")
        for place, message in rules.across(kind, raw):
            self.fault((*path, *place), message)
        return None if len(self.issues) > before else kind(**values)

    def _unknown(
        self, raw: Mapping[str, Json], known: Sequence[str], kind: str, path: Path
    ) -> None:
        for name in raw:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(known)}"
                hint = foreign.key(kind, str(name), raw) or hint
                self.fault(path, f"unknown key `{short(str(name))}`", hint)

    def value(self, raw: Json, kind: Any, path: Path) -> Any:
        """Convert a value to the type of a field."""
        bare = _bare(kind)[0]
        if bare == Action:
            return self._part(path, lambda: self.action(raw, path))
        if bare == Condition:
            return self._part(path, lambda: self.condition(raw, path, 0))
        if bare is Trigger:
            return self._part(path, lambda: self.struct(raw, Trigger, path))
        special = self._container(raw, kind, path)
        if special is not None:
            return special()
        try:
            return msgspec.convert(raw, kind, strict=True)
        except msgspec.ValidationError:
            if not self._inside(raw, kind, path):
                name = path[-1] if path else ""
                hint = foreign.scalar(raw, _options(_bare(kind)[0]), name)
                self.fault(path, f"expected {expected(kind)}, got {got(raw)}", hint)
            return None

    def _inside(self, raw: Json, kind: Any, path: Path) -> bool:
        """Tell the faults of the items and names in a value; False if it is wrong as a whole."""
        before = len(self.issues)
        for option in _options(_bare(kind)[0]):
            inner = get_args(option)
            if get_origin(option) is list and isinstance(raw, list):
                for index, item in enumerate(raw):
                    self.value(item, inner[0], (*path, index))
            elif get_origin(option) is dict and isinstance(raw, dict):
                for name in raw:
                    self._name(name, inner[0], (*path, name))
        return len(self.issues) > before

    def _name(self, name: str, kind: Any, path: Path) -> None:
        try:
            msgspec.convert(name, kind)
        except msgspec.ValidationError:
            wanted = expected(kind).replace("a text", "a name", 1)
            self.fault(path, f"expected {wanted}, got {got(name)}")

    def _container(self, raw: Json, kind: Any, path: Path) -> Callable[[], Any] | None:
        """Say how a type is converted that holds structs, or nothing for all others."""
        bare, length = _bare(kind)
        if get_origin(bare) is list and _holds_structs(get_args(bare)[0]):
            return lambda: self._list(raw, get_args(bare)[0], length, path)
        for option in _options(bare):
            if isinstance(option, type) and issubclass(option, msgspec.Struct):
                if isinstance(raw, str) and str in _options(bare):
                    return None  # the other form
                if raw is None and type(None) in _options(bare):
                    return lambda: None
                return lambda: self.struct(raw, option, path)
        return None

    def _list(self, raw: Json, item: Any, least: int, path: Path) -> list[Any] | None:
        if not isinstance(raw, list):
            self.fault(path, f"expected a list, got {got(raw)}", foreign.items(raw))
            return None
        if len(raw) < least:
            self.fault(path, "expected a list with at least 1 item, got an empty one")
            return None
        return [self.value(inner, item, (*path, index)) for index, inner in enumerate(raw)]

    def action(self, raw: Json, path: Path) -> Any:
        """Tell the kind of an action by the one key of `KINDS` that is there, and convert it."""
        if not isinstance(raw, dict):
            hint = foreign.action(raw)
            self.fault(path, f"expected an action (an object), got {got(raw)}", hint)
            return None
        found = [key for key in raw if key in KINDS]
        if len(found) != 1:
            self._no_kind(raw, found, path)
            return None
        if self._depth >= MAX_ACTION_DEPTH:
            self.fault(path, f"actions are nested deeper than {MAX_ACTION_DEPTH}")
            return None
        self._depth += 1
        try:
            return self.struct(raw, KINDS[found[0]], path)
        finally:
            self._depth -= 1

    def _no_kind(self, raw: Mapping[str, Json], found: Sequence[str], path: Path) -> None:
        common = {field.encode_name for field in msgspec.structs.fields(ActionBase)}
        if found:
            both = " and ".join(f"`{key}`" for key in found)
            self.fault(path, f"one kind is expected, got {both}", foreign.kinds(raw))
            for key in found:
                if key == "delay" and foreign.is_retried(raw):
                    continue
                kind = {field.encode_name for field in msgspec.structs.fields(KINDS[key])} - common
                self.struct({k: v for k, v in raw.items() if k in kind}, KINDS[key], path)
            return
        strange = [str(key) for key in raw if key not in common and key not in {"else", "config"}]
        near = [match for key in strange for match in get_close_matches(key, KINDS, 1)]
        hint = f"did you mean `{near[0]}`?" if near else f"kinds are {', '.join(KINDS)}"
        hint = foreign.kind(strange) or hint
        self.fault(path, "the action has no kind", hint)

    def condition(self, raw: Json, path: Path, depth: int) -> Any:
        """Convert a condition: a text, or an object with one key."""
        if isinstance(raw, str):
            if not raw.strip():
                self.fault(path, "a condition must not be empty")
                return None
            return raw
        keys = ", ".join(f"`{key}`" for key in CONDITIONS)
        if not isinstance(raw, dict):
            hint = foreign.condition(raw)
            self.fault(path, f"expected an expression or one of {keys}, got {got(raw)}", hint)
            return None
        if len(raw) != 1 or next(iter(raw)) not in CONDITIONS:
            given = ", ".join(f"`{short(str(key))}`" for key in list(raw)[:9]) or "an empty object"
            near = [m for key in raw for m in get_close_matches(str(key), CONDITIONS, 1)]
            hint = foreign.condition(raw)
            if near and len(raw) == 1:
                hint = f"did you mean `{near[0]}`?"
            self.fault(path, f"expected exactly one of {keys}, got {given}", hint)
            return None
        if depth >= MAX_CONDITION_DEPTH:
            self.fault(path, f"conditions are nested deeper than {MAX_CONDITION_DEPTH}")
            return None
        return self._structured(*next(iter(raw.items())), path, depth + 1)

    def _structured(self, key: str, inner: Json, path: Path, depth: int) -> Any:
        """Convert a condition by the type of its one field: a condition, some, or a struct."""
        kind: type[Any] = CONDITIONS[key]
        place = (*path, key)
        (field,) = msgspec.structs.fields(kind)
        bare = _bare(field.type)[0]
        if bare == Condition:
            return kind(self.condition(inner, place, depth))
        if get_origin(bare) is list and get_args(bare)[0] == Condition:
            if not isinstance(inner, list) or not inner:
                self.fault(place, f"expected a list with at least 1 condition, got {got(inner)}")
                return None
            return kind([self.condition(one, (*place, i), depth) for i, one in enumerate(inner)])
        return self.struct({key: inner}, kind, path)


def no_json(raw: Json) -> str | None:
    """Say why a value cannot be handled at all, however right it may be."""
    level = [raw]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for value in level for inner in _inner(value)]
        if not level:
            break
    else:
        return f"nested deeper than {MAX_DEPTH}"
    try:
        msgspec.json.encode(raw)
    except (TypeError, ValueError) as error:
        return f"no JSON: {error}"
    return None


def _inner(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _bare(kind: Any) -> tuple[Any, int]:
    """Take the bounds off a type; give the least length that they ask for."""
    least = 0
    while get_origin(kind) is Annotated:
        kind, *bounds = get_args(kind)
        least = max([least, *(bound.min_length or 0 for bound in bounds)])
    return kind, least


def _options(kind: Any) -> tuple[Any, ...]:
    """Give what a union takes; of any other type, the type."""
    if get_origin(kind) in {Union, types.UnionType}:
        return tuple(_bare(option)[0] for option in get_args(kind))
    return (kind,)


def _holds_structs(item: Any) -> bool:
    if item in (Action, Condition):
        return True
    return any(
        isinstance(option, type) and issubclass(option, msgspec.Struct)
        for option in _options(_bare(item)[0])
    )
