"""What decided whether an expression holds: the comparison, and the values that it saw."""

import pytest

from lockstep.model.program import FILTER_SECONDS, SharedScope
from lockstep.model.secrets import MASK, MASKER
from lockstep.render import Renderer

SCOPE = {
    "n": 3,
    "s": "Bob",
    "l": [],
    "o": {"a": 1},
    "yes": True,
    "nothing": None,
    "long": "x" * 1000,
    "huge": "y" * 100_000,
    "many": [*range(10_000)],
}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("n >= 5", "`n >= 5` is false: `n` is 3"),
        ("n<5", "`n < 5` is true: `n` is 3"),
        ("5 < n <= 7", "`5 < n` is false: `n` is 3"),
        ("1 < n <= 2", "`n <= 2` is false: `n` is 3"),
        ("1 < n <= 3", "`1 < n` is true: `n` is 3; `n <= 3` is true: `n` is 3"),
        ("n == n", "`n == n` is true: `n` is 3"),
        ("n == o.b", "`n == o.b` is false: `n` is 3, `o.b` is missing"),
        ("s == \"bob\"", "`s == 'bob'` is false: `s` is \"Bob\""),
        ("s | lower != 'bob'", "`s | lower != 'bob'` is false: `s | lower` is \"bob\""),
        ("'x' in l", "`'x' in l` is false: `l` is []"),
        ("'x' not in [s, n]", "`'x' not in [s, n]` is true: `[s, n]` is [\"Bob\",3]"),
        ("n >= 5 and s == 'x'", "`n >= 5` is false: `n` is 3"),
        ("n < 5 and s == 'x'", "`s == 'x'` is false: `s` is \"Bob\""),
        ("n < 5 and yes", "`n < 5` is true: `n` is 3; `yes` is true"),
        ("n > 5 or s == 'x'", "`n > 5` is false: `n` is 3; `s == 'x'` is false: `s` is \"Bob\""),
        ("n > 5 or yes or l", "`yes` is true"),
        ("not (n > 2)", "`n > 2` is true: `n` is 3"),
        ("not gone.a and n > 5", "`n > 5` is false: `n` is 3"),
        ("gone.a[0].b", "`gone.a[0].b` is missing"),
        ("nothing", "`nothing` is null"),
        ("o", '`o` is {"a":1}'),
        ("l | length", "`l | length` is false: `l | length` is 0, `l` is []"),
        ("gone is defined", "`gone is defined` is false: `gone` is missing"),
        ("s is not defined", "`s is defined` is true: `s` is \"Bob\""),
        ("n is divisibleby 2", "`n is divisibleby(2)` is false: `n` is 3"),
        ("s | regex_match('^x')", "`s | regex_match('^x')` is false: `s` is \"Bob\""),
        ("l if n > 2 else s", "`n > 2` is true: `n` is 3; `l` is []"),
        ("l if n > 5", "`n > 5` is false: `n` is 3"),
        ("false", "`false` is false"),
        ("n + 1 > (n + 1) * 2", "`n + 1 > (n + 1) * 2` is false: `n + 1` is 4, `(n + 1) * 2` is 8"),
    ],
)  # fmt: skip
def test_it_tells_the_comparison_that_decided_and_the_values_that_it_saw(
    renderer: Renderer, text: str, told: str
) -> None:
    assert str(renderer.expression(text).explain(SCOPE)) == told


def test_of_many_that_decided_together_a_few_are_told(renderer: Renderer) -> None:
    told = renderer.expression(" or ".join(f"n > {level}" for level in range(5, 15))).explain(SCOPE)
    assert (len(told.deciders), told.more, told.holds) == (4, 6, False)
    assert str(told).endswith("; and 6 more")


def test_a_value_is_told_in_short(renderer: Renderer) -> None:
    (long,) = renderer.expression("long == s").explain(SCOPE).deciders
    assert [len(one.value) for one in long.operands] == [100, 5]
    assert long.operands[0].value.endswith("x…")
    (huge,) = renderer.expression("huge in many").explain(SCOPE).deciders
    assert [one.value for one in huge.operands] == [
        "a text of 100,000, too large to be shown",
        "a list of 10,000, too large to be shown",
    ]


def test_a_long_expression_is_told_in_short(renderer: Renderer) -> None:
    (told,) = renderer.expression(f"s == '{'z' * 10_000}'").explain(SCOPE).deciders
    assert len(told.text) == 200


def test_secrets_are_not_told_also_where_the_value_is_cut(renderer: Renderer) -> None:
    secret = "hush-" + "q" * 300
    MASKER.remember(secret)
    for value in (secret, f"{'a' * 90} {secret}", {"deep": [secret]}):
        told = str(renderer.expression("x == 1").explain({"x": value}))
        assert MASK in told
        assert "hush" not in told


def test_what_goes_wrong_is_told_and_never_raised() -> None:
    def broken(_: object) -> object:
        raise RuntimeError("it is broken")

    renderer = Renderer({"broken": broken})
    for text in ("n | broken > 1", "[n, 1 / 0]", "'a' * 10000000000"):
        told = renderer.expression(text).explain(SCOPE)
        assert told.fault
        assert not told.deciders
        assert told.fault in str(told)


def test_it_takes_of_the_processor_time_that_judging_has(renderer: Renderer) -> None:
    scope = SharedScope({**SCOPE, "t": [*range(100_000)]}, FILTER_SECONDS)
    text = " or ".join("(t | map('string') | select('eq', 'x') | list | length)" for _ in range(50))
    told = renderer.expression(text).explain(scope)
    assert "processor time" in told.fault
