"""What is refused when it is compiled: the message, the place, and the hint."""

import pytest

from lockstep.model.errors import RenderError, SyntaxFault
from lockstep.render import BUILT_IN, Renderer


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


@pytest.mark.parametrize(
    ("text", "message", "line", "column", "hint"),
    [
        ("", "empty", 1, 1, ""),
        (" \n ", "empty", 1, 1, ""),
        ("a && b", "'&&'", 1, 3, "and"),
        ("a\n || b", "||", 2, 2, "or"),
        ("!a", "'!'", 1, 1, "not"),
        ("a ? b : c", "'?'", 1, 3, "if"),
        ("a === b", "===", 1, 3, "=="),
        ("a ?? b", "??", 1, 3, "default"),
        ("a?.b", "?.", 1, 2, ""),
        ("a = 1", "'='", 1, 3, "=="),
        ("foo ==", "too early", 1, 7, ""),
        ("a |", "too early", 1, 4, ""),
        ("((((", "'(' is not closed", 1, 4, ""),
        ("a == 1)", "')'", 1, 7, ""),
        ("(a]", "']'", 1, 3, "')' is missing"),
        ("'abc", "quote", 1, 1, ""),
        ("a b", "'b'", 1, 3, ""),
        ("a..b", "name", 1, 3, ""),
        ("a[]", "brackets", 1, 2, ""),
        ("a[1, 2]", "brackets", 1, 2, ""),
        ("a @ b", "'@'", 1, 3, ""),
        ("and", "'and'", 1, 1, ""),
        ("a + if", "'if'", 1, 5, ""),
        ("²", "no name", 1, 1, ""),
        ("2 ** 3", "**", 1, 1, ""),
        ("range(3)", "called", 1, 6, "repeat"),
        ("a.b()", "called", 1, 4, "|"),
        ("(a | upper)(1)", "called", 1, 12, "|"),
        ("a\n| nope", "'nope'", 2, 3, ""),
        ("a | uper", "'uper'", 1, 5, "upper"),
        ("false and (a | uper)", "'uper'", 1, 16, "upper"),
        ("a | map('uper')", "'uper'", 1, 5, "upper"),
        ("a | map(b)", "written out", 1, 5, ""),
        ("a | map", "attribute", 1, 5, ""),
        ("a | select('evn')", "'evn'", 1, 5, "even"),
        ("a is nope(1)", "'nope'", 1, 3, ""),
        ("a is divisibleby", "by", 1, 3, ""),
        ("a | select('even', 1)", "'even'", 1, 5, ""),
        ("a | selectattr", "attribute", 1, 5, ""),
        ("a | selectattr('b', 'eq', other=1)", "by name", 1, 5, ""),
        ("a | upper(1)", "'upper'", 1, 5, ""),
        ("a | truncate(1, 2)", "'truncate'", 1, 5, ""),
        ("a | truncate(count=1)", "'count'", 1, 5, ""),
        ("a | replace", "'replace'", 1, 5, ""),
        ("a | default(*b)", "unpacked", 1, 5, ""),
        ("a | regex_match('(')", "pattern", 1, 5, ""),
        ("1e999", "too large", 1, 1, ""),
        ("{% if a %}", "has no blocks", 1, 1, "a if condition else b"),
        ("for x in y", "'x'", 1, 5, ""),
        ("lambda: 1", "':'", 1, 7, ""),
        ("{a}", "':'", 1, 3, ""),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(
    renderer: Renderer, text: str, message: str, line: int, column: int, hint: str
) -> None:
    with pytest.raises(SyntaxFault) as caught:
        renderer.expression(text)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "bare", "column"),
    [
        ("{{ trigger.payload.x == 1 }}", "trigger.payload.x == 1", 1),
        ("  {{a}}", "a", 3),
        ("{{ a }} and {{ b }}", "a  and  b", 1),
        ("x == {{ y }}", "x ==  y", 6),
        ("${{ a == 'x' }}", "a == 'x'", 2),
        ("{{ a && !b || c === 'd && e' }}", "a and not b or c == 'd && e'", 1),
        ("{{ (!a)||b?.c!==1 }}", "(not a) or b.c!=1", 1),
    ],
)
def test_braces_in_a_bare_expression_are_refused_with_the_text_without_them(
    renderer: Renderer, text: str, bare: str, column: int
) -> None:
    with pytest.raises(SyntaxFault, match="braces") as caught:
        renderer.expression(text)
    assert caught.value.hint == f"write `{bare}`"
    assert caught.value.column == column


@pytest.mark.parametrize(
    "text", ["{{ a }}{{ b }}", "{{ a ? b : c }}", "{{ a | nope }}", "{{ f(x) }}"]
)
def test_a_text_that_is_wrong_without_its_braces_too_is_not_proposed(
    renderer: Renderer, text: str
) -> None:
    with pytest.raises(SyntaxFault, match="braces") as caught:
        renderer.expression(text)
    assert caught.value.hint == "write it without `{{` and `}}`"


@pytest.mark.parametrize("text", ["{% if a %}true{% endif %}", "a and {% b %}"])
def test_blocks_in_a_bare_expression_are_refused_with_what_to_write(
    renderer: Renderer, text: str
) -> None:
    with pytest.raises(SyntaxFault, match="no blocks") as caught:
        renderer.expression(text)
    assert "`a if condition else b`" in caught.value.hint


def test_an_object_in_a_bare_expression_is_no_brace(renderer: Renderer) -> None:
    assert renderer.expression('{"a": {"b": {}}}').evaluate({}) == {"a": {"b": {}}}
    assert renderer.expression("'{{ x }}' == s").holds({"s": "{{ x }}"})


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("hello {{ foo", "not closed", 1, 7),
        ("a\nb {{ it's", "not closed", 2, 3),
        ('a\r\n\r\n{{ "unterminated }}', "quote", 3, 4),
        ("{{ }}", "empty", 1, 1),
        ("x\n {{\n  a || b }}", "'||'", 3, 5),
        ("{{ a }}\n{{ b | nope }}", "'nope'", 2, 8),
        ("{{ (a }} {{ b) }}", "'}'", 1, 7),
        ("{{ x -}}", "too early", 1, 7),
        ("é {{ ü ü }}", "'ü'", 1, 8),
        ("{{ a | }}", "too early", 1, 8),
        ("{{ {'a': 1 }}", "'}'", 1, 13),
    ],
)
def test_a_fault_in_a_template_has_its_place_in_the_whole_text(
    renderer: Renderer, text: str, message: str, line: int, column: int
) -> None:
    with pytest.raises(SyntaxFault) as caught:
        renderer.template(text)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("x\n{{ 1 / 0 }}", 2, 4),
        ("{{ 1 }}{{ a.b + null }}", 1, 11),
        ("{{ [1, 2 - 'x'] }}", 1, 8),
        ("{{ 'x' | fails }}", 1, 10),
        ("{{ 1 ~\n {none: 1} }}", 1, 1),
    ],
)
def test_an_error_of_an_evaluation_has_its_place(text: str, line: int, column: int) -> None:
    def fails(value: object) -> object:
        raise KeyError(value)

    with pytest.raises(RenderError) as caught:
        Renderer({"fails": fails}).template(text).render({"a": {"b": 1}})
    assert (caught.value.line, caught.value.column) == (line, column)


def test_a_fault_is_not_kept(renderer: Renderer) -> None:
    for _ in range(2):
        with pytest.raises(SyntaxFault):
            renderer.template("{{ oops")


def test_a_filter_of_a_plugin_is_called_with_its_arguments() -> None:
    def tell(value: object, *more: object, **named: object) -> list[object]:
        return [value, list(more), named]

    renderer = Renderer({"tell": tell})
    assert renderer.expression("gone | tell(1, x, y=z)").evaluate({"x": "a"}) == [
        None,
        [1, "a"],
        {"y": None},
    ]
    assert renderer.expression("[1] | map('tell') | list").evaluate({}) == [[1, [], {}]]


def test_what_a_filter_of_a_plugin_raises_is_an_error_of_the_expression() -> None:
    def broken(value: object) -> object:
        raise OSError("no such thing")

    with pytest.raises(RenderError, match="filter 'broken': OSError: no such thing") as caught:
        Renderer({"broken": broken}).expression("1 | broken").evaluate({})
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("made", [object(), {1}, b"bytes"])
def test_a_filter_of_a_plugin_gives_json(made: object) -> None:
    with pytest.raises(RenderError, match="JSON does not have"):
        Renderer({"odd": lambda _: made}).expression("1 | odd").evaluate({})


def test_a_filter_of_a_plugin_takes_what_its_function_takes() -> None:
    with pytest.raises(SyntaxFault, match="'one'"):
        Renderer({"one": lambda value: value}).expression("1 | one(2)")


def test_a_filter_that_is_added_later_is_found() -> None:
    filters: dict[str, object] = {}
    renderer = Renderer(filters)  # type: ignore[arg-type] # filled below
    with pytest.raises(SyntaxFault):
        renderer.expression("1 | later")
    filters["later"] = lambda value: value + 1
    assert renderer.expression("1 | later").evaluate({}) == 2


def test_a_built_in_filter_stays() -> None:
    with pytest.raises(ValueError, match="upper"):
        Renderer({"mine": str, "upper": str})


def test_the_built_in_filters_are_those_of_the_language() -> None:
    words = """
        default d upper lower capitalize title trim truncate length json iso date join replace
        int float string bool list round abs min max sum first last sort unique reverse
        map select selectattr reject rejectattr groupby batch slice dictsort indent wordcount
        count tojson fromjson keys values items split
        regex_match regex_search regex_findall regex_replace b64encode b64decode urlencode sha256
        minutes hours days duration_since older_than
    """
    assert set(BUILT_IN) == set(words.split())
