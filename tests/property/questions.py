"""Requests for every endpoint: nearly right, with one thing wrong, or nothing of the kind."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from property.definitions import actions, definitions

Json = Any


@dataclass(frozen=True)
class Real:
    """The id of a thing that is there when the request is sent: an automation, a run, ...

    Without a kind it is one of those that the endpoint is about.
    """

    kind: str
    number: int


@dataclass(frozen=True)
class Raw:
    """JSON, or what is none, as it stands."""

    text: str


@dataclass(frozen=True)
class Asked:
    """A request: to which endpoint, with what, and which one field of it was made wrong."""

    endpoint: str
    value: Json
    field: str | None = None
    actor: bytes | None = None


Things = Mapping[str, Sequence[Json]]

KINDS: Final = ("automation", "run", "artifact", "letter", "cursor")
HOME: Final = {"runs": "run", "artifacts": "artifact", "dead": "letter"}


def encode(asked: Asked, things: Things) -> bytes:
    """Write a request; what stands for a real thing becomes its id."""
    own = HOME.get(asked.endpoint.partition(".")[0], "automation")
    text = _text(asked.value, {**things, "": things.get(own, [])})
    return text.encode("utf-8", "surrogatepass")


def _text(value: Json, things: Things) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Real):
        some = things.get(value.kind) or ["none"]
        return json.dumps(some[value.number % len(some)])
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)}: {_text(inner, things)}" for name, inner in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(inner, things) for inner in value) + "]"
    return json.dumps(value)


numbers = st.integers(0, 50)
reals = st.builds(Real, st.sampled_from(KINDS), numbers)


def _nested(depth: int) -> Raw:
    return Raw("[" * depth + "]" * depth)


def _nested_object(depth: int) -> Raw:
    return Raw('{"and":' * depth + "1" + "}" * depth)


def _long(character: str, length: int) -> Raw:
    return Raw('"' + character * (length // len(character)) + '"')


HUGE: Final = 900_000
depths = st.sampled_from([31, 33, 63, 65, 150, 199, 201, 400, 900, 990, 1010, 5000, 100_000])
odd = st.one_of(
    st.sampled_from([None, True, False, "", " ", "\0", "a\0b", "\ud800", "é\U0001f600", [], {}]),
    st.sampled_from([0, -1, 1, 200, 201, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63) - 1]),
    st.sampled_from([0.0, -0.0, 1.5, 1e308, 5e-324, float("nan"), float("inf"), -float("inf")]),
    st.sampled_from(["1", "null", "NaN", "true", "{{ x }}", "${{ secrets.A }}", "*", ">", "a.b"]),
    st.sampled_from(["1" * 400, "-", "1e99999", "NULL", "0x1", "01", "'a'", "1" * 5000]).map(Raw),
    st.builds(_nested, depths),
    st.builds(_nested_object, depths),
    st.builds(
        _long,
        st.sampled_from(["x", "\\u0001", "\\ud83d\\ude00", "é", "{{", "- ", "a.", "[", "\\u0000"]),
        st.sampled_from([65, 201, 300, 5000, 70_000, HUGE]),
    ),
    reals,
    st.text(max_size=30),
    st.integers(),
)
json_values = st.recursive(
    odd,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def _crowd(item: str, count: int) -> Json:
    """Make a definition with so many faults that they hardly fit into a reply."""
    many = ", ".join([item] * count)
    return Raw('{"name": "x", "triggers": [{"event": "e"}], "actions": [' + many + "]}")


crowds = st.builds(
    _crowd,
    st.sampled_from(["{}", '{"x": 1}', "5", '{"stop": {"eror": 1}}', '{"condition": "{{ a }}"}']),
    st.sampled_from([10, 200, 3000]),
)
triggers = st.sampled_from(
    [
        [{"event": "fuzz"}],
        [{"event": "fuzz", "id": "a"}, {"event": "fuzz"}],
        [{"event": "automation.interval", "config": {"intervalSeconds": 3600}}],
        [{"event": "automation.cron", "config": {"cronPattern": "@yearly"}}],
        [{"event": "fuzz", "for": {"hours": 1}}],
        [{"event": "fuzz", "window": {"count": 2, "minutes": 1}}],
    ]
)
bodies: st.SearchStrategy[Json] = st.one_of(
    definitions,
    definitions,
    definitions,
    st.builds(lambda d, t: {**d, "triggers": t}, definitions, triggers),
    st.builds(lambda d, n, v: {**d, n: v}, definitions, st.sampled_from(["mode", "x"]), odd),
    st.builds(lambda d, v: {**d, "actions": [v]}, definitions, json_values),
    st.builds(lambda d, v: {**d, "conditions": [v]}, definitions, odd),
    st.builds(lambda a, v: {"name": "x", "triggers": [v], "actions": [a]}, actions, odd),
    crowds,
)
sources = st.one_of(
    bodies.map(lambda value: json.dumps(_text(value, {}))).map(Raw),
    st.text(alphabet='{}[]:-,&*!|>"#ab \n\t\0', max_size=40),
    st.sampled_from(["name: x\ntriggers: [{event: e}]\n", "a: &a [*a]", "? {}", "- " * 300]),
)
# What a field takes of which its type says nothing.
BY_NAME: Final[dict[str, st.SearchStrategy[Json]]] = {
    "definition": bodies,
    "source": sources,
    "automation_id": st.builds(Real, st.just("automation"), numbers),
    "id": st.one_of(
        st.builds(Real, st.just(""), numbers),
        st.builds(Real, st.just(""), numbers),
        st.one_of(reals, st.text(max_size=10)),
    ),
    "ids": st.lists(st.builds(Real, st.just("letter"), numbers), min_size=1, max_size=3),
    "before": st.one_of(st.builds(Real, st.just("letter"), numbers), st.integers(1)),
    "cursor": st.one_of(st.builds(Real, st.just("cursor"), numbers), st.text(max_size=5)),
    "template": st.sampled_from(["{{ a }}", "a", "{{", "a | upper", "9**9**9", "'a' * 10**10"]),
    "context": st.dictionaries(st.sampled_from("abc"), json_values, max_size=3),
    "group": st.sampled_from([None, "g", "h"]),
}


def right(kind: inspect.Type, name: str = "") -> st.SearchStrategy[Json]:
    """Give values of a type, its bounds among them."""
    if isinstance(kind, inspect.Metadata):
        return right(kind.type, name)
    if name == "id" and isinstance(kind, inspect.IntType):
        return BY_NAME["before"]
    if name in BY_NAME and not (isinstance(kind, inspect.StrType) and kind.pattern):
        return BY_NAME[name]
    match kind:
        case inspect.StructType():
            return _struct(kind)
        case inspect.UnionType():
            return st.one_of(*(right(one) for one in kind.types))
        case inspect.LiteralType():
            return st.sampled_from(list(kind.values))
        case inspect.ListType() | inspect.SetType() | inspect.VarTupleType():
            least, most = kind.min_length or 0, min(kind.max_length or 3, 3)
            return st.lists(right(kind.item_type), min_size=least, max_size=max(least, most))
        case inspect.DictType():
            return st.dictionaries(right(kind.key_type), right(kind.value_type), max_size=2)
        case inspect.AnyType():
            return json_values
        case _:
            return _scalar(kind)


def _scalar(kind: inspect.Type) -> st.SearchStrategy[Json]:
    match kind:
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType() | inspect.FloatType():
            least = kind.ge if kind.ge is not None else (kind.gt or 0) + 1
            most = kind.le if kind.le is not None else 2**40
            if isinstance(kind, inspect.FloatType):
                return st.floats(least, most)
            low, high = int(least), int(most)
            return st.one_of(st.sampled_from([low, high]), st.integers(low, high))
        case inspect.DateTimeType():
            return st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat())
        case inspect.StrType():
            return _words(kind)
        case _:
            raise AssertionError(f"say how to make {kind}")


def _words(kind: inspect.StrType) -> st.SearchStrategy[str]:
    if kind.pattern is not None:
        # A part of a pattern that looks ahead is only there for a line break at the end.
        pattern = re.sub(r"\$(\(\?!\\n\))?$", r"\\Z", kind.pattern)
        longest = kind.max_length or 64
        return st.from_regex(pattern).filter(lambda text: len(text) <= longest)
    return st.text(min_size=kind.min_length or 0, max_size=min(kind.max_length or 20, 20))


def _struct(kind: inspect.StructType) -> st.SearchStrategy[Json]:
    needed: dict[str, st.SearchStrategy[Json]] = {}
    others: dict[str, st.SearchStrategy[Json]] = {}
    for field in kind.fields:
        holder = needed if field.required else others
        holder[field.encode_name] = right(field.type, field.encode_name)
    return st.fixed_dictionaries(needed, optional=others)


headers = st.one_of(
    st.none(),
    st.none(),
    st.sampled_from([b'{"type": "user", "id": "u", "name": "n"}', b'{"type": "x"}', b"{}", b"[]"]),
    st.sampled_from(
        [b'{"id": "\\u0000"}', b"null", b"\xff\xfe", b'{"id": 5}', b'{"name": "\xc3"}']
    ),
    st.binary(max_size=40).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"")),
    st.just(b'{"id": "' + b"x" * 5000 + b'"}'),
)


def of(endpoint: str, request_type: type[msgspec.Struct]) -> st.SearchStrategy[Asked]:
    """Give requests to an endpoint."""
    kind = inspect.type_info(request_type)
    assert isinstance(kind, inspect.StructType)
    whole = _struct(kind)
    names = [field.encode_name for field in kind.fields] or ["x"]

    def spoilt(value: Json, name: str, wrong: Json) -> Asked:
        return Asked(endpoint, {**value, name: wrong}, name)

    return st.one_of(
        st.builds(Asked, st.just(endpoint), whole),
        st.builds(Asked, st.just(endpoint), whole, st.none(), headers),
        st.builds(spoilt, whole, st.sampled_from(names), st.one_of(odd, json_values)),
        st.builds(spoilt, whole, st.sampled_from([*names, "x", "", "\0", "limt"]), odd),
        st.builds(Asked, st.just(endpoint), json_values, st.none(), headers),
        st.builds(Asked, st.just(endpoint), junk),
    )


junk = st.one_of(
    st.text(max_size=30).map(Raw),
    st.text(alphabet='{}[]",:0123456789.eE+-untrfals \\', max_size=30).map(Raw),
    st.sampled_from(["", "{", "null", "{}" * 2, "\ufeff{}", '{"id": "\ud800"}', "\0"]).map(Raw),
)
