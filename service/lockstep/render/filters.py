"""The table of filters, and how a call of one is bound when an expression is compiled."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from lockstep.model.errors import RenderError, SyntaxFault
from lockstep.render import lists, texts, times
from lockstep.render.limits import Budget
from lockstep.render.values import MISSING

Scope = Mapping[str, object]
Call = Callable[[Scope, Budget, object, Sequence[object], Mapping[str, object]], object]


class Filter(msgspec.Struct, frozen=True):
    """A filter: its function, what it is handed before the value, and its parameters."""

    function: Callable[..., object]
    first: str  # "", "budget" or "scope"
    least: int  # arguments beside the value
    most: int
    names: tuple[str, ...]
    is_ours: bool = True


def made(function: Callable[..., object], *, is_ours: bool = True) -> Filter:
    """Read from its signature how a function is called."""
    parameters = list(inspect.signature(function).parameters.values())
    first = parameters[0].name if parameters and parameters[0].name in {"budget", "scope"} else ""
    if not is_ours:
        first = ""
    rest = parameters[2 if first else 1 :]
    variable = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in rest)
    plain = [p for p in rest if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    least = sum(p.default is inspect.Parameter.empty for p in plain)
    most = 8 if variable else len(plain)
    return Filter(function, first, least, most, tuple(p.name for p in plain), is_ours)


_FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = {
    "default": texts.default,
    "upper": texts.upper,
    "lower": texts.lower,
    "capitalize": texts.capitalize,
    "trim": texts.trim,
    "truncate": texts.truncate,
    "length": lists.length,
    "json": texts.json,
    "iso": times.iso,
    "date": times.date,
    "join": lists.join,
    "replace": texts.replace,
    "int": texts.integer,
    "float": texts.number,
    "string": texts.string,
    "bool": texts.boolean,
    "list": lists.to_list,
    "round": lists.rounded,
    "abs": lists.absolute,
    "min": lists.minimum,
    "max": lists.maximum,
    "sum": lists.total,
    "first": lists.first,
    "last": lists.last,
    "sort": lists.ordered,
    "unique": lists.unique,
    "reverse": lists.backwards,
    "map": lists.mapped,
    "select": lists.select,
    "reject": lists.reject,
    "selectattr": lists.selectattr,
    "rejectattr": lists.rejectattr,
    "groupby": lists.groupby,
    "keys": lists.keys,
    "values": lists.values,
    "items": lists.items,
    "split": texts.split,
    "regex_match": texts.regex_match,
    "regex_replace": texts.regex_replace,
    "b64encode": texts.b64encode,
    "b64decode": texts.b64decode,
    "urlencode": texts.urlencode,
    "sha256": texts.sha256,
    "minutes": times.minutes,
    "hours": times.hours,
    "days": times.days,
    "duration_since": times.duration_since,
    "older_than": times.older_than,
}
BUILT_IN: Final[Mapping[str, Filter]] = {
    name: made(function) for name, function in _FUNCTIONS.items()
}


def bind(
    known: Mapping[str, Filter], name: str, count: int, named: Collection[str], line: int
) -> Call:
    """Look a filter up and check the number of its arguments.

    Raises:
        SyntaxFault: There is no such filter, or it does not take these arguments.
    """
    found = known.get(name)
    if found is None:
        near = get_close_matches(name, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else ""
        raise SyntaxFault(f"unknown filter '{name}'", line=line, hint=hint)
    if name == "map":
        return _map(known, found, line)
    stray = sorted(set(named) - set(found.names))
    if stray:
        raise SyntaxFault(f"filter '{name}' has no argument '{stray[0]}'", line=line)
    if not found.least <= count + len(named) <= found.most:
        takes = f"{found.least} to {found.most}" if found.least != found.most else f"{found.most}"
        raise SyntaxFault(
            f"filter '{name}' takes {takes} arguments, {count + len(named)} are given", line=line
        )
    return _ours(found) if found.is_ours else _foreign(name, found)


def _ours(found: Filter) -> Call:
    function, first = found.function, found.first

    def call(
        scope: Scope,
        budget: Budget,
        value: object,
        args: Sequence[object],
        named: Mapping[str, object],
    ) -> object:
        if first == "budget":
            return function(budget, value, *args, **named)
        if first == "scope":
            return function(scope, value, *args, **named)
        return function(value, *args, **named)

    return call


def _foreign(name: str, found: Filter) -> Call:
    """Call a filter of a plug-in: it sees null for missing, and may raise anything."""
    function = found.function

    def call(
        _: Scope, __: Budget, value: object, args: Sequence[object], named: Mapping[str, object]
    ) -> object:
        try:
            return function(None if value is MISSING else value, *args, **named)
        except Exception as error:
            raise RenderError(f"filter '{name}': {type(error).__name__}: {error}") from error

    return call


def _map(known: Mapping[str, Filter], found: Filter, line: int) -> Call:
    """Bind `map`: its first argument names a filter, which is looked up when it is called."""

    def call(
        scope: Scope,
        budget: Budget,
        value: object,
        args: Sequence[object],
        named: Mapping[str, object],
    ) -> object:
        more: dict[str, Any] = dict(named)
        if not args:
            return found.function(budget, value, None, **_of_map(more))
        inner = bind(known, str(args[0]), len(args) - 1, more, line)
        return found.function(
            budget, value, lambda item: inner(scope, budget, item, args[1:], more)
        )

    return call


def _of_map(named: Mapping[str, object]) -> Mapping[str, object]:
    stray = set(named) - {"attribute", "default"}
    if stray:
        raise RenderError(f"filter 'map' has no argument '{min(stray)}'")
    return named
