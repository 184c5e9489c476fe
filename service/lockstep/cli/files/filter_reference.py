"""The page of all filters and tests of expressions that are built in, and their examples."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from lockstep.catalog import build_catalog
from lockstep.cli.files.filter_examples import FILTERS, NOW, TESTS
from lockstep.model.types import Word
from lockstep.render import BUILT_IN
from lockstep.render.predicates import PREDICATES

HEAD: Final = f"""\
# Filters and tests

<!-- Written by `lockstep catalog filters --reference`; do not change it by hand. -->

What [expressions](LANGUAGE.md#templates-and-expressions) may use beside signs: a filter makes
something of a value, `value | filter(argument)`; a test says yes or no of it,
`value is test(argument)`. Arguments may be given by place, those of filters by name too. No filter
raises on a type: odd input passes through or gives a neutral value. `lockstep catalog filters NAME`
explains one, and lists those that plug-ins bring too.

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


def page() -> str:
    """Write all of it as Markdown."""
    words = {(one.name, one.is_test): one for one in build_catalog(open=True).words()}
    parts = [HEAD]
    title = ""
    for names in aliases(is_test=False):
        if title != (title := _title(names[0])):
            parts.append(f"## {title}\n")
        parts.append(_section(words[names[0], False], names))
    parts.append("## Tests\n")
    parts += [_section(words[names[0], True], names) for names in aliases(is_test=True)]
    return "\n".join(parts)


def aliases(*, is_test: bool) -> Sequence[Sequence[str]]:
    """Give the names of all filters or of all tests, those of one together."""
    found: dict[int, list[str]] = {}
    for name, function in (PREDICATES if is_test else BUILT_IN).items():
        found.setdefault(id(function), []).append(name)
    return list(found.values())


def examples(name: str, *, is_test: bool) -> Iterator[str]:
    """Give the examples of a filter or a test, each with what it gives; none of a plug-in."""
    told = TESTS if is_test else FILTERS
    for names in aliases(is_test=is_test):
        if name in names:
            for text, value in told[names[0]]:
                shown = text.replace("\n", r"\n")
                yield f"{shown}  →  {msgspec.json.encode(value).decode()}"


def _title(name: str) -> str:
    function = BUILT_IN[name]
    plain = function.func if isinstance(function, partial) else function
    return TITLES[plain.__module__.rpartition(".")[2]]


def _section(word: Word, names: Sequence[str]) -> str:
    also = f" Also as {', '.join(f'`{name}`' for name in names[1:])}." if names[1:] else ""
    text = "\n".join(examples(word.name, is_test=word.is_test))
    return f"### {word.name}\n\n`{word.usage}`: {word.meaning}{also}\n\n```text\n{text}\n```\n"
