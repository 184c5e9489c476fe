"""What is written as elsewhere is refused with what to write here, and that works."""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from jinja2.filters import FILTERS
from jinja2.tests import TESTS

from lockstep.model.errors import RenderError, SyntaxFault
from lockstep.render import Renderer, elsewhere
from lockstep.render.filters import BUILT_IN
from lockstep.render.predicates import PREDICATES

ANSIBLE: Final = """
    b64decode b64encode basename bool checksum combinations combine comment commonpath dict2items
    difference dirname expanduser expandvars extract fileglob flatten from_json from_yaml
    from_yaml_all hash human_readable human_to_bytes intersect items2dict log mandatory md5 normpath
    password_hash path_join permutations pow product quote random realpath regex_escape
    regex_findall regex_replace regex_search rekey_on_member relpath root sha1 shuffle split
    splitext strftime subelements symmetric_difference ternary to_datetime to_json to_nice_json
    to_nice_yaml to_uuid to_yaml type_debug undef union unique unvault urldecode urlsplit vault
    win_basename win_dirname win_splitdrive zip zip_longest json_query ipaddr random_mac
"""
LIQUID: Final = """
    abs append at_least at_most base64_decode base64_encode capitalize ceil compact concat date
    default divided_by downcase escape escape_once find find_index first floor has join last lstrip
    map minus modulo newline_to_br plus prepend reject remove remove_first remove_last replace
    replace_first replace_last reverse round rstrip size slice sort sort_natural split strip
    strip_html strip_newlines sum times truncate truncatewords uniq upcase url_decode url_encode
    where where_exp group_by jsonify inspect slugify number_of_words push pop shift unshift
    array_to_sentence_string date_to_xmlschema date_to_rfc822 date_to_string xml_escape
"""
PEBBLE: Final = """
    abbreviate base64decode base64encode capitalize chunk className date dateAdd default distinct
    endsWith escapeChar first flatten indent join jq json keys last length lower md5 merge nindent
    number numberFormat replace rsort sha1 sha256 sha512 slice slugify sort split startsWith string
    substringAfter substringAfterLast substringBefore substringBeforeLast timestamp timestampMilli
    title toIon toJson trim upper urldecode urlencode values yaml
"""
HOME: Final = """
    add as_datetime as_local as_timestamp average base64_decode base64_encode bitwise_and contains
    from_json iif is_defined is_number log median multiply ordinal random regex_findall
    regex_findall_index regex_match regex_replace regex_search slugify states time_since time_until
    timestamp_custom timestamp_local timestamp_utc to_json urlencode version has_value
"""
WORDS: Final = sorted({*FILTERS, *(ANSIBLE + LIQUID + PEBBLE + HOME).split()})

VALUES: Final[dict[str, object]] = {
    "text": "INC-42 a,b",
    "number": 5,
    "numbers": [3, 1, 2],
    "texts": ["b", "a"],
    "objects": [{"a": 1, "b": 2}, {"a": 3}],
    "object": {"a": 1},
    "time": "2026-01-01T00:00:00Z",
}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


def hint_of(renderer: Renderer, text: str) -> str:
    with pytest.raises(SyntaxFault) as caught:
        renderer.expression(text)
    return caught.value.hint


def advised(hint: str) -> list[str]:
    """The expressions in a hint."""
    return re.findall(r"`([^`]*)`", hint)


def follow(renderer: Renderer, hint: str) -> None:
    """Write what a hint says: it compiles, and gives something for one of the values at least."""
    assert advised(hint) or hint in elsewhere.NONE.values(), hint
    for text in advised(hint):
        expression = renderer.expression(text)
        tries = [_works(renderer, expression.text, value) for value in VALUES.values()]
        assert any(tries), text


def _works(renderer: Renderer, text: str, value: object) -> bool:
    scope = {"x": value, "y": value, "value": value, "now": VALUES["time"], "trigger": {}}
    try:
        renderer.expression(text).evaluate(scope)
    except RenderError:
        return False
    return True


def holes(entry: str) -> int:
    """How many arguments an entry has."""
    return 1 + max([int(number) for number in re.findall(r"\{(\d)", entry)], default=-1)


def written(table: dict[str, str], form: str) -> Iterator[str]:
    """A call for each entry of a table, with as many arguments as it has."""
    for key, entry in table.items():
        name, _, count = key.partition("/")
        given = int(count) if count else holes(entry)
        yield form.format(
            x="'x'" if name.startswith("'") else "x",
            name=name.removeprefix("'"),
            args=f"({', '.join('y' * given)})" if given else "",
            calls=f"({', '.join('y' * given)})",
            all=f"({', '.join('xyy'[:given])})",
        )


CALLS: Final = [
    *written(dict(elsewhere.FILTERS), "{x} | {name}{args}"),
    *written(dict(elsewhere.TESTS), "{x} is {name}{args}"),
    *written(dict(elsewhere.TESTS), "{x} is not {name}{args}"),
    *written(dict(elsewhere.METHODS), "{x}.{name}{calls}"),
    *written(dict(elsewhere.FUNCTIONS), "{name}{all}"),
    *[f"x | {name}" for name in elsewhere.NONE],
    *[f"{name}(x)" for name in elsewhere.NONE],
    *[f"{name}()" for name in elsewhere.NONE],
]


@pytest.mark.parametrize("text", CALLS)
def test_each_hint_of_the_table_works_when_it_is_followed(renderer: Renderer, text: str) -> None:
    follow(renderer, hint_of(renderer, text))


MOMENT: Final = "2026-01-01T07:08:09Z"  # a Thursday
METHODS: Final[list[tuple[str, object, object]]] = [
    ("x.upper()", "ab", "AB"),
    ("x.capitalize()", "ab", "Ab"),
    ("x.strip()", " a ", "a"),
    ("x.trimStart()", " a", "a"),
    ("x.rstrip()", "a ", "a"),
    ("x.split(',')", "a,b", ["a", "b"]),
    ("','.join(x)", ["a", "b"], "a,b"),
    ("x.replace('a', 'b')", "aa", "bb"),
    ("x.removeprefix('a')", "ab", "b"),
    ("x.startswith('a')", "ab", True),
    ("x.endsWith('b')", "ab", True),
    ("x.count('a')", "aba", 2),
    ("x.rfind('b')", "abc", True),
    ("x.includes(1)", [1, 2], True),
    ("x.matchAll('[a-z]')", "a1b", ["a", "b"]),
    ("x.isalpha()", "ab", True),
    ("x.isalnum()", "a-b", False),
    ("x.isspace()", " ", True),
    ("x.isdigit()", "12", True),
    ("x.items()", {"a": 1}, [["a", 1]]),
    ("x.entries()", {"a": 1}, [["a", 1]]),
    ("x.keys()", {"a": 1}, ["a"]),
    ("x.values()", {"a": 1}, [1]),
    ("x.get('a')", {"a": 1}, 1),
    ("x.get('b', 2)", {"a": 1}, 2),
    ("x.some()", [1, 0], True),
    ("x.every()", [1, 0], False),
    ("x.filter()", [{"a": "b"}, {"a": "c"}], [{"a": "b"}]),
    ("x.toFixed(1)", 1.26, 1.3),
    ("x.strftime('%Y')", MOMENT, "2026"),
    ("x.year()", MOMENT, 2026),
    ("x.getMonth()", MOMENT, 0),
    ("x.month()", MOMENT, 1),
    ("x.getDate()", MOMENT, 1),
    ("x.getHours()", MOMENT, 7),
    ("x.minute()", MOMENT, 8),
    ("x.getSeconds()", MOMENT, 9),
    ("x.weekday()", MOMENT, 3),
    ("x.isoweekday()", MOMENT, 4),
    ("x.getDay()", MOMENT, 4),
]


@pytest.mark.parametrize(("text", "value", "wanted"), METHODS, ids=[one[0] for one in METHODS])
def test_a_method_is_refused_with_what_gives_the_same(
    renderer: Renderer, text: str, value: object, wanted: object
) -> None:
    (advice,) = advised(hint_of(renderer, text))
    assert renderer.expression(advice).evaluate({"x": value}) == wanted


@pytest.mark.parametrize("name", WORDS)
def test_each_filter_that_is_known_elsewhere_is_there_or_has_a_useful_hint(
    renderer: Renderer, name: str
) -> None:
    if name in BUILT_IN:
        return
    hints = [hint_of(renderer, f"x | {name}{args}") for args in ("", "(y)", "(y, y)")]
    useful = [hint for hint in hints if hint and "did you mean" not in hint]
    assert useful, hints
    for hint in useful:
        follow(renderer, hint)


@pytest.mark.parametrize("name", sorted(set(TESTS) - set(PREDICATES)))
def test_each_test_of_jinja2_is_there_or_has_a_hint(renderer: Renderer, name: str) -> None:
    follow(renderer, hint_of(renderer, f"x is {name}(y)"))


def test_no_entry_stands_for_what_there_is() -> None:
    def plain(name: str) -> str:
        return name.replace("_", "")

    ours = {plain(name) for name in BUILT_IN}
    for table in (elsewhere.FILTERS, elsewhere.NONE):
        assert not {key.partition("/")[0] for key in table} & ours
    assert not set(elsewhere.TESTS) & set(PREDICATES)
    assert not set(elsewhere.NONE) & set(elsewhere.FILTERS)
    for table in (elsewhere.FILTERS, elsewhere.METHODS, elsewhere.FUNCTIONS, elsewhere.NONE):
        assert all(key == plain(key).lower() for key in table)


@pytest.mark.parametrize(
    "text",
    [
        *[f"s.{call}" for call in (
            "upper()", "lower()", "strip()", "lstrip()", "rstrip()", "capitalize()", "casefold()",
            "split(',')", "split()", "replace('a', 'x')", "replace('a', 'x', 1)", "count('a')",
            "startswith(' In')", "startswith(p)", "endswith('a ')", "endswith(p)", "strip('a ')",
            "removeprefix(' In')", "removesuffix('a ')", "removeprefix('zz')", "islower()",
            "splitlines()", "strip().lower().split(',')[0].upper()", "isdigit()",
        )],
        *[f"d.{call}" for call in (
            "keys()", "values()", "items()", "get('a')", "get('c', 7)", "copy()", "get('c')",
        )],
        "', '.join(t)", "'-'.join(['a', 'b'])", "len(t)", "len(s.strip())", "str(n)", "int('7')",
        "float(n)", "abs(-n)", "sum(l)", "min(l)", "max(l)", "max(n, 7)", "min(n, 7)", "sorted(l)",
        "any(l)", "all(l)", "bool(l)", "list(d)", "t.copy()", "l + [len(l)]", "t.index('b') >= 0",
        "round(n)",
    ],
)  # fmt: skip
def test_what_is_written_as_in_python_gives_what_python_gives(
    renderer: Renderer, text: str
) -> None:
    scope = {
        "s": " Inc,a b,a ", "p": " Inc", "d": {"a": 1, "b": [2]}, "t": ["b", "a"], "n": 5,
        "l": [3, 1, 2],
    }  # fmt: skip
    whole = text
    while True:  # as an author would: what is wrong is replaced, until nothing is
        try:
            found = renderer.expression(whole).evaluate(scope)
            break
        except SyntaxFault as fault:
            whole = advised(fault.hint)[0] if text != "l + [len(l)]" else "l + [l | length]"
            if text == "t.index('b') >= 0":
                whole = "'b' in t"
            if "[0].upper()" in text:
                assert whole == "(s | trim | lower | split(','))[0] | upper"
    wanted = eval(text, {}, scope)  # noqa: S307 - what stands above
    if isinstance(wanted, type({}.keys()) | type({}.values()) | type({}.items())):
        wanted = [list(one) if isinstance(one, tuple) else one for one in wanted]
    assert found == wanted


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("trigger.payload.name.upper()", "write `trigger.payload.name | upper`"),
        ("(a + b).strip()", "write `(a + b) | trim`"),
        ("a | upcase", "write `a | upper`"),
        ("a | append: '!'", "write `a ~ '!'`"),
        ("a | default: 'b' | upcase", "write `a | default('b') | upper`"),
        ("(a | plus: 1) * 2", "write `(a + 1) * 2`"),
        ("a | default 'b'", "write `a | default('b')`"),
        ("a | to_nice_json(indent=2)", "write `a | json(2)`"),
        ("a | toJson(indent=2)", "write `a | tojson(indent=2)`"),
        ("l | map('name')", "write `l | map(attribute='name')`"),
        ("l | map('to_json')", "write `l | map('tojson')`"),
        ("l | map('upcase')", "write `l | map('upper')`"),
        ("l | select('sameas', 1)", "write `l | select('==', 1)`"),
        ("l | selectattr('a', 'sameas', 1)", "write `l | selectattr('a', '==', 1)`"),
        ("l | select('match', 'I')",
         "no test does it; of a value that stands alone write `x | regex_match('I')`"),
        ("x is not match('I')", "write `not x | regex_match('I')`"),
        ("l.join(', ')", "write `l | join(', ')`"),
        ("now()", "write `now`"),
        ("toJSON(a.b)", "write `a.b | tojson`"),
        ("contains(a, 'b')", "write `'b' in a`"),
        ("a[1:2].foo | upcase", "write `a[1:2].foo | upper`"),
        ("{'a': [null, true, 1.5]}.a[0].strip()", "write `{'a': [null, true, 1.5]}.a[0] | trim`"),
        ("(x if a and not b else -y).lower()", "write `(x if a and not b else -y) | lower`"),
        ("'it\\'s'.upper()", "write `\"it's\" | upper`"),
        ("a | truncate(20, true, '...')", "it takes length"),
        ("a | upper(1)", "it takes no arguments"),
        ("a is even(1)", "it takes no arguments"),
        ("x | divided_by", "write `x / y`"),
        ("foo(1)", "filters do it instead: `value | upper`"),
        (f"'{'long' * 200}'.upper()", "write `value | upper`"),
        (f"{'(' * 30}a{' + 1)' * 30}.upper()", "write `value | upper`"),
    ],
)  # fmt: skip
def test_a_hint_says_what_to_write(renderer: Renderer, text: str, hint: str) -> None:
    assert hint_of(renderer, text) == hint
    for advice in advised(hint):
        renderer.expression(advice)


def test_a_filter_of_a_plugin_is_meant_too() -> None:
    renderer = Renderer({"initials_of": lambda value, count=2: value})
    assert hint_of(renderer, "a.initials_of(3)") == "write `a | initials_of(3)`"
    assert hint_of(renderer, "initialsOf(a)") == "write `a | initials_of`"
