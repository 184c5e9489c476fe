"""What expressions may say is listed: each filter and test, how it is written and what it does."""

import functools

import pytest

from lockstep.catalog import Registry, build_catalog
from lockstep.model.types import Word
from lockstep.render import BUILT_IN, Renderer
from lockstep.render.predicates import PREDICATES
from lockstep.render.words import LONGEST

CATALOG = build_catalog(open=True)
WORDS = CATALOG.words()
NAMED = {(one.name, one.is_test): one for one in WORDS}


def test_every_filter_and_then_every_test_is_listed_by_name() -> None:
    assert [one.name for one in WORDS] == [*sorted(BUILT_IN), *sorted(PREDICATES)]
    assert [one.is_test for one in WORDS] == sorted(one.is_test for one in WORDS)


@pytest.mark.parametrize("word", WORDS, ids=lambda one: f"{one.name}-{one.is_test}")
def test_each_says_in_a_line_what_it_does(word: Word) -> None:
    assert word.meaning.endswith(".")
    assert len(word.meaning) <= LONGEST
    assert word.owner is None


@pytest.mark.parametrize(
    "word", [one for one in WORDS if "…" not in one.usage], ids=lambda one: f"{one.usage}"
)
def test_what_is_said_of_it_can_be_written(word: Word) -> None:
    middle = " " if word.usage.startswith("is ") else " | "
    Renderer().expression(f"value{middle}{word.usage}")


@pytest.mark.parametrize(
    ("name", "is_test", "usage"),
    [
        ("upper", False, "upper"),
        ("upper", True, "is upper"),
        ("replace", False, 'replace(old, new="", count=null)'),
        ("divisibleby", True, "is divisibleby(num)"),
        ("<=", True, 'select("<=", other)'),
        ("selectattr", False, "selectattr(attribute, test, …)"),
    ],
)
def test_it_stands_there_as_its_authors_write_it(name: str, is_test: bool, usage: str) -> None:
    assert NAMED[name, is_test].usage == usage


def test_a_filter_of_a_plug_in_stands_among_them_with_what_its_function_says() -> None:
    def shout(value: str, mark: str = "!", *more: object, deep: object = ValueError) -> str:
        return value + mark

    shout.__doc__ = "Give a text\n    loudly.\n\n    And more of it."

    def plug_in(registry: Registry) -> None:
        registry.add_filter("shout", shout)
        registry.add_filter("halved", functools.partial(max, 1))
        registry.add_filter("long", lambda value: value)
        registry.add_filter("able", dict)

    catalog = build_catalog(open=True)
    catalog.register("loud", plug_in)
    found = {one.name: one for one in catalog.words() if one.owner == "loud"}
    usage = 'shout(mark="!", …, deep=…)'
    assert found["shout"] == Word("shout", False, usage, "Give a text loudly.", "loud")
    assert found["long"] == Word("long", False, "long", "", "loud")
    assert found["halved"].meaning == ""
    names = [one.name for one in catalog.words() if not one.is_test]
    assert names == sorted(names)


def test_what_a_plug_in_says_at_length_is_cut() -> None:
    def told(value: object) -> object:
        return value

    told.__doc__ = "x" * 1000
    catalog = build_catalog(open=True)
    catalog.register("long", lambda registry: registry.add_filter("told", told))
    (word,) = (one for one in catalog.words() if one.owner is not None)
    assert len(word.meaning) == LONGEST
    assert word.meaning.endswith("x…")
