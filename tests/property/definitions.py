"""Random definitions: all kinds of this version, at any depth up to five."""

from itertools import count
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

EXPRESSIONS = ("true", "false", "variables.n", "trigger.payload.flag", "repeat.index == 1")
TEXTS = (
    "plain",
    "{{ trigger.payload.text }}",
    "{{ variables.n }}/{{ repeat.index }}",
    "{{ trigger.payload.unknown.member }}",
    "{{ 1 / trigger.payload.zero }}",
)

conditions = st.one_of(
    st.sampled_from(EXPRESSIONS),
    st.builds(lambda a, b: {"and": [a, b]}, *[st.sampled_from(EXPRESSIONS)] * 2),
    st.builds(lambda a: {"not": a}, st.sampled_from(EXPRESSIONS)),
)


def _common(action: Json, enabled: bool, tolerant: bool) -> Json:
    more: Json = {}
    if not enabled:
        more["enabled"] = False
    if tolerant:
        more["continue_on_error"] = True
    return {**action, **more}


sleeps = st.one_of(
    st.sampled_from([0, 1, 7, 60]).map(lambda s: {"delay": {"seconds": s}}),
    st.sampled_from(["0.5", "variables.n", "trigger.payload.zero"]).map(
        lambda t: {"delay": {"template": t}}
    ),
    st.builds(
        lambda event, condition, timeout, goes_on: {
            "wait_for_trigger": {
                "event": event,
                "timeout_seconds": timeout,
                "continue_on_timeout": goes_on,
                **({"filter": condition} if condition else {}),
            }
        },
        st.sampled_from(["go", "go2"]),
        st.sampled_from([None, "trigger.payload.n > 1", "run_scope.repeat.index == 1", "1 / 0"]),
        st.sampled_from([1, 30]),
        st.booleans(),
    ),
    st.just({"wait_for_trigger": {"event": "go"}}),
)

leaves = st.one_of(
    sleeps,
    sleeps,
    st.just(
        {
            "action": "test.fail",
            "config": {"reason": "x"},
            "retry": {"attempts": 3, "delay_seconds": 0.001, "backoff": "constant"},
        }
    ),
    st.just({"action": "test.record", "config": {"value": "{{ wait.completed }}{{ resume }}"}}),
    st.sampled_from(TEXTS).map(lambda t: {"action": "test.record", "config": {"value": t}}),
    st.sampled_from(TEXTS).map(lambda t: {"action": "test.record", "config": {"value": t}}),
    st.just({"action": "test.fail", "config": {"reason": "x"}}),
    st.just({"action": "test.consumer", "config": {}}),
    st.builds(
        lambda name, text: {"variables": {name: text}},
        st.sampled_from(["n", "m"]),
        st.sampled_from(["{{ variables.n }}x", 1, "{{ repeat.index }}"]),
    ),
    conditions.map(lambda c: {"condition": c}),
    st.booleans().map(lambda e: {"stop": {"reason": "r", "error": e}}),
)


def _lists(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[list[Json]]:
    return st.lists(inner, min_size=1, max_size=3)


def _containers(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    lists = _lists(inner)
    return st.one_of(
        st.builds(
            lambda when, first, other: {
                "choose": [{"when": when, "sequence": first}],
                "else": other,
            },
            conditions,
            lists,
            lists,
        ),
        lists.map(lambda actions: {"sequence": actions}),
        lists.map(lambda actions: {"parallel": actions}),
        st.builds(lambda n, a: {"repeat": {"count": n, "sequence": a}}, st.integers(1, 3), lists),
        lists.map(lambda a: {"repeat": {"for_each": "trigger.payload.list", "sequence": a}}),
        lists.map(lambda a: {"repeat": {"while": "repeat.index < 2", "sequence": a}}),
        lists.map(
            lambda a: {"repeat": {"until": "repeat.index == 1", "sequence": a, "max_iterations": 3}}
        ),
    )


bare = st.recursive(leaves, _containers, max_leaves=10)
actions = st.builds(_common, bare, st.sampled_from([True] * 9 + [False]), st.booleans())


def _with_ids(definition: Json) -> Json:
    """Give each provider action an id: one that produces needs it."""
    numbers = count(1)

    def visit(value: object) -> object:
        if isinstance(value, dict):
            more = {"id": f"a{next(numbers)}"} if "action" in value else {}
            return {**{name: visit(inner) for name, inner in value.items()}, **more}
        return [visit(inner) for inner in value] if isinstance(value, list) else value

    return visit(definition)  # type: ignore[return-value] # a dict goes in, a dict comes out


definitions = st.lists(actions, max_size=4).map(
    lambda some: _with_ids({"name": "random", "triggers": [{"event": "e"}], "actions": some})
)
