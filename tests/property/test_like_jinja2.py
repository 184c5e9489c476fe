"""Filters, tests and members with the names of Jinja2 give what Jinja2 gives.

Where they do not, that is on purpose and stands in `ON_PURPOSE` with its reason. Where Jinja2
raises, ours only have to give something: a filter never raises on a type.
"""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, Undefined
from jinja2.filters import FILTERS
from jinja2.tests import TESTS

from lockstep.render import BUILT_IN, Renderer
from lockstep.render.predicates import PREDICATES

EXAMPLES: Final = int(os.environ.get("TEST_JINJA2_EXAMPLES", "10"))
"""Of each call, of which there are some 150; a few are always the same, many are random."""

RENDERER: Final = Renderer()
JINJA2: Final = Environment(autoescape=False)  # noqa: S701 - it renders nothing

Scope = dict[str, Any]
Pick = Callable[[Scope], bool]

texts = st.text(st.sampled_from("abcAB 12-_./:&=éßİ\n\t(<%"), max_size=12)
wholes = st.integers(-12, 12)
numbers = st.one_of(wholes, st.floats(-100, 100), st.sampled_from([2.0, 3.0, 2.5, 1e10]))
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
objects = st.dictionaries(st.sampled_from(["a", "b", "A", "c d"]), scalars, max_size=3)
pairs = st.lists(st.tuples(texts, scalars).map(list), max_size=4)
lists = st.one_of(
    st.lists(wholes, max_size=8),
    st.lists(numbers, max_size=8),
    st.lists(texts, max_size=8),
    st.lists(st.fixed_dictionaries({"a": wholes, "b": texts}), max_size=8),
    st.lists(st.fixed_dictionaries({"a": texts}, optional={"b": numbers}), max_size=8),
    st.lists(scalars, max_size=4),
    st.lists(st.lists(scalars, max_size=3), max_size=4),
    st.lists(objects, max_size=4),
    pairs,
)
values = st.one_of(scalars, lists, objects)
flags = st.booleans()
paths = st.sampled_from(["a", "b", "a,b", "b,a", 0, 1, "0", "c"])
members = st.sampled_from(["a", "b", 0, 1, "0", "c"])
nothing: st.SearchStrategy[Any] = st.just(None)


@dataclass(frozen=True)
class Call:
    """An expression over `x`, `p`, `q` and `r`, and where their values come from."""

    text: str
    p: st.SearchStrategy[Any] = nothing
    q: st.SearchStrategy[Any] = nothing
    r: st.SearchStrategy[Any] = nothing
    x: st.SearchStrategy[Any] = values


def calls(*texts: str, **more: Any) -> list[Call]:
    """Several expressions over the same values."""
    return [Call(text, **more) for text in texts]


FILTER_CALLS: Final = [
    *calls(*[f"x | {name}" for name in (
        "abs", "capitalize", "count", "dictsort", "first", "float", "int", "items", "last",
        "length", "list", "lower", "max", "min", "reject", "reverse", "round", "select", "sort",
        "string", "sum", "title", "tojson", "trim", "unique", "upper", "urlencode", "wordcount",
        "indent", "d", "default",
    )]),
    *calls("x | d(p)", "x | default(p, q)", p=scalars, q=flags),
    *calls("x | default(p)", "y | default(p)", "y | d", p=scalars),
    *calls("x | batch(p, q)", "x | slice(p, q)", "x | batch(p)", "x | slice(p)",
           p=st.integers(1, 6), q=scalars),
    Call("x | dictsort(p, q, r)", p=flags, q=st.sampled_from(["key", "value"]), r=flags, x=objects),
    *calls("x | float(p)", "x | int(p)", p=wholes),
    *calls("x | groupby(p)", "x | groupby(p, q)", p=members, q=scalars),
    Call("x | groupby(p, case_sensitive=true)", p=members),
    *calls("x | groupby(p) | map(attribute='grouper') | list",
           "x | groupby(p) | map(attribute='list') | list", "(x | groupby(p) | first).grouper",
           p=members),
    Call("x | indent(p, q, r)", p=st.one_of(wholes, texts), q=flags, r=flags, x=texts),
    *calls("x | join(p)", "x | join(p, 'b')", p=texts),
    *calls("x | map(attribute=p)", "x | map(attribute=p, default=q)", p=members, q=scalars),
    *calls(*[f"x | map('{name}')" for name in ("upper", "int", "length", "abs", "first")]),
    *calls("x | max(p, q)", "x | min(p, q)", "x | unique(p, q)", p=flags, q=members),
    *calls("x | max(p)", "x | min(p)", "x | unique(p)", p=flags),
    *calls(*[f"x | {name}('{test}')" for name in ("select", "reject")
             for test in ("odd", "even", "string", "number", "none", "mapping")]),
    *calls("x | selectattr(p)", "x | rejectattr(p)", "x | selectattr(p, 'eq', q)",
           "x | rejectattr(p, 'in', r)", p=members, q=scalars, r=lists),
    *calls("x | replace(p, q)", "x | replace(p, q, r)", p=texts, q=texts, r=wholes),
    Call("x | round(p, q)", p=st.integers(-3, 5), q=st.sampled_from(["common", "ceil", "floor"])),
    *calls("x | sort(p, q, r)", "x | sort(p, q)", p=flags, q=flags, r=paths),
    *calls("x | sum(p)", "x | sum(p, q)", p=members, q=wholes),
    Call("x | sum(start=p)", p=numbers),
    Call("x | trim(p)", p=texts),
    Call("x | truncate(p)", p=wholes),
]  # fmt: skip
TEST_CALLS: Final = [
    *calls(*[f"{value} is {name}" for value in ("x", "y") for name in (
        "boolean", "defined", "even", "false", "float", "integer", "iterable", "lower", "mapping",
        "none", "number", "odd", "sequence", "string", "true", "undefined", "upper",
    )]),
    *calls(*[f"x is {name}(p)" for name in (
        "divisibleby", "eq", "equalto", "ge", "greaterthan", "gt", "in", "le", "lessthan", "lt",
        "ne",
    )], p=values),
    *calls("x is divisibleby(p)", "x is lt(p)", "x is ge(p)", p=numbers, x=numbers),
    *calls(*[f"x | select('{name}', p)" for name in ("==", "!=", "<", "<=", ">", ">=")],
           p=scalars),
]  # fmt: skip
MEMBER_CALLS: Final = [
    Call("x[p]", p=wholes, x=st.one_of(lists, texts)),
    Call("x[p:q:r]", p=st.one_of(nothing, wholes), q=st.one_of(nothing, wholes),
         r=st.sampled_from([None, 1, 2, -1, -2]), x=st.one_of(lists, texts)),
]  # fmt: skip
CALLS: Final = [*FILTER_CALLS, *TEST_CALLS, *MEMBER_CALLS]


def of_x(holds: Callable[[Any], bool]) -> Pick:
    """Pick by the value alone."""
    return lambda scope: holds(scope["x"])


def items_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def picked(scope: Scope, path: object) -> list[Any]:
    """What is compared: the members that a path names, of all items."""
    names = path.split(",") if isinstance(path, str) else [path]
    found = []
    for item in items_of(scope["x"]):
        for name in names:
            key = int(str(name)) if isinstance(item, list) and str(name).isdigit() else name
            try:
                found.append(item[key])
            except (KeyError, IndexError, TypeError):
                found.append(None)
    return found


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def no_text(value: Any) -> bool:
    return not isinstance(value, str)


def no_list(value: Any) -> bool:
    return not isinstance(value, list)


def is_written_alike(value: Any) -> bool:
    """Whether Python and a template write it the same."""
    return isinstance(value, str) or (isinstance(value, int) and not is_bool(value))


def no_number(value: Any) -> bool:
    return is_bool(value) or not isinstance(value, int | float)


def has_lists(scope: Scope) -> bool:
    """Whether lists or objects are compared with one another."""
    x = scope["x"]
    compared = list(x.values()) if isinstance(x, dict) else list(items_of(x))
    if all(isinstance(one, dict) for one in compared):
        compared = []
    for path in (scope["p"], scope["q"], scope["r"]):
        compared += picked(scope, path)
    return any(isinstance(one, list | dict) for one in compared)


def mixes_bools(scope: Scope) -> bool:
    """Whether a boolean is compared with what is none."""
    flags = [is_bool(one) for one in (scope["x"], scope["p"], *items_of(scope["x"]))]
    return any(flags) and not all(flags[:2])


def names_of(names: str, holds: Pick, why: str, example: str) -> "list[Purpose]":
    return [Purpose(name, holds, why, example) for name in names.split()]


@dataclass(frozen=True)
class Purpose:
    """A difference that is meant."""

    name: str
    """Of the filter or the test."""
    holds: Pick
    why: str
    example: str
    """In which both give something else, or Jinja2 raises."""


ON_PURPOSE: Final = [
    *names_of("capitalize lower upper title trim replace indent", of_x(no_text),
              "what is no text passes through", "true | {name}"),
    *names_of("batch slice map max min sort unique select reject selectattr rejectattr groupby sum",
              of_x(no_list), "what is no list passes through: a text is one value",
              "'ab' | {name}"),
    *names_of("first last", of_x(no_list),
              "what is no list passes through: a text is one value", "'ab' | {name}"),
    Purpose("join", of_x(no_list), "what is no list passes through", "'ab' | join('-')"),
    Purpose("join", of_x(lambda x: not all(map(is_written_alike, x))),
            "items are written as a template writes them", "[true] | join('')"),
    Purpose("join", lambda scope: "'b'" in scope["text"] and not all(
                map(is_written_alike, picked(scope, "b"))),
            "items are written as a template writes them", "[{'b': null}] | join('', 'b')"),
    Purpose("string", of_x(lambda x: not is_written_alike(x)),
            "a value is written as a template writes it", "true | string"),
    Purpose("wordcount", of_x(lambda x: not is_written_alike(x)),
            "a value is written as a template writes it", "null | wordcount"),
    Purpose("urlencode", of_x(lambda x: x is None or isinstance(x, bool | float)),
            "a value is written as a template writes it, null passes through", "null | urlencode"),
    Purpose("urlencode", of_x(lambda x: isinstance(x, dict) and not all(
                map(is_written_alike, x.values()))),
            "a value is written as a template writes it", "{'a': true} | urlencode"),
    Purpose("urlencode", of_x(lambda x: isinstance(x, list) and not all(
                isinstance(one, list) and all(map(is_written_alike, one)) for one in x)),
            "a list of what are no pairs is JSON", "['ab'] | urlencode"),
    Purpose("abs", of_x(lambda x: is_bool(x) or isinstance(x, str)),
            "a boolean is no number, a text may be one", "'-1' | abs"),
    *names_of("d default", of_x(lambda x: x is None or x == ""),
              "null and empty text have a default too", "null | {name}(1)"),
    *names_of("int float", of_x(lambda x: isinstance(x, str) and ("_" in x or not x.isascii())),
              "a number is written in ASCII, without `_`", "'1_0' | {name}"),
    Purpose("reverse", of_x(lambda x: isinstance(x, dict)), "an object passes through",
            "{'a': 1, 'b': 2} | reverse"),
    *names_of("max min", lambda scope: None in [*picked(scope, scope["q"]), *items_of(scope["x"])],
              "null and what is missing are neither first nor last",
              "[{}] | {name}(attribute='a')"),
    *names_of("sort max min unique", has_lists,
              "texts in lists are compared without regard to case too",
              "[['a'], ['B']] | {name}"),
    Purpose("dictsort", has_lists,
            "texts in lists are compared without regard to case too",
            "{'x': ['a'], 'y': ['B']} | dictsort(by='value')"),
    Purpose("groupby", has_lists,
            "texts in lists are compared without regard to case too",
            "[{'a': ['a']}, {'a': ['B']}] | groupby('a')"),
    Purpose("map", lambda scope: any(
                f"map('{name}')" in scope["text"] and any(map(odd, items_of(scope["x"])))
                for name, odd in (("upper", no_text), ("first", no_list), ("abs", no_number),
                                  ("int", no_number))),
            "a filter does in `map` what it does alone", "[5] | map('upper')"),
    Purpose("replace", lambda scope: scope["p"] == "", "nothing is not replaced",
            "'ab' | replace('', 'x')"),
    Purpose("sum", lambda scope: any(map(is_bool, [*items_of(scope["x"]),
                                                   *picked(scope, scope["p"])])),
            "a boolean is no number", "[true] | sum"),
    Purpose("truncate", lambda scope: True, "it cuts at the length, and adds one character `…`",
            "'abc def' | truncate(4)"),
    Purpose("lower", lambda scope: " is " in scope["text"] and no_text(scope["x"]),
            "what is no text has no case", "['a'] is lower"),
    Purpose("upper", lambda scope: " is " in scope["text"] and no_text(scope["x"]),
            "what is no text has no case", "['A'] is upper"),
    Purpose("number", of_x(is_bool), "a boolean is no number", "true is number"),
    *names_of("even odd divisibleby", lambda scope: is_bool(scope["x"]) or is_bool(scope["p"]),
              "a boolean is no number", "[false, true] | select('{name}', 1)"),
    *names_of("select reject", lambda scope: any(
                  word in scope["text"] for word in ("odd", "even", "number")) and any(
                  map(is_bool, items_of(scope["x"]))),
              "a boolean is no number", "[true] | {name}('odd')"),
    Purpose("sequence", of_x(lambda x: isinstance(x, dict)), "an object has no order of places",
            "{'a': 1} is sequence"),
    *[Purpose(name, lambda scope: ("'eq'" in scope["text"] and scope["q"] is None) or (
                  "'in'" in scope["text"] and None in items_of(scope["r"])),
              "missing and null are alike", f"[{{}}] | {name}('a', 'eq', null)")
      for name in ("selectattr", "rejectattr")],
    Purpose("unique", lambda scope: None in picked(scope, scope["q"]), "missing and null are alike",
            "[{}, {'a': null}] | unique(attribute='a')"),
    Purpose("round", of_x(is_bool), "a boolean is no number", "true | round(-1)"),
    Purpose("none", lambda scope: scope["text"].startswith("y"), "missing and null are alike",
            "y is none"),
    *names_of("sequence iterable", lambda scope: scope["text"].startswith("y"),
              "missing is no value", "y is {name}"),
    *names_of("lt le lessthan select", mixes_bools,
              "a boolean and a number have no order", "[true, 3] | select('{name}', 2)"),
    *names_of("gt ge greaterthan", mixes_bools,
              "a boolean and a number have no order", "[true] | select('{name}', 0)"),
    Purpose("in", lambda scope: isinstance(scope["p"], dict) and no_text(scope["x"]),
            "a number stands for the key that it is written as", "1 is in {'1': 2}"),
]  # fmt: skip


FORMS: Final[dict[Any, str]] = {
    "batch": "batch(1)",
    "slice": "slice(1)",
    "map": "map('upper')",
    "selectattr": "selectattr('a')",
    "rejectattr": "rejectattr('a')",
    "groupby": "groupby(0)",
    "replace": "replace('T', 't')",
    ("even", "select('{name}', 1)"): "select('even')",
    ("odd", "select('{name}', 1)"): "select('odd')",
    ("select", "select('{name}', 2)"): "select('<', 2)",
}
"""How what takes arguments is written in an example."""


def plain(value: Any) -> Any:
    """Give a value of Jinja2 as JSON has it."""
    if isinstance(value, Undefined):
        return None
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, str | int | float | None):
        return value
    return [plain(one) for one in value]


@lru_cache(maxsize=1000)
def of_jinja2(text: str) -> Callable[..., Any]:
    return JINJA2.compile_expression(text, undefined_to_none=False)


def name_in(text: str) -> str:
    """The filter or the test that a call is about."""
    word = text.split(" | ")[1] if " | " in text else text.partition(" is ")[2]
    return word.partition("(")[0]


def alike(name: str, ours: Any, theirs: Any) -> bool:
    if name == "tojson":  # theirs has spaces, and escapes what means something in HTML
        return bool(json.loads(ours) == json.loads(theirs))
    if isinstance(ours, float) or isinstance(theirs, float):
        return bool(ours == theirs) or math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=1e-12)
    return bool(ours == theirs)


@pytest.mark.parametrize("call", CALLS, ids=[call.text for call in CALLS])
def test_it_gives_what_jinja2_gives_but_on_purpose(call: Call) -> None:
    expression, reference = RENDERER.expression(call.text), of_jinja2(call.text)
    name = name_in(call.text)
    meant = [one for one in ON_PURPOSE if one.name == name]

    @settings(max_examples=EXAMPLES, derandomize=EXAMPLES < 50)
    @given(call.x, call.p, call.q, call.r)
    def compare(x: Any, p: Any, q: Any, r: Any) -> None:
        scope = {"x": x, "p": p, "q": q, "r": r}
        ours = expression.evaluate(scope)
        if any(one.holds({**scope, "text": call.text}) for one in meant):
            return
        try:
            theirs = plain(reference(**scope))
        except Exception:  # noqa: BLE001 - whatever it raises, ours gives something
            return
        assert alike(name, ours, theirs), (ours, theirs)

    compare()


@pytest.mark.parametrize("one", ON_PURPOSE, ids=[f"{one.name}: {one.why}" for one in ON_PURPOSE])
def test_what_differs_on_purpose_does_differ(one: Purpose) -> None:
    text = one.example
    for form in ("select('{name}', 1)", "select('{name}', 2)", "{name}"):
        if form in text:
            text = text.replace(form, FORMS.get((one.name, form), FORMS.get(one.name, form)))
    text = text.replace("{name}", one.name)
    ours = RENDERER.expression(text).evaluate({})
    try:
        theirs = plain(of_jinja2(text.replace("null", "none"))())
    except Exception:  # noqa: BLE001 - that is a difference, too
        return
    assert type(ours) is not type(theirs) or ours != theirs


def test_everything_with_a_name_of_jinja2_is_compared() -> None:
    compared = {name_in(call.text) for call in CALLS} | {"==", "!=", "<", "<=", ">", ">="}
    assert not (set(BUILT_IN) & set(FILTERS)) - compared
    assert not (set(PREDICATES) & set(TESTS)) - compared
