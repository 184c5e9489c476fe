"""All filters and tests of expressions, from their functions, and the page of them."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Literal

import msgspec

from lockstep.model.errors import EngineError
from lockstep.render import BUILT_IN
from lockstep.render.examples import FILTERS, MEANINGS, NOW, SIGNATURES, TESTS
from lockstep.render.predicates import PREDICATES
from lockstep_schemas.base import Json

HANDED: Final = 2  # the account of the evaluation, and the value

HEAD: Final = f"""\
# Filters and tests

<!-- Written by `lockstep filters --reference`; do not change it by hand. -->

What [expressions](LANGUAGE.md#templates-and-expressions) may use beside signs: a filter makes
something of a value, `value | filter(argument)`; a test says yes or no of it,
`value is test(argument)`. Arguments may be given by place, those of filters by name too. No filter
raises on a type: odd input passes through or gives a neutral value. `lockstep filters NAME`
explains one; plug-ins may bring more filters.

Behind the arrow stands what each example gives, as JSON; `now` is `{NOW}` in them.
"""
TITLES: Final[Mapping[str, str]] = {
    "filters_text": "Texts, and what becomes of other types",
    "filters_list": "Lists, objects, numbers",
    "loops": "Through the items of a list",
    "filters_time": "Times",
    "filters_data": "Other notations",
    "patterns": "Regular expressions",
}


class NoSuchFilter(EngineError):
    """There is no filter and no test of this name."""

    code = "filters.unknown"
    category = "not_found"
    advice = "`lockstep filters` lists all; those of plug-ins are said by the plug-in."


class Usable(msgspec.Struct, frozen=True):
    """What there is to say of a filter or a test."""

    kind: Literal["filter", "test"]
    names: Sequence[str]
    signature: str
    what: str
    part: str
    examples: Sequence[tuple[str, Json]]


def explained() -> list[Usable]:
    """Give what there is to say of each, aliases together."""
    return [*_filters(), *_tests()]


def page() -> str:
    """Write all of it as Markdown."""
    parts, every = [HEAD], explained()
    for part in dict.fromkeys(one.part for one in every):
        parts.append(f"## {part}\n")
        parts += [_section(one) for one in every if one.part == part]
    return "\n".join(parts)


def lines(one: Usable) -> Iterator[str]:
    """Give the examples of one, each with what it gives."""
    for text, value in one.examples:
        shown = text.replace("\n", r"\n")
        yield f"{shown}  →  {msgspec.json.encode(value).decode()}"


def _filters() -> Iterator[Usable]:
    aliases: dict[int, list[str]] = {}
    for name, function in BUILT_IN.items():
        aliases.setdefault(id(function), []).append(name)
    for names in aliases.values():
        name, function = names[0], BUILT_IN[names[0]]
        plain = function.func if isinstance(function, partial) else function
        takes = SIGNATURES.get(name) or ", ".join(_parameters(plain))
        yield Usable(
            kind="filter",
            names=names,
            signature=f"{name}({takes})" if takes else name,
            what=MEANINGS.get(name) or _first_paragraph(plain),
            part=TITLES[plain.__module__.rpartition(".")[2]],
            examples=FILTERS[name],
        )


def _tests() -> Iterator[Usable]:
    for name, (what, examples) in TESTS.items():
        function = PREDICATES[name]
        takes = ", ".join(_parameters(function))
        names = [one for one, other in PREDICATES.items() if other is function]
        yield Usable(
            kind="test",
            names=[name, *(one for one in names if one != name)],
            signature=f"{name}({takes})" if takes else name,
            what=what,
            part="Tests",
            examples=examples,
        )


def _parameters(function: Callable[..., object]) -> Iterator[str]:
    """Give the arguments of an author, each with its default as JSON."""
    for name, one in [*inspect.signature(function).parameters.items()][HANDED:]:
        if one.default is inspect.Parameter.empty:
            yield name
        else:
            yield f"{name}={msgspec.json.encode(one.default).decode()}"


def _first_paragraph(function: Callable[..., object]) -> str:
    return " ".join((function.__doc__ or "").partition("\n\n")[0].split())


def _section(one: Usable) -> str:
    also = f" Also as {', '.join(f'`{name}`' for name in one.names[1:])}." if one.names[1:] else ""
    text = "\n".join(lines(one))
    return f"### {one.names[0]}\n\n`{one.signature}`: {one.what}{also}\n\n```text\n{text}\n```\n"
