"""Any text, any scope: an expression compiles and evaluates, or raises an error of ours."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from hypothesis import example, given, settings
from hypothesis import strategies as st

from effort import at_most
from lockstep.model.errors import RenderError
from lockstep.model.texts import MARK
from lockstep.render import BUILT_IN, Limits, Renderer, as_number, less, to_text, truth
from lockstep.render.limits import Work
from lockstep.render.parse import parse_bare
from lockstep.render.written import written

RENDERER = Renderer()

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.sampled_from(["5", "2026-05-30T12:34:56Z", "a", "true", "(a+)+$", "{{ a }}"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["a", "b", "c", "0"]), inner, max_size=3),
    ),
    max_leaves=12,
)
scopes = st.dictionaries(st.sampled_from(["a", "b", "c", "now"]), values, max_size=4)

NO_ARGUMENTS = sorted(
    set(BUILT_IN)
    - {"map", "selectattr", "rejectattr", "groupby", "replace", "batch", "slice"}
    - {"regex_match", "regex_search", "regex_findall", "regex_replace", "older_than"}
)
atoms = st.sampled_from(
    ["a", "b", "c", "a.b", "a['c']", "a[0]", "b[-1]", "1", "0", "2.5", "'x'", "'5'", "null", "true"]
)
OPERATORS = [
    "+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "and", "or",
]  # fmt: skip


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from([*OPERATORS, "not in"]), inner),
        st.builds("({} | {})".format, inner, st.sampled_from(NO_ARGUMENTS)),
        st.builds("({} | map('{}'))".format, inner, st.sampled_from(NO_ARGUMENTS)),
        st.builds("({} | regex_replace({}, {}))".format, inner, inner, inner),
        st.builds("({} | select('in', {}))".format, inner, inner),
        st.builds("({} | groupby({}))".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{'k': {}}}".format, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}[{}:]".format, inner, inner),
        st.builds("({} is {})".format, inner, st.sampled_from(["defined", "odd", "none"])),
    )


expressions = st.recursive(atoms, _grow, max_leaves=8)

PIECES = [
    *"abx01 .,:|+-*/%~=!<>&?()[]{}'\"\\\n\r\t#_é",
    "{{", "}}", "{{ ", " }}", "{%", "and", "or", "not", "in", "is", "if", "else", "null",
    "| upper", "map('", "**", "//", "\\u", "\ud800", "1e9", "0x",
]  # fmt: skip
noise = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


def error_of(act: Callable[[], object]) -> RenderError | None:
    """Give the error of ours that something ends in; let all others through."""
    try:
        act()
    except RenderError as error:
        return error
    return None


@given(noise)
@example("{{" * 100)
@example("{{ '\\ud800' }}")
@example("{{ 1 if " * 10)
def test_any_text_compiles_or_is_refused(text: str) -> None:
    for compile_text in (RENDERER.template, RENDERER.expression):
        error = error_of(partial(compile_text, text))
        if error is not None:
            assert error.message
            assert error.line is not None
            assert error.column is not None
            assert 1 <= error.line <= text.count("\n") + text.count("\r") + 1
            assert 1 <= error.column <= len(text) + 1


@given(noise, scopes)
def test_any_text_that_compiles_renders_or_raises_an_error_of_ours(
    text: str, scope: dict[str, object]
) -> None:
    error = error_of(lambda: RENDERER.template(text).render(scope))
    assert error is None or error.line is not None
    error = error_of(lambda: RENDERER.template(text).value(scope))
    assert error is None or error.line is not None


@settings(max_examples=300)
@given(expressions, scopes)
def test_any_expression_evaluates_or_raises_an_error_of_ours(
    text: str, scope: dict[str, object]
) -> None:
    with suppress(RenderError):
        with at_most(calls=5_000_000):
            expression = RENDERER.expression(text)
        value = expression.evaluate(scope)
        if "duration_since" in text or "older_than" in text:
            return  # the time goes on between two evaluations
        assert expression.holds(scope) is truth(value)
        assert RENDERER.template("{{" + text + "}}").render(scope) == to_text(value)


@settings(max_examples=300)
@given(expressions, scopes)
def test_what_decides_any_expression_is_told_in_its_own_words(
    text: str, scope: dict[str, object]
) -> None:
    with suppress(RenderError):
        holds = RENDERER.expression(text).holds(scope)
        told = RENDERER.expression(text).explain(scope)
        if "duration_since" in text or "older_than" in text:
            return  # the time goes on between two evaluations
        assert (told.holds, told.fault) == (holds, "")
        assert told.deciders or told.more
        for one in told.deciders:  # each can be asked by itself, and says the same
            if MARK not in one.text:
                assert RENDERER.expression(one.text).holds(scope) is one.holds
            assert all(len(operand.value) <= 120 for operand in one.operands)


@settings(max_examples=300)
@given(expressions, scopes)
def test_any_expression_that_is_written_again_is_the_same(
    text: str, scope: dict[str, object]
) -> None:
    again = written(parse_bare(text, Limits()))
    assert written(parse_bare(again, Limits())) == again
    with suppress(RenderError):
        value = RENDERER.expression(text).evaluate(scope)
        if "duration_since" not in text and "older_than" not in text:
            same = RENDERER.expression(again).evaluate(scope)
            assert to_text(same) == to_text(value)


@given(st.text().filter(lambda text: "{{" not in text))
def test_a_text_without_braces_is_unchanged(text: str) -> None:
    template = RENDERER.template(text)
    assert template.constant
    assert template.render({}) == text
    assert template.value({}) == text


@given(st.text().filter(lambda text: "{{" not in text and not text.endswith("{")), values)
def test_the_text_around_an_expression_is_unchanged(text: str, value: object) -> None:
    rendered = RENDERER.template(text + "{{ a }}" + text).render({"a": value})
    assert rendered == text + to_text(value) + text


@given(values, values)
def test_order_is_strict_and_one_sided(a: object, b: object) -> None:
    work = Work({}, Limits())
    assert not (less(work, a, b) and less(work, b, a))
    assert not (less(work, a, b) and not less(work, a, b, or_equal=True))


@given(values)
def test_a_number_is_itself_in_its_text(value: object) -> None:
    number = as_number(value)
    if number is not None and abs(number) < 1e15:
        assert as_number(to_text(number)) == number
