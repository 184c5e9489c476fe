"""Patterns run in linear time where they can, and mean what they always have."""

from typing import Any

import pytest
import regex

from lockstep.model.errors import LimitExceeded, RenderError
from lockstep.render import Renderer
from lockstep.render.filters import BUILT_IN
from lockstep.render.limits import Limits, Work
from lockstep.render.patterns import BoundedPattern

TEXTS = ["", "abc", "abc\n", "café", "ab 12 c", "٣٤", "a_b-c", "foo bar\nbaz", "x\u00a0y", "[a]",
         "ⓐ²", "Kelvin", "a.b", "é1", "aaa", "]x", "a\\b", "$5",
         "path/x", "path/x/", "+49123", "x{,2}"]  # fmt: skip
PATTERNS = [r"\d+", r"\w+", r"\W", r"\s", r"\S+", r"\D", r"[\d\-x]+", r"[\w.]+", r"[^\w]",
            r"[^\W_]", r"\bcaf\b", r"caf\b", r".*c$", r"a*", r"", r"x*", r"(a)(b)?",
            r"[[:alpha:]]+", r"[]x]+", r"[^]x]+", r"(?i)ABC", r"(?P<n>a+)", r"a|b|c", r"^.*\Z",
            r"\.", r"[a[]+", r"\\", r"[$]", r"\$\d", r"[*+]+", r"(?m)^b.*$", r"(?s).*z",
            r"[[:alpha:]\d]+", r"\p{L}+",
            r"/?$", r"\s*$", r"\Z", r"\+?\d{,6}$", r"a{,2}", r"[{,2}]+", r"\{,2\}", r"<.*?>",
            r"(?:a|b)?", r"(a|b)*"]  # fmt: skip
LOOKED_AT = [r"(?=a)b", r"a(?!b)", r"(?<=a)b", r"(?<!a)b", r"(a)\1", r"(?P<n>a)(?P=n)", r"a++",
             r"(?>a)b", r"(?x) a", r"a(?#c)", r"a??", r"|a",
             r"(?:|a)b?", r"a*?", r"(a|)*?"]  # fmt: skip


def replaced(value: str, pattern: str, new: str = "<\\g<0>>") -> object:
    """Replace as an expression does."""
    return BUILT_IN["regex_replace"](Work({}, Limits()), value, pattern, new)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_means_what_it_has_meant(pattern: str) -> None:
    made, before = BoundedPattern(pattern, ignorecase=False), regex.compile(pattern)
    assert made.refused is None
    for text in TEXTS:
        work = Work({}, Limits())
        assert made.begins(work, text) is (before.match(text) is not None), text
        assert replaced(text, pattern) == before.sub(lambda found: f"<{found[0]}>", text), text


@pytest.mark.parametrize("pattern", LOOKED_AT)
def test_what_cannot_run_in_linear_time_runs_as_before_and_says_what_to_write(pattern: str) -> None:
    made, before = BoundedPattern(pattern, ignorecase=False), regex.compile(pattern)
    assert made.refused is not None
    assert made.refused.hint
    for text in ("aa", "ab", "b", "a"):
        assert made.begins(Work({}, Limits()), text) is (before.match(text) is not None)
        assert replaced(text, pattern) == before.sub(lambda found: f"<{found[0]}>", text), text
    stored = Renderer().expression(f"x | regex_match({pattern!r})")
    assert [one.message for one in stored.outdated] == [made.refused.message]
    assert stored.outdated[0].column is not None
    assert Renderer().template(f"a {{{{ x | regex_match({pattern!r}) }}}}").outdated


def test_a_pattern_that_is_right_is_not_outdated() -> None:
    assert Renderer().expression(r"x | regex_match('\d+\b$')").outdated == ()


@pytest.mark.parametrize("pattern", ["(", "a**", "[", "\\"])
def test_what_is_no_pattern_is_an_error(pattern: str) -> None:
    with pytest.raises(RenderError):
        Renderer().expression(f"x | regex_match({pattern!r})")


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*c", "(a|aa)+$", "(?:a?){50}a{50}c", "(.*)*x", "([ab]*a){12}c"]
)
def test_what_ran_for_ever_is_done_at_once(pattern: str) -> None:
    work = Work({}, Limits(processor_seconds=1e6))
    text = "a" * 5000 + "b"
    assert BoundedPattern(pattern, ignorecase=False).begins(work, text) is False


@pytest.mark.parametrize("pattern", ["(x+x+)+y|[ab]*a[ab]{900}c", "[ab]*a[ab]{100}c|(a|b|ab)*c"])
def test_a_large_pattern_on_a_large_text_is_given_up_in_its_time(pattern: str) -> None:
    expression = Renderer().expression(f"x | regex_match({pattern!r})")
    with pytest.raises(LimitExceeded, match="takes too long"):
        expression.evaluate({"x": "ab" * 250_000})


@pytest.mark.parametrize(
    ("new", "made"),
    [
        (r"[\1]", "[a]-"),
        (r"\g<n>", "a-"),
        (r"\g<1>\g<0>", "aab-"),
        (r"\n\\", "\n\\-"),
        (r"\2", "-"),
    ],
)
def test_a_replacement_names_groups(new: str, made: Any) -> None:
    assert replaced("ab-", "(?P<n>a)b(x)?", new) == made


@pytest.mark.parametrize("new", [r"\3", r"\g<other>", r"\g<9>"])
def test_a_replacement_that_names_no_group_is_an_error(new: str) -> None:
    with pytest.raises(RenderError, match="there is no group"):
        replaced("ab", "(?P<n>a)(b)", new)


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize(
    "pattern",
    [
        "i",
        "I",
        "\u0131",
        "\u0130",
        "[a-z]+",
        "[^i]+",
        "[\u0100-\u017f]+",
        "k",
        "[\u017fk]+",
        r"\x{131}",
        "größe",
    ],
)
def test_any_case_of_a_letter_is_what_it_has_been(pattern: str, inline: bool) -> None:
    text = f"(?i){pattern}" if inline else pattern
    made = BoundedPattern(text, ignorecase=not inline)
    try:
        before = regex.compile(text, 0 if inline else regex.IGNORECASE)
    except regex.error:
        return
    for value in (
        "i",
        "I",
        "\u0131",
        "\u0130",
        "aiI\u0131\u0130z",
        "kK\u212a",
        "sS\u017f",
        "GRÖSSE",
        "GRÖßE",
        "Größe",
        "\u0100\u0131I",
    ):
        found = before.match(value) is not None
        assert made.begins(Work({}, Limits()), value) is found, value
        spans = [(one.start(), one.end()) for one in made.matches(Work({}, Limits()), value)]
        assert spans == [one.span() for one in before.finditer(value)], value
