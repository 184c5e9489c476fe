"""Whatever is given, a verdict comes back; what is right stays right, what is misspelt is told."""

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.catalog import build_catalog
from lockstep.definition.compile import compile_program
from lockstep.definition.source import SourceError, read
from lockstep.definition.stored import parse
from lockstep.definition.validate import Checked, validate
from lockstep.render import Renderer
from property.definitions import Json, definitions

CATALOG = build_catalog(open=True, with_stubs=True)
RENDERER = Renderer()
QUICK = settings(max_examples=150)

WORDS = (
    *("name", "triggers", "conditions", "actions", "mode", "event", "filter", "window", "for"),
    *("id", "config", "action", "choose", "when", "sequence", "else", "parallel", "repeat"),
    *("count", "for_each", "while", "until", "delay", "seconds", "template", "variables"),
    *("condition", "stop", "wait_for_trigger", "and", "or", "not", "numeric_state", "time"),
    *("value", "above", "weekday", "timezone", "retry", "attempts", "test.log", "test.event"),
)
texts = st.one_of(st.sampled_from([*WORDS, "{{ a }}", "{{", "a b", "a < 1", ""]), st.text())
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
    ),
    max_leaves=25,
)
near = st.fixed_dictionaries(
    {"name": st.just("x"), "triggers": st.just([{"event": "test.event"}])},
    optional={"actions": values, "conditions": values, "mode": values},
)


def judged(raw: Any) -> Checked:
    return validate(raw, CATALOG, RENDERER)


def told_well(checked: Checked) -> None:
    assert isinstance(checked, Checked)
    assert (checked.definition is None) == bool(checked.errors)
    for issue in (*checked.errors, *checked.warnings):
        assert issue.message
        msgspec.json.encode(issue)


@QUICK
@given(st.one_of(values, near))
def test_any_value_gets_a_verdict_and_never_an_exception(raw: Any) -> None:
    told_well(judged(raw))


@QUICK
@given(definitions, st.data())
def test_a_definition_with_anything_in_one_place_gets_a_verdict(
    raw: Json, data: st.DataObject
) -> None:
    spots = list(_spots(raw))
    holder, key = data.draw(st.sampled_from(spots))
    holder[key] = data.draw(values)
    told_well(judged(raw))


@QUICK
@given(st.one_of(st.text(), st.text(alphabet='{}[]:-,&*!|>"#ab \n\t')))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        line, column = read(text).place(())
    except SourceError as error:
        line, column = error.issue.line or 0, error.issue.column or 0
    assert line >= 1
    assert column >= 1


@QUICK
@given(definitions)
def test_a_right_definition_is_right_and_comes_back_as_it_was(raw: Json) -> None:
    checked = judged(raw)
    assert checked.errors == []
    assert checked.definition == parse(raw)
    stored = msgspec.json.encode(checked.definition)
    assert parse(msgspec.json.decode(stored)) == checked.definition
    assert len(compile_program(parse(raw), RENDERER).actions) == len(raw["actions"])


@QUICK
@given(definitions)
def test_json_read_as_a_source_is_the_same_value(raw: Json) -> None:
    assert read(msgspec.json.encode(raw).decode()).value == raw


@QUICK
@given(definitions, st.data())
def test_a_misspelt_key_is_told_at_its_place(raw: Json, data: st.DataObject) -> None:
    path, holder, key = data.draw(st.sampled_from(list(_keys(raw, ()))))
    holder[f"{key}x"] = holder.pop(key)
    issues = judged(raw).errors
    assert any(tuple(issue.path) == path[: len(issue.path)] for issue in issues), issues


def _keys(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Any, Json, str]]:
    """Give the keys of the language: the path of what holds each, the holder, the key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path, value, key
            if key not in {"config", "variables"}:
                yield from _keys(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _keys(inner, (*path, index))


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Give every place in a value that something else can be put in."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _spots(inner)
