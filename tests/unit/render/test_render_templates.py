"""Templates: text around expressions, the type of a single expression, what they refer to."""

import dataclasses
from types import MappingProxyType

import pytest

from lockstep.render import Expression, Renderer, Template

SCOPE = {
    "name": "Nico",
    "count": 3,
    "price": 2.5,
    "yes": True,
    "nothing": None,
    "tags": ["a", 1, None],
    "person": {"first": "Zoë", "items": [{"id": 7}]},
    "braces": "{{ name }}",
}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("plain", "plain"),
        ("", ""),
        ("Hello {{ name }}!", "Hello Nico!"),
        ("{{name}}{{count}}", "Nico3"),
        ("{{ price }} {{ yes }} [{{ nothing }}] [{{ gone }}]", "2.5 true [] []"),
        ("{{ tags }} {{ person }}", '["a",1,null] {"first":"Zoë","items":[{"id":7}]}'),
        ("{{ 3.0 }} {{ [3.0, 0.5] }} {{ 1e300 }} {{ -0.0 }}", "3 [3,0.5] 1e+300 0"),
        ("{{ braces }}", "{{ name }}"),
        ("{{\n  name\n}}", "Nico"),
        ("{a} {{ count }} } %}", "{a} 3 } %}"),
        ("{% if x %}{# note #}{{ count }}{% endif %}", "{% if x %}{# note #}3{% endif %}"),
        ("a\r\nb\n{{ count }}\n\n", "a\r\nb\n3\n\n"),
        ("}} {{ count }}", "}} 3"),
        ('{"a": {"b": {{ count }}}}', '{"a": {"b": 3}}'),
        ("{{ '}}' }}{{ \"{{\" }}", "}}{{"),
        ("{{ 'it\\'s }}' }}", "it's }}"),
        ("{{ {'a': {'b': {}}} }}", '{"a":{"b":{}}}'),
        ("{{{'a': 1}}}", '{"a":1}'),
        ("{{-1}} {{ -count }}", "-1 -3"),
        ("{{ null }}{{ true }}{{ false }}{{ none }}{{ None }}{{ True }}", "truefalsetrue"),
        ("{{ name if gone }}", ""),
    ],
)
def test_a_template_gives_text(renderer: Renderer, text: str, rendered: str) -> None:
    assert renderer.template(text).render(SCOPE) == rendered


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ count }}", 3),
        ("{{ price }}", 2.5),
        ("{{ tags }}", ["a", 1, None]),
        ("{{ yes }}", True),
        ("{{ nothing }}", None),
        ("{{ gone }}", None),
        ("{{ gone.too[0].far }}", None),
        ("{{ name }}", "Nico"),
        ("{{ count }} ", "3 "),
        ("\n{{ count }}", "\n3"),
        ("{{ count }}{{ count }}", "33"),
        ("count", "count"),
    ],
)
def test_a_template_that_is_one_expression_keeps_the_type_of_its_value(
    renderer: Renderer, text: str, value: object
) -> None:
    made = renderer.template(text).value(SCOPE)
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(
    ("text", "constant"),
    [("", True), ("a } {% b %}", True), ("{{ 1 }}", False), ("a{{ b }}", False)],
)
def test_a_template_without_braces_is_constant(
    renderer: Renderer, text: str, constant: bool
) -> None:
    assert renderer.template(text).constant is constant


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("plain", []),
        ("{{ a }} {{ b.c }}", ["a", "b.c"]),
        ("{{ artifacts.mk.found + artifacts['mk'].found }}", ["artifacts.mk.found"]),
        ("{{ trigger.payload.list[0].id }}", ["trigger.payload.list"]),
        ("{{ a[b.c].d }}", ["a", "b.c"]),
        ("{{ a.b | default(c.d) | map(attribute='e') }}", ["a.b", "c.d"]),
        ("{{ [x, {'k': y.z}] if not q is defined else -w }}", ["q", "x", "y.z", "w"]),
        ("{{ s[lo:hi.x] ~ t }}", ["s", "lo", "hi.x", "t"]),
        ("{{ (a.b).c }} {{ null.x }} {{ 'a'.b }}", ["a.b.c"]),
    ],
)
def test_references_are_the_static_paths(
    renderer: Renderer, text: str, references: list[str]
) -> None:
    expected = {tuple(reference.split(".")) for reference in references}
    assert set(renderer.template(text).references) == expected
    if text.startswith("{{ ") and text.count("{{") == 1:
        assert set(renderer.expression(text[2:-2]).references) == expected


def test_a_text_is_compiled_once(renderer: Renderer) -> None:
    assert renderer.template("{{ once }}") is renderer.template("{{ once }}")
    assert renderer.expression("once") is renderer.expression("once")


def test_the_cache_is_bounded() -> None:
    renderer = Renderer()
    first = renderer.expression("n0")
    for n in range(5000):
        renderer.expression(f"n{n}")
    assert len(renderer._expressions._made) < 5000
    assert renderer.expression("n0") is not first
    long = " " * 60_000
    for n in range(100):
        renderer.template(f"{long}{n}")
    assert renderer._templates._characters <= 4 * 1024 * 1024


@pytest.mark.parametrize("text", ["a", "{{ a }} b"])
def test_what_is_compiled_cannot_be_changed(renderer: Renderer, text: str) -> None:
    for made in (renderer.template(text), renderer.expression("a")):
        assert isinstance(made, Template | Expression)
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.text = "other"  # type: ignore[misc]


def test_an_evaluation_leaves_the_scope_as_it_was(renderer: Renderer) -> None:
    scope = {"l": [3, 1, 2], "o": {"a": [1]}}
    expression = renderer.expression("[l|sort, l|reverse, l + [4], l * 2, o|items, l|unique]")
    expression.evaluate(scope)
    assert scope == {"l": [3, 1, 2], "o": {"a": [1]}}


def test_any_mapping_is_a_scope_and_an_object(renderer: Renderer) -> None:
    scope = MappingProxyType({"a": MappingProxyType({"b": 1}), "t": (1, 2)})
    assert renderer.template("{{ a.b }} {{ a }} {{ t }}").render(scope) == '1 {"b":1} [1,2]'
