"""The table of filters, and how their arguments are checked when an expression is compiled."""

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from lockstep.model.errors import RenderError
from lockstep.model.foreign import called, reason_of
from lockstep.render import filters_data as data
from lockstep.render import filters_list as lists
from lockstep.render import filters_text as texts
from lockstep.render import filters_time as times
from lockstep.render import loops, patterns
from lockstep.render.limits import Work
from lockstep.render.values import MISSING, SCALARS, kind

Filter: TypeAlias = Callable[..., object]
"""Takes the account of the evaluation, the value before `|`, and its arguments."""

BUILT_IN: Final[Mapping[str, Filter]] = {
    "default": texts.default,
    "d": texts.default,
    "upper": texts.upper,
    "lower": texts.lower,
    "capitalize": texts.capitalize,
    "title": texts.title,
    "trim": texts.trim,
    "indent": texts.indent,
    "wordcount": texts.wordcount,
    "truncate": texts.truncate,
    "replace": texts.replace,
    "split": texts.split,
    "join": texts.join,
    "string": texts.string,
    "int": texts.to_integer,
    "float": texts.to_float,
    "bool": texts.to_bool,
    "list": lists.to_list,
    "length": lists.length,
    "count": lists.length,
    "keys": lists.keys,
    "values": lists.values,
    "items": lists.items,
    "first": lists.first,
    "last": lists.last,
    "reverse": lists.backwards,
    "round": lists.rounded,
    "abs": lists.absolute,
    "sum": lists.total,
    "min": lists.least,
    "max": lists.greatest,
    "sort": lists.ordered,
    "unique": lists.unique,
    "groupby": lists.groupby,
    "dictsort": lists.dictsort,
    "batch": lists.batch,
    "slice": lists.slices,
    "map": loops.plucked,
    **{
        name: partial(tested.run, loops.is_true, tested.wanted)
        for name, tested in loops.TESTED.items()
    },
    "iso": times.iso,
    "date": times.date,
    "minutes": times.minutes,
    "hours": times.hours,
    "days": times.days,
    "duration_since": times.duration_since,
    "older_than": times.older_than,
    "json": data.json,
    "tojson": data.json,
    "fromjson": data.fromjson,
    "b64encode": data.b64encode,
    "b64decode": data.b64decode,
    "urlencode": data.urlencode,
    "sha256": data.sha256,
    "regex_match": patterns.regex_match,
    "regex_search": patterns.regex_search,
    "regex_findall": patterns.regex_findall,
    "regex_replace": patterns.regex_replace,
}


class Known(NamedTuple):
    """A filter that was found."""

    call: Filter
    function: Callable[..., object]
    """What has its signature."""
    handed: int
    """How many arguments it is handed before those of the author."""


class Filters:
    """The built-in filters, and those of plug-ins.

    Args:
        others: Those of plug-ins, by name; looked up anew each time, so it may grow.

    Raises:
        ValueError: One of them has the name of a built-in filter.
    """

    def __init__(self, others: Mapping[str, Callable[..., object]]) -> None:
        taken = sorted(set(others) & set(BUILT_IN))
        if taken:
            raise ValueError(f"filter '{taken[0]}' is built in and cannot be replaced")
        self._others = others

    def find(self, name: str) -> Known | None:
        """Give a filter; a built-in one before all others."""
        built_in = BUILT_IN.get(name)
        if built_in is not None:
            return Known(built_in, built_in, 2)
        function = self._others.get(name)
        return None if function is None else Known(_foreign(name, function), function, 1)

    def names(self) -> list[str]:
        """All names."""
        return [*BUILT_IN, *self._others]


def _foreign(name: str, function: Callable[..., object]) -> Filter:
    """Make a filter of a function of a plug-in: it sees null for missing, may raise anything.

    What it is handed and what it has given, it may change: both are copied.
    """

    def call(work: Work, value: object, *args: object, **named: object) -> object:
        work.seconds_left()
        values = [_own(work, arg) for arg in (value, *args)]
        more = {key: _own(work, arg) for key, arg in named.items()}
        try:
            made = called(function, *values, **more)
        except Exception as error:
            raise RenderError(f"filter '{name}': {reason_of(error)}") from error
        if type(made) not in SCALARS and not isinstance(made, str | list | tuple | Mapping):
            raise RenderError(f"filter '{name}' gave {kind(made)}, which JSON does not have")
        work.seconds_left()
        return called(_own, work, made)  # it may be of a class of the plug-in

    return call


def _own(work: Work, value: object) -> object:
    """Copy lists and objects, and pay for it; what is missing becomes null."""
    if isinstance(value, list | tuple):
        work.take(8 * len(value))
        work.tick(len(value))
        return [item if type(item) in SCALARS else _own(work, item) for item in value]
    if isinstance(value, Mapping):
        work.take(16 * len(value))
        work.tick(len(value))
        return {
            name: item if type(item) in SCALARS else _own(work, item)
            for name, item in value.items()
        }
    return None if value is MISSING else value


def misfit(function: Callable[..., object], before: int, count: int, named: Collection[str]) -> str:
    """Say what is wrong with the arguments of a call, or nothing.

    Args:
        function: What is called.
        before: How many arguments it is handed before those of the author.
        count: How many the author gives by position.
        named: Which ones the author gives by name.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # functions in C do not always have one
        return ""
    try:
        signature.bind(*[None] * (before + count), **dict.fromkeys(named))
    except TypeError as error:
        return str(error)
    return ""


def takes(function: Callable[..., object], before: int) -> str:
    """Say which arguments a filter or a test takes.

    Args:
        function: What is called.
        before: How many arguments it is handed before those of the author.
    """
    try:
        names = list(inspect.signature(function).parameters)[before:]
    except (TypeError, ValueError):
        return ""
    return f"it takes {', '.join(names)}" if names else "it takes no arguments"
