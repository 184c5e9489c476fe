"""Signs that other languages put to braces: they are told, with the template that is meant."""

import pytest

from lockstep.model.errors import SyntaxFault
from lockstep.render import Renderer

RENDERER = Renderer()


@pytest.mark.parametrize("text", ["{{- x }}", "a {{- x | abs }}", "{{+ x }}", "{{-\n x }}"])
def test_a_sign_that_would_trim_works_as_it_has_and_is_refused_anew(text: str) -> None:
    template = RENDERER.template(text)
    (outdated,) = template.outdated
    assert "trims nothing" in outdated.message
    fixed = outdated.hint.removeprefix("write `").removesuffix("`")
    assert RENDERER.template(fixed).outdated == ()
    assert RENDERER.template(fixed).render({"x": 5}) == "5"


@pytest.mark.parametrize("text", ["{{ -x }}", "{{-5}}", "{{ 1 - -1 }}", "{{{'a': 1}}}"])
def test_the_sign_of_a_number_and_the_braces_of_an_object_stay(text: str) -> None:
    assert RENDERER.template(text).outdated == ()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("{{ x -}}", "{{ x }}"),
        ("{{- x -}}", "{{ x }}"),
        ("{{-x-}}", "{{ x }}"),
        ("{{- x && y -}}", "{{ x and y }}"),
        ("{{{ x }}}", "{{ x }}"),
        ("a {{{x | upper}}} b", "{{ x | upper }}"),
    ],
)
def test_signs_that_are_refused_are_told_with_what_is_meant(text: str, meant: str) -> None:
    with pytest.raises(SyntaxFault) as raised:
        RENDERER.template(text)
    assert raised.value.hint == f"write `{meant}`"


@pytest.mark.parametrize("text", ["{{- x }}", "{{- x -}}", "{{{ x }}}", "{{ x -}}", "${{ x }}"])
def test_a_bare_expression_in_such_braces_is_told_without_the_signs(text: str) -> None:
    with pytest.raises(SyntaxFault) as raised:
        RENDERER.expression(text)
    assert raised.value.hint == "write `x`"
