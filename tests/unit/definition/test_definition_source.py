"""Texts are read as YAML 1.2 or JSON, with the place of everything, and within bounds."""

import json
from typing import Any

import pytest

from lockstep.definition.source import MAX_BYTES, MAX_DEPTH, Source, SourceError, read, read_all
from lockstep.definition.validate import check_source
from lockstep_schemas.api import Issue
from unit.definition.judging import CATALOG, RENDERER


def refused(text: str) -> Issue:
    with pytest.raises(SourceError) as caught:
        read(text)
    return caught.value.issue


@pytest.mark.parametrize(
    "text", ["yes", "no", "on", "off", "y", "12:30", "1:30:00", "2026-05-30", "1_000", "0b11", "="]
)
def test_what_older_yaml_would_guess_at_stays_a_text(text: str) -> None:
    assert read(f"a: {text}").value == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("true", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("0o7", 7),
        ("0x1F", 31),
        ("010", 10),
        ("-12", -12),
        ("+3", 3),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ('"5"', "5"),
        ("'~'", "~"),
        ('""', ""),
        ("|\n  5", "5"),
        (">-\n  true", "true"),
        ("!!str 5", "5"),
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: Any) -> None:
    found = read(f"a: {text}").value["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", [".inf", "-.Inf", "+.INF", ".nan", ".NaN", "1e999", "9" * 401])
def test_a_number_that_json_has_not_is_refused_at_its_place(text: str) -> None:
    issue = refused(f"a:\n  b: {text}")
    assert (issue.line, issue.column) == (2, 6)


def test_keys_are_texts_whatever_they_would_be_as_values() -> None:
    value = read("1: a\ntrue: b\nnull: c\non: d\n'q': e\n<<: f").value
    assert value == {"1": "a", "true": "b", "null": "c", "on": "d", "q": "e", "<<": "f"}


@pytest.mark.parametrize("text", ["? [a]\n: 1", "{[1]: 2}", "? {a: 1}\n: 2"])
def test_a_key_that_is_no_text_is_refused(text: str) -> None:
    assert refused(text).message == "a key must be a text"


def test_a_key_that_stands_twice_is_refused_at_the_second() -> None:
    issue = refused("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3")
    assert (issue.line, issue.column, issue.message) == (5, 3, "the key 'c' stands here twice")
    assert "'a' stands here twice" in refused('{"a": 1, "a": 1}').message
    assert "twice" in refused("1: a\n'1': b").message


@pytest.mark.parametrize(
    "text", ["!!int '5'", "!!binary aa", "!x y", "!!python/object:os.system {}", "!!set {a: 1}"]
)
def test_tags_are_refused(text: str) -> None:
    issue = refused(f"a: {text}")
    assert "is not allowed" in issue.message
    assert issue.line == 1


def test_aliases_give_what_they_stand_for() -> None:
    source = read("a: &x {b: 1}\nc: *x\nd: [*x]")
    assert source.value == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}]}
    assert refused("a: *x").message.startswith("no YAML: ")


def test_aliases_cannot_multiply_without_end() -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "aliases repeat" in refused("\n".join(lines)).message
    long = f"a: &x {'y' * 10_000}\nb: [{', '.join(['*x'] * 200)}]"
    assert "characters, with those that aliases repeat" in refused(long).message


@pytest.mark.parametrize("text", ["a: &a [*a]", "&a {b: *a}"])
def test_an_alias_of_itself_is_refused(text: str) -> None:
    assert "nested deeper" in refused(text).message


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500_000,
        "[" * 900 + "]" * 900,
        "- " * 5000,
        '{"a":' * 1000,
        "{a: [" * 999,
        "\ufeff" + "{" * 2000,
        "é:\n- " + "[" * 1200 + " %",
    ],
)
def test_a_text_nested_too_deep_is_refused_and_nothing_dies(text: str) -> None:
    assert refused(text).message == f"nested deeper than {MAX_DEPTH}"


@pytest.mark.parametrize("text", ["a: |\n  {}\nb: [", "# {}\na: [", 'a: ["{}", }}'])
def test_brackets_in_texts_and_comments_are_no_depth(text: str) -> None:
    assert refused(text.format("[" * 2000)).message.startswith("no YAML: ")


def test_the_deepest_that_is_allowed_is_read() -> None:
    assert read("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH).value[0]
    deeper = MAX_DEPTH + 1
    assert "deeper" in refused("[" * deeper + "1" + "]" * deeper).message


def test_a_text_larger_than_the_bound_is_refused() -> None:
    assert "larger than" in refused("#" + "x" * MAX_BYTES).message
    assert "larger than" in refused("é" * (MAX_BYTES // 2 + 1)).message
    assert "more than 100000 values" in refused("[" + "1," * 100_001 + "]").message


def test_several_documents_are_read_in_order_and_empty_ones_left_out() -> None:
    text = "a: 1\n---\n# nothing\n---\nb: 2\n...\n---\nnull\n"
    assert [source.value for source in read_all(text)] == [{"a": 1}, {"b": 2}, None]
    assert read_all("") == read_all("# only this") == read_all("---\n---\n") == []


@pytest.mark.parametrize(("text", "count"), [("", 0), ("# x", 0), ("a: 1\n---\nb: 2", 2)])
def test_one_document_means_one(text: str, count: int) -> None:
    assert refused(text).message == f"one document is expected, {count} are there"


def test_places_count_from_one_and_are_those_of_keys_and_items() -> None:
    source = read("# c\na:\n  - b: 1\n    ü: x\n  -   5\nc: {d: [1, 2]}")
    assert {path: source.place(path) for path in source.places} == {
        (): (2, 1),
        ("a",): (2, 1),
        ("a", 0): (3, 5),
        ("a", 0, "b"): (3, 5),
        ("a", 0, "ü"): (4, 5),
        ("a", 1): (5, 7),
        ("c",): (6, 1),
        ("c", "d"): (6, 5),
        ("c", "d", 0): (6, 9),
        ("c", "d", 1): (6, 12),
    }


def test_what_is_not_there_has_the_place_of_what_should_hold_it() -> None:
    source = read("a:\n  b: 1")
    assert source.place(("a", "b", "c", 7)) == (2, 3)
    assert source.place(("z",)) == (1, 1)
    located = source.locate(Issue(path=["a", "x"], message="m"))
    assert (located.line, located.column) == (1, 1)
    assert Source(None, {}).place(("a",)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: [1, 2", 1, 9),
        ("a: 1\n b: 2", 2, 3),
        ("a: 'x", 1, 6),
        ("a:\n\t- b", 2, 1),
        ('{"a": 1,\n "b" 2}', 2, 6),
        ("é: 1\nb: \x01", 2, 4),
    ],
)
def test_an_error_of_syntax_is_told_with_its_place(text: str, line: int, column: int) -> None:
    issue = refused(text)
    assert issue.message.startswith("no YAML: ")
    assert issue.line == line
    assert abs((issue.column or 0) - column) <= 1  # the two parsers of PyYAML differ by one


def test_half_of_a_surrogate_pair_is_refused() -> None:
    assert "no YAML" in refused(r'{"a": "\ud83d"}').message
    assert "no YAML" in refused('{"a": "\ud83d"}').message


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -2.5, True, None, 'x\n\ty/\\"', {}], "b": {}},
        {"smile": "😀 é", "q": "{{ x }}"},
        [],
        "text",
        0,
    ],
)
def test_json_is_read_as_it_is(value: Any) -> None:
    for indent in (None, 2, "\t"):
        for ascii_only in (True, False):
            text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
            assert read(text).value == value
    assert read("\ufeff" + json.dumps({"a": 1})).value == {"a": 1}
    assert read(r'{"a": "\/"}').value == {"a": "/"}


def test_tabs_between_the_parts_of_json_are_no_fault() -> None:
    source = read('{\n\t"a":\t1,\n\t"b": [\n\t\t1\n\t]\n}')
    assert source.value == {"a": 1, "b": [1]}
    assert source.place(("b", 0)) == (4, 3)


def test_an_issue_of_a_definition_has_the_place_of_its_key() -> None:
    text = (
        "name: x\ntriggers:\n  - event: test.event\n    filtr: a\nactions:\n  - condition: '{{a}}'"
    )
    issues = check_source(text, CATALOG, RENDERER).errors
    assert [(issue.line, issue.column) for issue in issues] == [(4, 5), (6, 5)]
    (broken,) = check_source("a: [", CATALOG, RENDERER).errors
    assert broken.line == 1
