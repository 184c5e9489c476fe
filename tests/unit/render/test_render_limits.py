"""Hostile texts and values end in a clear error, soon and in little memory."""

import time
from contextlib import AbstractContextManager

import pytest

from effort import at_most
from lockstep.model.errors import LimitExceeded, RenderError
from lockstep.model.program import SharedScope
from lockstep.render import Limits, Renderer

LONG = "a" * 1_040_000


def shared(levels: int) -> object:
    """A small value that would have no end if it were written out."""
    value: object = 1
    for _ in range(levels):
        value = [value, value]
    return value


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


SCOPE = {
    "long": LONG,
    "other": LONG[:-1] + "b",
    "wide": "ж" * 300_000,
    "numbers": list(range(100_000)),
    "objects": [{"a": n, "b": str(n)} for n in range(20_000)],
    "dag": shared(60),
    "twin": shared(60),
    "deep": deep(2000),
    "huge": 10**1000,
}


def soon() -> AbstractContextManager[None]:
    """Let nothing take so long that the engine would stand still.

    In the processor time of an evaluation no machine makes so many calls: what makes more has not
    looked at the clock. A text is refused after a few of them.
    """
    return at_most(calls=5_000_000)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


@pytest.mark.parametrize(
    "text",
    [
        "'a' * 10000000000",
        "10000000000 * 'a'",
        "[0] * 1000000000",
        "'a' * huge",
        "long + long",
        "long ~ long",
        "[long, long] | join",
        "long | replace('a', 'bbbb')",
        "wide | urlencode",
        "[long, long]",
        "{'a': long, 'b': long} | json",
        "numbers * 1000",
        "[numbers] * 1000",
        "([numbers] * 1000) | map('reverse') | map('length') | sum",
        "([long] * 1000) | map('upper') | length",
        "([long, other] * 500) | sort | length",
        "huge * huge * huge * huge * huge",
        "huge | string ~ huge * 10" + " * huge" * 3,
        "dag",
        "dag | json",
        "dag | string",
        "dag ~ ''",
        "dag == twin",
        "dag < twin",
        "dag in [twin]",
        "[dag] | unique",
        "[dag, twin] | sort",
        "[{'a': dag}] | groupby('a')",
        "dag | map('json')",
        "deep",
        "deep | json",
        "deep == [deep]",
        "[deep] | sort",
        "numbers | map('string') | map('json') | map('b64encode') | map('sha256') | join",
        "(objects * 5) | map('items') | map('json') | map('upper') | join | length",
        "([objects] * 100) | map('sha256') | length",
        "([long] * 3000) | map('sha256') | length",
        "([long + 'a'] * 30000) | select('eq', other + 'a') | select('eq', long ~ 'b') | length",
        "([long] * 500) | unique | length",
        "(numbers * 9) | map('string') | sort",
        "(numbers * 9) | sort",
        "long | list",
        "long | split('a')",
        "long | regex_match('(a+)+$') ~ (long ~ 'b') | regex_match('(a+)+$')",
        "(long ~ 'b') | regex_match('(a|a)*c|(a+)+$')",
        "long | regex_replace('', 'x')",
        "long | regex_replace('a', 'xxx')",
        "'a' | regex_match('a{1000' ~ '000}')",
        "'a' | regex_match('(a{1000}){100' ~ '0}')",
        "'a' | regex_match('a{0000000001000' ~ '000}')",
        "'a' | regex_match('a' * 1001)",
    ],
)
def test_a_hostile_evaluation_ends_in_a_clear_error(renderer: Renderer, text: str) -> None:
    expression = renderer.expression(text)
    with soon(), pytest.raises(LimitExceeded) as caught:
        expression.evaluate(SCOPE)
    assert caught.value.message
    assert caught.value.line is not None


@pytest.mark.parametrize(
    "text",
    [
        "(" * 65 + "1" + ")" * 65,
        "[" * 5000 + "]" * 5000,
        "not " * 65 + "1",
        "not " * 15_000 + "1",
        "-" * 60_000 + "1",
        "{'a':" * 65 + "1" + "}" * 65,
        "1 if 1 else " * 4000 + "1",
        "a" + " if 1" * 5000,
        "a[" * 65 + "0" + "]" * 65,
        "a | default(" * 65 + "1" + ")" * 65,
        "x | map(" + "'map'," * 8000 + "'upper')",
        "9" * 5000,
        "0x" + "f" * 5000,
        "'" + "a" * 65_536 + "'",
        "'" + "ж" * 32_768 + "'",
        "'a' | regex_match('a{100000}')",
    ],
)
def test_a_hostile_text_is_refused(renderer: Renderer, text: str) -> None:
    with soon():
        with pytest.raises(LimitExceeded) as caught:
            renderer.expression(text)
        assert (caught.value.line, caught.value.column) != (None, None)
        with pytest.raises(LimitExceeded):
            renderer.template("x {{ " + text + " }}")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 64 + "1" + ")" * 64,
        "[" * 64 + "1" + "]" * 64,
        "not " * 64 + "1",
        "a[" * 60 + "0" + "]" * 60,
        "a | default(" * 60 + "1" + ")" * 60,
        "a" + ".b" * 2000,
        "a" + "[0]" * 2000,
        "a" + " | upper" * 2000,
        "1" + " + 1" * 2000,
        "1" + " - 1 + 1" * 2000,
        "1" + " ~ 1" * 2000,
        "1" + " < 2" * 2000,
        "a" + " or a" * 2000,
        "a" + " and a" * 2000,
        "[" + "1, " * 2000 + "]",
    ],
)
def test_what_is_long_but_not_deep_works(renderer: Renderer, text: str) -> None:
    renderer.expression(text).evaluate({})
    renderer.template("{{ " + text + " }}").render({})


def test_a_text_of_the_largest_size_works(renderer: Renderer) -> None:
    text = "x" * (64 * 1024 - 10) + "{{ 'abcd' }}"[:10]
    with pytest.raises(RenderError):
        renderer.template(text)
    assert renderer.template("x" * 65_528 + "{{ 12 }}").render({}) == "x" * 65_528 + "12"
    with pytest.raises(LimitExceeded):
        renderer.template("x" * 65_537)


def test_a_rendered_text_has_at_most_a_mebibyte(renderer: Renderer) -> None:
    mebibyte = 1024 * 1024
    assert len(renderer.template("{{ t }}b").render({"t": "a" * (mebibyte - 1)})) == mebibyte
    with pytest.raises(LimitExceeded):
        renderer.template("{{ t }}b").render({"t": "a" * mebibyte})
    with pytest.raises(LimitExceeded):
        renderer.template("{{ t }}").render({"t": "é" * (mebibyte // 2 + 1)})
    with pytest.raises(LimitExceeded):
        renderer.template("{{ t }}").value({"t": "a" * (mebibyte + 1)})
    with pytest.raises(LimitExceeded):
        renderer.template("{{ t }}" * 3).render({"t": "a" * 400_000})


def test_the_limits_are_those_that_were_given() -> None:
    renderer = Renderer(limits=Limits(text_bytes=50, value_bytes=100, nesting=3))
    assert renderer.expression("[[[1]]]").evaluate({}) == [[[1]]]
    with pytest.raises(LimitExceeded):
        renderer.expression("[[[[1]]]]")
    with pytest.raises(LimitExceeded):
        renderer.expression(" " * 51)
    with pytest.raises(LimitExceeded):
        renderer.expression("'a' * 101").evaluate({})


def test_the_limit_of_time_is_that_of_one_evaluation() -> None:
    renderer = Renderer(limits=Limits(processor_seconds=0.01))
    expression = renderer.expression("l | map('string') | length")
    for _ in range(30):
        assert expression.evaluate({"l": [1] * 1000}) == 1000
    with pytest.raises(LimitExceeded, match="10 ms of processor time"):
        expression.evaluate({"l": [1] * 100_000})


def test_a_filter_of_a_plugin_that_takes_too_long_is_noticed() -> None:
    def slow(value: object) -> object:
        end = time.thread_time() + 0.15
        while time.thread_time() < end:
            pass
        return value

    with pytest.raises(LimitExceeded, match="processor time"):
        Renderer({"slow": slow}).expression("1 | slow").evaluate({})


async def test_tasks_can_share_what_is_compiled(renderer: Renderer) -> None:
    import asyncio

    template = renderer.template("{{ n }}-{{ l | map('string') | join('') }}")

    async def render(n: int) -> str:
        await asyncio.sleep(0)
        return template.render({"n": n, "l": [n] * 3})

    made = await asyncio.gather(*[render(n) for n in range(20)])
    assert made == [f"{n}-{str(n) * 3}" for n in range(20)]


def test_evaluations_of_a_shared_scope_share_the_time_of_one(renderer: Renderer) -> None:
    """However short each is: a config, or conditions, may have thousands of them."""
    scope = SharedScope({"x": 1}, 0.01)
    expression, template = renderer.expression("x == 1 and x != 2"), renderer.template("a{{ x }}")

    def go_on() -> None:
        while True:
            assert expression.holds(scope)
            assert template.render(scope) == "a1"

    with soon(), pytest.raises(LimitExceeded, match="more than 10 ms of processor time"):
        go_on()


def test_a_scope_says_how_long_its_evaluations_may_take(renderer: Renderer) -> None:
    numbers = {"numbers": list(range(200_000))}
    expression = renderer.expression("numbers | map('string') | map('json') | join | length")
    for seconds, told in ((None, "more than 100 ms"), (0.01, "more than 10 ms")):
        with pytest.raises(LimitExceeded, match=told):
            expression.evaluate(SharedScope(numbers, seconds))
