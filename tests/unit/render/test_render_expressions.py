"""Expressions: members, truth, equality, order, arithmetic. What is missing never raises."""

import math

import pytest

from lockstep.model.errors import LimitExceeded, RenderError
from lockstep.render import Limits, Renderer, as_number, less, to_text, truth
from lockstep.render.limits import Work

SCOPE = {
    "s": "text",
    "n": 5,
    "z": 0,
    "f": 2.5,
    "nothing": None,
    "yes": True,
    "l": [1, 2, {"k": "v"}],
    "o": {"items": 9, "get": 8, "a.b": 1, "5": "five"},
    "huge": 10**1000,
    "nan": math.nan,
    "inf": math.inf,
}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("o.items", 9),
        ("o['a.b']", 1),
        ("o[5]", "five"),
        ("o.pop", None),
        ("l[0]", 1),
        ("l.0", 1),
        ("l[-1].k", "v"),
        ("l[1.0]", 2),
        ("l[1.5]", None),
        ("l[3]", None),
        ("l[-4]", None),
        ("l[true]", None),
        ("l['0']", None),
        ("l[huge]", None),
        ("l[nothing]", None),
        ("l.append", None),
        ("l[:2]", [1, 2]),
        ("l[::-1][1:]", [2, 1]),
        ("l[::0]", None),
        ("l[gone:]", None),
        ("s[1:3]", "ex"),
        ("l[:4 / 2]", [1, 2]),
        ("l[:1.5]", None),
        ("s[0]", "t"),
        ("s[-1]", "t"),
        ("s[2.0]", "x"),
        ("s[4]", None),
        ("s[-5]", None),
        ("s['0']", None),
        ("s[true]", None),
        ("s.0", "t"),
        ("s.upper", None),
        ("n.real", None),
        ("o[1:]", None),
        ("gone.a.b[0]['c'].d", None),
        ("gone[gone]", None),
        ("nothing.a", None),
        ("s.__class__.__mro__[1]", None),
        ("s['__class__']", None),
        ("o.__class__", None),
        ("{1: 'a', true: 'b', 'c': gone}", {"1": "a", "true": "b", "c": None}),
        ("{1: 'low', 2: 'high'}[2]", "high"),
        ("[gone, (1, 2), ()]", [None, [1, 2], []]),
    ],
)
def test_only_keys_and_items_are_members(renderer: Renderer, text: str, value: object) -> None:
    assert renderer.expression(text).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    ("value", "is_true"),
    [
        (None, False),
        (False, False),
        (0, False),
        (0.0, False),
        (math.nan, False),
        ("", False),
        ([], False),
        ({}, False),
        (True, True),
        (-1, True),
        (0.1, True),
        (math.inf, True),
        ("0", True),
        ("false", True),
        (" ", True),
        ([0], True),
        ({"a": None}, True),
    ],
)
def test_truth(renderer: Renderer, value: object, is_true: bool) -> None:
    assert truth(value) is is_true
    assert renderer.expression("x").holds({"x": value}) is is_true
    assert renderer.expression("not x").holds({"x": value}) is not is_true
    assert renderer.expression("1 if x else 2").evaluate({"x": value}) == (1 if is_true else 2)


def test_what_is_missing_is_false(renderer: Renderer) -> None:
    assert not renderer.expression("gone").holds({})
    assert not renderer.expression("gone.a.b").holds({"gone": "text"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5 == 5.0", True),
        ("5 == '5'", False),
        ("true == 1", True),
        ("s == 'TEXT'", False),
        ("[1, {'a': 2}] == [1.0, {'a': 2}]", True),
        ("l != [1]", True),
        ("gone == 'x'", False),
        ("gone != 'x'", True),
        ("gone == null", True),
        ("gone == other", True),
        ("nothing == null", True),
        ("nothing == false", False),
        ("nan == nan", False),
    ],
)
def test_equality_is_that_of_python(renderer: Renderer, text: str, value: bool) -> None:
    assert renderer.expression(text).evaluate(SCOPE) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3 < 4", True),
        ("4 >= 4.0", True),
        ("10 > '9'", True),
        ("'10' > 9.5", True),
        ("'10' < '9'", True),
        ("'a' < 'b'", True),
        ("' 7 ' >= 7", True),
        ("'1e3' > 999", True),
        ("'x' < 5", False),
        ("'x' >= 5", False),
        ("'' < 5", False),
        ("'nan' < 5", False),
        ("'inf' > 5", False),
        ("'1_0' > 5", False),
        ("true > 0", False),
        ("false < true", True),
        ("nothing < 5", False),
        ("nothing >= nothing", False),
        ("gone > 3", False),
        ("gone <= 3", False),
        ("3 > gone", False),
        ("not gone > 3", True),
        ("l < 5", False),
        ("{} < {}", False),
        ("[1, 2] < [1, 3]", True),
        ("[1] < ['a']", False),
        ("nan < 1", False),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("huge > 1", True),
        ("'a' < 'b' == true", False),
    ],
)
def test_order_compares_what_is_alike_and_numbers_with_numeric_text(
    renderer: Renderer, text: str, value: bool
) -> None:
    assert renderer.expression(text).evaluate(SCOPE) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'ex' in s", True),
        ("5 in s", False),
        ("2 in l", True),
        ("{'k': 'v'} in l", True),
        ("9 not in l", True),
        ("'items' in o", True),
        ("5 in o", True),
        ("'x' in gone", False),
        ("gone in [null]", False),
        ("'x' not in gone", True),
        ("1 in n", False),
        ("[1] in o", False),
    ],
)
def test_in_looks_into_text_lists_and_keys(renderer: Renderer, text: str, value: bool) -> None:
    assert renderer.expression(text).evaluate(SCOPE) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 4", 3),
        ("(1 + 2) * 3", 9),
        ("10 / 4", 2.5),
        ("10 // 4", 2),
        ("-7 % 4", 1),
        ("0.5 + 1", 1.5),
        ("-n + +n", 0),
        ("true + 1", 2),
        ("'a' + 'b'", "ab"),
        ("[1] + [2]", [1, 2]),
        ("'ab' * 2", "abab"),
        ("2 * [0]", [0, 0]),
        ("'a' * -1", ""),
        ("'a' ~ 1 ~ null ~ gone ~ true ~ [1] ~ 2.0", "a1true[1]2"),
        ("gone + 1", None),
        ("1 - gone * 2", None),
        ("-gone", None),
        ("gone / 0", None),
        ("'a' + gone", None),
        ("1 - 2 - 3", -4),
        ("100 // 7 * 2 % 5", 3),
        ("-1 | abs", 1),
        ("0x10 + 1_000 + 0b11", 1019),
    ],
)
def test_arithmetic(renderer: Renderer, text: str, value: object) -> None:
    assert renderer.expression(text).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "division by zero"),
        ("1 // z", "division by zero"),
        ("1.5 % z", "division by zero"),
        ("1e308 * 10", "no finite number"),
        ("huge * 1.0", "too large"),
        ("huge / 1", "too large"),
        ("inf + 1", "no finite number"),
        ("'a' + 1", "a text and a number"),
        ("nothing + 1", "null and a number"),
        ("l - [1]", "a list and a list"),
        ("o + o", "an object and an object"),
        ("'%s' % 1", "a text and a number"),
        ("-s", "a text"),
        ("+nothing", "null"),
        ("'a' * 1.5", "a number"),
        ("'a' * true", "a boolean"),
        ("{nothing: 1}", "key of an object"),
    ],
)
def test_arithmetic_that_has_no_meaning_is_an_error_that_says_so(
    renderer: Renderer, text: str, message: str
) -> None:
    with pytest.raises(RenderError, match=message) as caught:
        renderer.expression(text).evaluate(SCOPE)
    assert (caught.value.line, caught.value.column) != (None, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("gone or 'x'", "x"),
        ("n or 'x'", 5),
        ("z or ''", ""),
        ("n and s", "text"),
        ("z and s", 0),
        ("false and 1 / 0", False),
        ("true or 1 / 0", True),
        ("true or false and false", True),
        ("not z and not nothing", True),
        ("n if yes else 1 / 0", 5),
        ("1 if z else 2 if z else 3", 3),
        ("s if z", None),
        ("gone and 1", None),
    ],
)
def test_logic_stops_at_the_operand_that_decides_and_gives_it(
    renderer: Renderer, text: str, value: object
) -> None:
    assert renderer.expression(text).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("gone is defined", False),
        ("nothing is defined", True),
        ("gone is undefined", True),
        ("gone is none", True),
        ("nothing is null", True),
        ("s is string", True),
        ("n is number", True),
        ("yes is number", False),
        ("yes is boolean", True),
        ("yes is true", True),
        ("n is integer", True),
        ("f is float", True),
        ("o is mapping", True),
        ("l is sequence", True),
        ("l is iterable", True),
        ("4 is even", True),
        ("5 is odd", True),
        ("s is even", False),
        ("s is odd", False),
        ("9 is divisibleby 3", True),
        ("9 is divisibleby(0)", False),
        ("s is divisibleby(3)", False),
        ("2 is in l", True),
        ("n is eq 5", True),
        ("n is not ne(5)", True),
        ("n is lt('6')", True),
        ("gone is gt 3", False),
        ("s is lower", True),
        ("n is upper", False),
    ],
)
def test_tests_look_at_a_value_and_never_raise(renderer: Renderer, text: str, value: bool) -> None:
    assert renderer.expression(text).evaluate(SCOPE) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"'a\n\t\\\'\"'", "a\n\t\\'\""),
        (r"'\u00e9\x41\U0001F600'", "éA😀"),
        (r"'\ud83d\ude00'", "😀"),
        (r"'\ud83d'", "�"),
        (r"'\d+\b\.\1'", r"\d+\b\.\1"),
        ("'a\\\nb'", "ab"),
        ("'a' \"b\"", "ab"),
        ("'line\r\nbreak'", "line\r\nbreak"),
        ("1.5e2", 150.0),
        ("null", None),
        ("None", None),
    ],
)
def test_literals(renderer: Renderer, text: str, value: object) -> None:
    assert renderer.expression(text).evaluate({}) == value


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3),
        (2.5, 2.5),
        ("7", 7),
        (" -7.5 ", -7.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        (True, None),
        (None, None),
        ("", None),
        ("x", None),
        ("1_000", None),
        ("0x10", None),
        ("nan", None),
        ("Infinity", None),
        ("1e999", None),
        ("٣", None),
        ("9" * 401, None),
        (math.nan, None),
        (math.inf, None),
        ([1], None),
        ({}, None),
    ],
)
def test_a_number_is_a_number_or_a_text_that_says_one(
    value: object, number: int | float | None
) -> None:
    assert as_number(value) == number
    assert type(as_number(value)) is type(number)


def test_less_is_the_order_of_expressions() -> None:
    work = Work({}, Limits())
    assert less(work, 1, "2")
    assert not less(work, "2", 1)
    assert less(work, 2, "2", or_equal=True)
    assert not less(work, None, 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (12, "12"),
        (3.0, "3"),
        (1e15, "1000000000000000"),
        (5e15, "5000000000000000"),
        (1e16, "1e+16"),
        (0.1, "0.1"),
        (math.nan, ""),
        (-math.inf, ""),
        ([math.nan, 2.0], "[null,2]"),
        ({"ü": ["✓", None, {}]}, '{"ü":["✓",null,{}]}'),
        ("as it is", "as it is"),
    ],
)
def test_to_text(value: object, text: str) -> None:
    assert to_text(value) == text


@pytest.mark.parametrize("value", [object(), [object()], {"a": {1, 2}.__iter__()}, ["\ud800"]])
def test_to_text_of_what_json_does_not_have_is_an_error(value: object) -> None:
    with pytest.raises(RenderError):
        to_text(value)


def test_to_text_of_an_integer_without_end_is_an_error() -> None:
    with pytest.raises(LimitExceeded):
        to_text(10**5000)
