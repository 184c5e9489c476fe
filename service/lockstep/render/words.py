"""What there is to say in expressions: the filters and tests, as authors write them.

The one place that says how each is written and what it does: the API, the command line and the page
of them have it from here.
"""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lockstep.model.types import Word
from lockstep.render.filters import BUILT_IN, Known
from lockstep.render.predicates import PREDICATES

LONGEST: Final = 200  # characters of what a plug-in says of its filter
_TEST: Final = 2  # arguments that a test is handed: the account, and the value before `is`
# What takes the name of another filter or of a test; its signature says less than its authors know.
_NAMING: Final[Mapping[str, tuple[str, str]]] = {
    "map": (
        "map(filter, …) or map(attribute=…, default=null)",
        "Give a list of what a filter makes of each item, or of a member of each.",
    ),
    "select": (
        "select(test, …)",
        "Give the items of which a test holds, or that are true where none is named.",
    ),
    "reject": (
        "reject(test, …)",
        "Give the items of which a test does not hold, or that are false where none is named.",
    ),
    "selectattr": (
        "selectattr(attribute, test, …)",
        "Give the items of a member of which a test holds, or whose member is true.",
    ),
    "rejectattr": (
        "rejectattr(attribute, test, …)",
        "Give the items of a member of which a test does not hold, or whose member is false.",
    ),
}
_TESTS: Final[Mapping[str, str]] = {
    "defined": "Say whether a value is there, be it null.",
    "undefined": "Say whether a value is missing.",
    **dict.fromkeys(("none", "null"), "Say whether a value is null or missing."),
    "true": "Say whether a value is `true`, and not only what counts as true.",
    "false": "Say whether a value is `false`, and not only what counts as false.",
    "boolean": "Say whether a value is `true` or `false`.",
    "number": "Say whether a value is a number; a text of digits is none.",
    "integer": "Say whether a value is a number that was written without a fraction.",
    "float": "Say whether a value is a number that was written with a fraction.",
    "string": "Say whether a value is a text.",
    "sequence": "Say whether a value is a list or a text.",
    "iterable": "Say whether a value is a list, a text or an object.",
    "mapping": "Say whether a value is an object.",
    "lower": "Say whether a text is in lower case.",
    "upper": "Say whether a text is in upper case.",
    "even": "Say whether a number is even.",
    "odd": "Say whether a number is odd.",
    "divisibleby": "Say whether a number can be divided by another without a rest.",
    "in": "Say whether a text has a part, a list an item, an object a key.",
    **dict.fromkeys(("eq", "equalto", "=="), "Say whether a value is equal to another."),
    **dict.fromkeys(("ne", "!="), "Say whether a value is not equal to another."),
    **dict.fromkeys(("lt", "lessthan", "<"), "Say whether a value is less than another."),
    **dict.fromkeys(("le", "<="), "Say whether a value is less than another, or equal to it."),
    **dict.fromkeys(("gt", "greaterthan", ">"), "Say whether a value is greater than another."),
    **dict.fromkeys(("ge", ">="), "Say whether a value is greater than another, or equal to it."),
}


def words(others: Mapping[str, Callable[..., object]], owners: Mapping[str, str]) -> list[Word]:
    """Give all filters and then all tests, by name.

    Args:
        others: The filters of plug-ins, by name.
        owners: Which plug-in each of these is of.
    """
    built_in = (_built_in(name) for name in BUILT_IN)
    foreign = (
        Word(name, False, _usage(name, Known(call, call, 1)), _meaning(call), owners.get(name))
        for name, call in others.items()
    )
    tests = (Word(name, True, _asked(name), _TESTS[name], None) for name in PREDICATES)
    return [*sorted([*built_in, *foreign]), *sorted(tests)]


def _built_in(name: str) -> Word:
    call = BUILT_IN[name]
    if name in _NAMING:
        return Word(name, False, *_NAMING[name], None)
    return Word(name, False, _usage(name, Known(call, call, 2)), _meaning(call), None)


def _asked(name: str) -> str:
    """Write a test behind a value; one whose name is no word stands in `select` only."""
    arguments = _arguments(PREDICATES[name], _TEST)
    if name.isalpha():
        return f"is {name}" + (f"({arguments})" if arguments else "")
    return f'select("{name}", {arguments})'


def _usage(name: str, known: Known) -> str:
    arguments = _arguments(known.function, known.handed)
    return f"{name}({arguments})" if arguments else name


def _arguments(function: Callable[..., object], handed: int) -> str:
    try:
        given = list(inspect.signature(function).parameters.values())[handed:]
    except (TypeError, ValueError):  # functions in C do not always have one
        return "…"
    return ", ".join(_written(given))


def _written(given: list[inspect.Parameter]) -> Iterator[str]:
    for one in given:
        if one.kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
            yield "…"
        elif one.default is inspect.Parameter.empty:
            yield one.name
        else:
            yield f"{one.name}={_literal(one.default)}"


def _literal(value: object) -> str:
    """Write a value as expressions have it; what JSON does not have is not shown."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return "…"


def _meaning(call: Callable[..., object]) -> str:
    told = inspect.getdoc(call) if inspect.isroutine(call) else None
    text = " ".join((told or "").partition("\n\n")[0].split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"
