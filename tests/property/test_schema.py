"""The JSON Schema of a definition says yes and no to the same documents as the parser.

What the parser judges and a schema cannot is in `UNSAYABLE`; nothing else may differ. What stands
beyond the shape is judged by neither: unique ids, expressions that compile, types of the catalog,
their configs, references to artifacts.
"""

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lockstep import contract
from lockstep.contract.automations import DEFINITION, GUARD
from lockstep.definition.shape import Shaper
from lockstep_schemas.actions import KINDS
from property.definitions import definitions
from property.test_definition import WORDS, values

SCHEMA = jsonschema_rs.Draft202012Validator(contract.schemas()["definition"])
Json = Any
Path = tuple[str | int, ...]


def deep(kind: str, depth: int) -> Json:
    """A definition with conditions or actions in each other."""
    inner: Json = "true" if kind == "not" else {"stop": {}}
    for _ in range(depth):
        inner = {"not": inner} if kind == "not" else {"sequence": [inner]}
    found = {"conditions": [inner]} if kind == "not" else {"actions": [inner]}
    return {"name": "n", "triggers": [{"event": "e"}], **found}


def having(**fields: Json) -> Json:
    """A definition with these fields."""
    return {"name": "n", "triggers": [{"event": "e"}], **fields}


# Why no schema can say it; the parser's words; a definition that only the parser refuses.
UNSAYABLE = {
    "the names of time zones are those of a database that changes": (
        "unknown time zone",
        having(conditions=[{"time": {"after": "01:00", "timezone": "Mars/Base"}}]),
    ),
    "a schema does not count how deep conditions are": ("nested deeper than", deep("not", 40)),
    "a schema does not count how deep actions are": ("nested deeper than", deep("sequence", 70)),
    "1.0 is an integer for a schema, for the parser it is written as a fraction": (
        "expected an integer",
        having(max_runs=3.0),
    ),
    "a schema does not add up": (
        "together: ",
        having(triggers=[{"event": "e", "max_age": {"days": 30, "seconds": 1}}]),
    ),
    "of what counts as blank, each dialect of regular expressions has its own idea": (
        "must not be empty",
        having(conditions=["\x1c"]),
    ),
}

FULL: Json = {
    **GUARD,
    "description": None,
    "mode": "queued",
    "max_runs": 1000,
    "max_duration_seconds": 1,
    "concurrency_scope": "context_key",
    "triggers": [
        {
            "event": "a.b",
            "id": "t",
            "filter": "",
            "config": {"k": 1},
            "window": {"count": 3, "minutes": 10, "refire": "every", "partition_by": "x"},
        },
        {"event": "c", "for": {"template": "5"}, "cancel_filter": "x"},
        {"event": "d", "cancel_filter": " ", "max_age": {"hours": 1.5, "minutes": 1}},
        {"event": "f", "max_age": {"template": "trigger.payload.fresh", "days": None}},
    ],
    "conditions": [
        "x",
        {"and": [{"or": ["a", {"not": "b"}]}]},
        {"numeric_state": {"value": "x", "above": 1, "below": 2.5}},
        {"numeric_state": {"value": 3, "above": None, "below": 0}},
        {"time": {"weekday": [0, 6], "after": "23:59", "before": None}},
    ],
    "actions": [
        {
            "id": "a",
            "action": "p.a",
            "config": {},
            "retry": {"attempts": 100, "delay_seconds": 0.5, "backoff": "constant"},
            "timeout_seconds": 86400,
            "enabled": False,
        },
        {"repeat": {"count": 10000, "sequence": [{"stop": {"reason": "r", "error": True}}]}},
        {"repeat": {"until": "x", "sequence": [{"stop": {}}], "max_iterations": 5}},
        {"repeat": {"for_each": "x", "while": None, "sequence": [{"condition": "x"}]}},
        {"choose": [{"when": {"not": "x"}, "sequence": [{"stop": {}}]}], "else": []},
        {"parallel": [{"delay": {"seconds": 0}}, {"delay": {"template": "x"}}]},
        {"wait_for_trigger": {"event": "e", "context_key": "", "continue_on_timeout": True}},
        {"wait_for_trigger": {"event": "e", "lookback": "run"}},
        {"wait_for_trigger": {"event": "e", "lookback": {"days": 1, "minutes": 0.5}}},
        {"variables": {"a": None, "_b": [1]}, "description": "d", "continue_on_error": True},
    ],
}


def faults(raw: Json) -> list[str]:
    """What the parser finds."""
    shaper = Shaper()
    shaper.definition(raw)
    return [f"{issue.path}: {issue.message}" for issue in shaper.issues]


def found(raw: Json) -> list[tuple[list[str | int], str]]:
    """What the schema finds."""
    return [(error.instance_path, error.message) for error in SCHEMA.iter_errors(raw)]


def places(raw: Json, path: Path = ()) -> Iterator[Path]:
    """All places in a document."""
    yield path
    if isinstance(raw, dict):
        for key, inner in raw.items():
            yield from places(inner, (*path, key))
    elif isinstance(raw, list):
        for index, inner in enumerate(raw):
            yield from places(inner, (*path, index))


def has_doubtful(raw: Json) -> bool:
    """Whether a value is in it for which `UNSAYABLE` has an entry wherever it stands."""
    if isinstance(raw, dict):
        return any(has_doubtful(key) or has_doubtful(inner) for key, inner in raw.items())
    if isinstance(raw, list):
        return any(map(has_doubtful, raw))
    if isinstance(raw, float):
        return raw.is_integer()
    odd = [letter for letter in str(raw) if letter.isspace() or not letter.isprintable()]
    return isinstance(raw, str) and bool(set(odd) - set(" \t\n\r"))


def same(raw: Json) -> None:
    """Fail where the two differ and no entry of `UNSAYABLE` says why."""
    said, seen = faults(raw), found(raw)
    wherever = ("unknown", "nested", "together")
    words = [words for words, _ in UNSAYABLE.values() if words.startswith(wherever)]
    if said and not seen and all(any(one in fault for one in words) for fault in said):
        return
    assert bool(said) == bool(seen), f"parser: {said}\nschema: {seen}"


BOUNDS = [
    *(
        -1,
        0,
        0.5,
        1,
        6,
        7,
        100,
        101,
        300,
        1000,
        1001,
        1440,
        1441,
        10000,
        10001,
        43200,
        86400,
        86401,
    ),
    *(2592000, 2592001, 31536000, 31536001),
    *("", " ", "x", "a.b", "24:00", "e\n", *("x" * size for size in (64, 65, 200, 201, 257))),
    *(None, True, [], {}, ["x"], [7], {"not": "x"}, {"stop": {}}, [{"stop": {}}], {"seconds": 1}),
    *({"event": "e"}, {"sequence": [{"stop": {}}], "count": 1}),
]
EDGES = st.sampled_from(BOUNDS).map(copy.deepcopy)
KEYS = st.sampled_from(
    [
        *KINDS,
        *WORDS,
        "else",
        "above",
        "below",
        "after",
        "cancel_filter",
        "max_age",
        "lookback",
        "zz",
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> Json:
    """A right definition, changed at one place or two, or not at all."""
    base = draw(st.one_of(definitions, st.sampled_from([FULL, GUARD, DEFINITION])))
    raw: Json = copy.deepcopy(base)
    for _ in range(draw(st.integers(0, 2))):
        spots = [path for path in places(raw) if path]
        *way, last = draw(st.sampled_from(spots))
        holder = raw
        for step in way:
            holder = holder[step]
        match draw(st.sampled_from(["replace", "replace", "remove", "add", "rename"])):
            case "remove":
                del holder[last]
            case "add" if isinstance(holder, dict):
                holder[draw(KEYS)] = draw(st.one_of(EDGES, values))
            case "rename" if isinstance(holder, dict):
                holder[draw(KEYS)] = holder.pop(last)
            case _:
                holder[last] = draw(st.one_of(EDGES, EDGES, values))
    return raw


@settings(max_examples=400)
@given(mutated())
@example(FULL)
@example(None)
@example([])
@example(having(triggers=[]))
@example(having(actions=[{"id": "x"}]))
@example(having(actions=[{"delay": {"seconds": 1}, "stop": {}}]))
@example(having(actions=[{"delay": {"seconds": 1, "template": "x"}}]))
@example(having(actions=[{"delay": {"seconds": None, "template": "x"}}]))
@example(having(triggers=[{"event": "e", "cancel_filter": "x"}]))
@example(having(triggers=[{"event": "e", "cancel_filter": "x", "for": None}]))
@example(having(triggers=[{"event": "e", "max_age": {}}]))
@example(having(actions=[{"wait_for_trigger": {"event": "e", "lookback": "runs"}}]))
@example(having(actions=[{"wait_for_trigger": {"event": "e", "lookback": {}}}]))
@example(having(actions=[{"wait_for_trigger": {"event": "e", "lookback": 5}}]))
@example(having(triggers=[{"event": "e", "max_age": {"seconds": 5, "template": "x"}}]))
@example(having(triggers=[{"event": "e", "max_age": {"seconds": 0}}]))
@example(having(conditions=[{"not": "x", "or": ["x"]}, {}]))
def test_the_schema_and_the_parser_agree(raw: Json) -> None:
    if not has_doubtful(raw):
        same(raw)


@settings(max_examples=200)
@given(definitions)
def test_what_the_engine_runs_is_right_for_the_schema(raw: Json) -> None:
    assert found(raw) == []


@pytest.mark.parametrize(("words", "raw"), UNSAYABLE.values(), ids=UNSAYABLE)
def test_what_a_schema_cannot_say_is_said_by_the_parser_alone(words: str, raw: Json) -> None:
    assert any(words in fault for fault in faults(raw))
    assert found(raw) == []


RIGHT = {
    "action": {"action": "p.a", "config": {}},
    "choose": {"choose": [{"when": "x", "sequence": [{"stop": {}}]}]},
    "parallel": {"parallel": [{"stop": {}}]},
    "sequence": {"sequence": [{"stop": {}}]},
    "delay": {"delay": {"seconds": 1}},
    "repeat": {"repeat": {"count": 1, "sequence": [{"stop": {}}]}},
    "variables": {"variables": {"a": 1}},
    "condition": {"condition": "x"},
    "stop": {"stop": {}},
    "wait_for_trigger": {"wait_for_trigger": {"event": "e"}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_key_of_an_action_is_the_one_thing_that_is_told(kind: str) -> None:
    raw = having(actions=[{**RIGHT[kind], "confg": {}}])
    (error,) = SCHEMA.iter_errors(raw)
    assert error.instance_path == ["actions", 0]
    assert error.kind.as_dict() == {"unexpected": ["confg"]}


@pytest.mark.parametrize(
    ("action", "place"),
    [
        ({"action": "p.a", "retry": {"attempts": 0}}, ["retry", "attempts"]),
        ({"action": "p.a", "retry": {"attempt": 1}}, ["retry"]),
        ({"action": "p"}, ["action"]),
        ({"action": "p.a", "timeout_seconds": "1"}, ["timeout_seconds"]),
        ({"delay": {"seconds": "1"}}, ["delay", "seconds"]),
        ({"choose": [{"when": "", "sequence": [{"stop": {}}]}]}, ["choose", 0, "when"]),
        ({"choose": [{"when": "x", "sequence": []}]}, ["choose", 0, "sequence"]),
        ({"parallel": [{"stop": {"error": "yes"}}]}, ["parallel", 0, "stop", "error"]),
        ({"condition": {"or": ["x", {"time": {"after": "9:00"}}]}},
         ["condition", "or", 1, "time", "after"]),
    ],
)  # fmt: skip
def test_a_wrong_value_deep_in_an_action_is_told_at_its_place_alone(
    action: Json, place: list[str | int]
) -> None:
    errors = found(having(actions=[action]))
    assert [path for path, _ in errors] == [["actions", 0, *place]]
