"""Examples of each filter and each test, and what each gives: tests run them.

Of aliases only the first name of each is here. `now` is `NOW` in all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Examples: TypeAlias = Sequence[tuple[str, object]]

NOW: Final = "2026-05-30T12:00:00.000Z"

FILTERS: Final[Mapping[str, Examples]] = {
    "default": (
        ("trigger.payload.gone | default('nobody')", "nobody"),
        ("0 | default(5)", 0),
        ("0 | default(5, true)", 5),
    ),
    "upper": (("'open' | upper", "OPEN"),),
    "lower": (("'OPEN' | lower", "open"),),
    "capitalize": (("'full DISK' | capitalize", "Full disk"),),
    "title": (("'full disk on db-one' | title", "Full Disk On Db-One"),),
    "trim": (
        ("'  open ' | trim", "open"),
        ("'--x--' | trim('-')", "x"),
        ("' x ' | trim('')", " x "),
    ),
    "indent": (
        ("'a\nb' | indent(2)", "a\n  b"),
        ("'a\nb' | indent('> ', true)", "> a\n> b"),
    ),
    "wordcount": (("'three short words' | wordcount", 3),),
    "truncate": (("'a long story' | truncate(6)", "a long…"), ("'short' | truncate(6)", "short")),
    "replace": (
        ("'a-b-c' | replace('-', '/')", "a/b/c"),
        ("'a-b-c' | replace('-', '/', 1)", "a/b-c"),
    ),
    "split": (("'a,b' | split(',')", ["a", "b"]), ("'a  b c' | split", ["a", "b", "c"])),
    "join": (
        ("['a', 1, null] | join('-')", "a-1-"),
        ("[{'n': 'ann'}, {'n': 'bob'}] | join(', ', 'n')", "ann, bob"),
    ),
    "string": (("3.0 | string", "3"), ("[1, true] | string", "[1,true]")),
    "int": (("'42' | int", 42), ("3.9 | int", 3), ("'x' | int(-1)", -1)),
    "float": (("'2.5' | float", 2.5), ("'x' | float", 0.0)),
    "bool": (("'off' | bool", False), ("'yes' | bool", True), ("'' | bool", False)),
    "list": (("'ab' | list", ["a", "b"]), ("5 | list", [5]), ("null | list", [])),
    "length": (("[1, 2] | length", 2), ("'abc' | length", 3), ("5 | length", 0)),
    "keys": (("{'a': 1, 'b': 2} | keys", ["a", "b"]),),
    "values": (("{'a': 1, 'b': 2} | values", [1, 2]),),
    "items": (("{'a': 1} | items", [["a", 1]]),),
    "first": (("[1, 2] | first", 1), ("[] | first | default('none')", "none")),
    "last": (("[1, 2] | last", 2),),
    "reverse": (("[1, 2] | reverse", [2, 1]), ("'abc' | reverse", "cba")),
    "round": (
        ("2.567 | round(1)", 2.6),
        ("2.4 | round", 2),
        ("2.1 | round(0, 'ceil')", 3),
    ),
    "abs": (("-5 | abs", 5),),
    "sum": (
        ("[1, 2, 'x'] | sum", 3),
        ("[{'n': 1}, {'n': 2}] | sum('n', 10)", 13),
    ),
    "min": (("[3, 1, 2] | min", 1), ("[{'n': 3}, {'n': 1}] | min(attribute='n')", {"n": 1})),
    "max": (("[3, 1, 2] | max", 3),),
    "sort": (
        ("['b', 'A', 1] | sort", [1, "A", "b"]),
        ("[1, 3, 2] | sort(true)", [3, 2, 1]),
        ("[{'n': 2}, {'n': 1}] | sort(attribute='n')", [{"n": 1}, {"n": 2}]),
    ),
    "unique": (
        ("['a', 'A', 'b'] | unique", ["a", "b"]),
        ("['a', 'A', 'a'] | unique(true)", ["a", "A"]),
    ),
    "groupby": (
        (
            "[{'k': 'x', 'n': 1}, {'k': 'y', 'n': 2}, {'k': 'x', 'n': 3}] | groupby('k')",
            [["x", [{"k": "x", "n": 1}, {"k": "x", "n": 3}]], ["y", [{"k": "y", "n": 2}]]],
        ),
    ),
    "dictsort": (
        ("{'b': 1, 'a': 2} | dictsort", [["a", 2], ["b", 1]]),
        ("{'b': 1, 'a': 2} | dictsort(by='value')", [["b", 1], ["a", 2]]),
    ),
    "batch": (("[1, 2, 3] | batch(2, 0)", [[1, 2], [3, 0]]),),
    "slice": (("[1, 2, 3] | slice(2)", [[1, 2], [3]]),),
    "map": (
        ("[{'n': 'ann'}, {}] | map(attribute='n', default='-')", ["ann", "-"]),
        ("['a', 'b'] | map('upper')", ["A", "B"]),
        ("['a-b'] | map('replace', '-', '+')", ["a+b"]),
    ),
    "select": (("[1, 2, 3] | select('odd')", [1, 3]), ("[0, 1, ''] | select", [1])),
    "reject": (("[1, 2, 3] | reject('gt', 2)", [1, 2]),),
    "selectattr": (
        ("[{'on': true, 'n': 1}, {'n': 2}] | selectattr('on') | map(attribute='n')", [1]),
        ("[{'n': 1}, {'n': 5}] | selectattr('n', '>', 2)", [{"n": 5}]),
    ),
    "rejectattr": (("[{'on': true, 'n': 1}, {'n': 2}] | rejectattr('on')", [{"n": 2}]),),
    "iso": (
        ("0 | iso", "1970-01-01T00:00:00.000Z"),
        ("'2026-05-30T14:00:00+02:00' | iso", "2026-05-30T12:00:00.000Z"),
    ),
    "date": (
        ("now | date('%d.%m.%Y')", "30.05.2026"),
        ("now | date('time')", "12:00:00"),
        ("now | date('unix')", 1780142400),
        ("now | date('rfc2822')", "Sat, 30 May 2026 12:00:00 +0000"),
    ),
    "minutes": (("5 | minutes", 300000),),
    "hours": (("2 | hours", 7200000),),
    "days": (("1 | days", 86400000),),
    "duration_since": (("'2026-05-30T11:59:00Z' | duration_since", 60000),),
    "older_than": (("'2026-05-29T11:00:00Z' | older_than(1 | days)", True),),
    "json": (
        ("{'a': [1, null]} | json", '{"a":[1,null]}'),
        ("{'a': 1} | json(2)", '{\n  "a": 1\n}'),
    ),
    "fromjson": (("'{\"a\": 1}' | fromjson", {"a": 1}), ("'no json' | fromjson", "no json")),
    "b64encode": (("'user:word' | b64encode", "dXNlcjp3b3Jk"),),
    "b64decode": (("'dXNlcjp3b3Jk' | b64decode", "user:word"),),
    "urlencode": (
        ("'a b/c' | urlencode", "a%20b/c"),
        ("{'q': 'a b', 'n': 1} | urlencode", "q=a+b&n=1"),
    ),
    "sha256": (("'x' | sha256 | truncate(8)", "2d711642…"),),
    "regex_match": (
        ("'db-07' | regex_match('[a-z]+-[0-9]')", True),
        ("'db-07' | regex_match('[0-9]')", False),
    ),
    "regex_search": (("'disk FULL' | regex_search('full', true)", True),),
    "regex_findall": (
        ("'a1 b22' | regex_findall('[0-9]+')", ["1", "22"]),
        ("'a=1 b=2' | regex_findall('([a-z])=([0-9])')", [["a", "1"], ["b", "2"]]),
    ),
    "regex_replace": (
        (r"'2026-05-30' | regex_replace('(\\d+)-(\\d+)-(\\d+)', '\\3.\\2.\\1')", "30.05.2026"),
    ),
}

TESTS: Final[Mapping[str, Examples]] = {
    "defined": (("trigger.payload.x is defined", False),),
    "undefined": (("trigger.payload.x is undefined", True),),
    "none": (("null is none", True), ("0 is none", False)),
    "true": (("1 is true", False),),
    "false": (("false is false", True), ("0 is false", False)),
    "boolean": (("true is boolean", True),),
    "number": (("2.5 is number", True), ("'2' is number", False)),
    "integer": (("2 is integer", True),),
    "float": (("2.0 is float", True),),
    "string": (("'2' is string", True),),
    "sequence": (("[1] is sequence", True),),
    "iterable": (("{'a': 1} is iterable", True),),
    "mapping": (("{'a': 1} is mapping", True),),
    "lower": (("'open' is lower", True),),
    "upper": (("'Open' is upper", False),),
    "even": (("4 is even", True),),
    "odd": (("4 is odd", False),),
    "divisibleby": (("9 is divisibleby(3)", True),),
    "in": (
        ("'a' is in(['a', 'b'])", True),
        ("['a', 'x'] | select('in', ['a', 'b'])", ["a"]),
    ),
    "eq": (("2 is eq(2)", True), ("[1, 2] | select('==', 2)", [2])),
    "ne": (("[1, 2] | select('ne', 2)", [1]),),
    "lt": (("[1, 2, 3] | select('lt', 2)", [1]),),
    "le": (("[1, 2, 3] | select('<=', 2)", [1, 2]),),
    "gt": (("[1, 2, 3] | select('greaterthan', 2)", [3]),),
    "ge": (("[1, 2, 3] | select('ge', 2)", [2, 3]),),
}
