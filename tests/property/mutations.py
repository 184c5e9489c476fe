"""Definitions with faults in them, and definitions as YAML text of which each place is known."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from property.definitions import definitions

Json = Any
Path = tuple[str | int, ...]
Place = tuple[int, int]

TEXTS = (
    *("a b", "{{ x }}", "{{ 1 + }}", "1 +", "x | nofilter", "{{ x | nofilter }}", "a && b", ""),
    *("artifacts.nope.thing", "{{ artifacts.a1.thing }}", "{{ artifacts.a1 }}", " ", "true"),
    *("{{ artifacts.a2.recorded.value }}", "test.nope", "test.lgo", "nodots", "go", "a1", "25:00"),
)
WRONG: st.SearchStrategy[Json] = st.one_of(
    st.sampled_from([None, True, 0, -1, 5, 1.5, 10**12, [], {}, [{}], {"x": 1}, ["a"]]),
    st.sampled_from(TEXTS),
)
KEYS = st.sampled_from(
    ["mod", "x", "trigers", "enabld", "continue_on_eror", "sequense", "id", "else", "stop", "for"]
)
TRIGGERS = st.sampled_from(
    [
        {"event": "automation.interval", "config": {"intervalSeconds": 0}},
        {"event": "automation.interval"},
        {"event": "automation.cron", "config": {"cronPattern": "61 * * * *"}},
        {"event": "automation.cron", "config": {"cronPatern": "@daily", "timezone": "Nowhere"}},
        {"event": "automation.template", "config": {"value_template": "{{ now }}"}},
        {"event": "go", "id": "same"},
        {"event": "go", "for": {"seconds": 0}},
        {"event": "go", "for": {"seconds": 1, "minutes": 1}},
        {"event": "go", "window": {"count": 1}},
        {"event": "go", "cancel_filter": "true"},
        {"event": "go", "max_age": {"days": 30, "seconds": 1}},
        {"event": "go", "max_age": {"template": "trigger.payload.x", "hours": 1}},
        {"event": "go", "filter": "a b"},
        {"event": "no event"},
    ]
)
LISTS = ("actions", "sequence", "parallel", "else")
ACTIONS = st.sampled_from(
    [
        {"action": "test.nope", "id": "n"},
        {"action": "test.lgo"},
        {"action": "test.log", "config": {"mesage": "x"}},
        {"action": "test.log", "config": {"message": "{{ artifacts.made.thing }}"}},
        {"action": "test.create", "id": "made"},
        {"action": "test.create"},
        {"condition": "artifacts.made.thing.x and artifacts.nope"},
        {"variables": {"x": ["{{ artifacts.made }}", {"y": "{{ artifacts.made.found.x }}"}]}},
        {"stop": {}, "delay": {"seconds": "x"}, "id": 5},
        {"delay": {"seconds": 1, "template": "1"}},
        {"repeat": {"count": 0, "sequence": [{"action": "test.nope"}]}},
        {"wait_for_trigger": {"event": "no event", "filter": "{{ a }}"}},
        {"action": "nats.publish", "config": {"subject": "x.trigger.e", "payload": {}}},
    ]
)
CONDITIONS = st.sampled_from(
    [
        {"and": []},
        {"or": ["true", "a b"]},
        {"not": {"numeric_state": {"value": "{{ x }}", "above": 1}}},
        {"numeric_state": {"value": 5}},
        {"time": {"after": "25:00"}},
        {"time": {"timezone": "Nowhere", "weekday": [7, 1]}},
        {"time": {"weekdays": [1]}},
    ]
)


def spots(value: Json) -> Iterator[tuple[Json, Any]]:
    """Give every place in a value that something else can be put in."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, dict | list):
            yield from spots(inner)


def _drop(raw: Json, draw: Any) -> None:
    holder, key = draw(st.sampled_from(list(spots(raw))))
    del holder[key]


def _replace(raw: Json, draw: Any) -> None:
    holder, key = draw(st.sampled_from(list(spots(raw))))
    holder[key] = copy.deepcopy(draw(WRONG))


def _replace_text(raw: Json, draw: Any) -> None:
    texts = [(holder, key) for holder, key in spots(raw) if isinstance(holder[key], str)]
    if texts:
        holder, key = draw(st.sampled_from(texts))
        holder[key] = draw(st.sampled_from(TEXTS))


def _add_key(raw: Json, draw: Any) -> None:
    objects = [raw, *(h[k] for h, k in spots(raw) if isinstance(h[k], dict))]
    draw(st.sampled_from(objects))[draw(KEYS)] = copy.deepcopy(draw(WRONG))


def _same_id(raw: Json, draw: Any) -> None:
    named = [h for h, k in spots(raw) if k == "id" and isinstance(h, dict)]
    for holder in draw(st.lists(st.sampled_from(named), max_size=2)) if named else ():
        holder["id"] = "a1"


def _add_action(raw: Json, draw: Any) -> None:
    lists = [h[k] for h, k in spots(raw) if k in LISTS and isinstance(h[k], list)]
    for some in draw(st.lists(st.sampled_from(lists), max_size=2)) if lists else ():
        place = draw(st.integers(0, len(some)))
        some.insert(place, copy.deepcopy(draw(ACTIONS)))


def _add_triggers(raw: Json, draw: Any) -> None:
    if isinstance(raw.get("triggers"), list):
        raw["triggers"] += copy.deepcopy(draw(st.lists(TRIGGERS, max_size=3)))


def _add_conditions(raw: Json, draw: Any) -> None:
    raw["conditions"] = copy.deepcopy(draw(st.lists(CONDITIONS, max_size=3)))


MUTATIONS = (
    *(_drop, _replace, _replace_text, _add_key, _same_id, _add_triggers, _add_conditions),
    *(_replace_text, _add_action, _add_action),
)


@st.composite
def mutated(draw: Any) -> Json:
    """Give a definition that is right, or has some faults."""
    raw = copy.deepcopy(draw(definitions))
    for change in draw(st.lists(st.sampled_from(MUTATIONS), max_size=3)):
        change(raw, draw)
    return raw


class Yaml:
    """A value as block YAML, and the line and column of each path in it."""

    def __init__(self, value: Json) -> None:
        self._lines: list[str] = []
        self.places: dict[Path, Place] = {}
        self._write(value, (), 0)
        self.text = "\n".join(self._lines) + "\n"

    def _write(self, value: Json, path: Path, indent: int) -> None:
        if not isinstance(value, dict | list) or not value:
            self._lines.append(" " * indent)
            self._scalar(value, path)
            return
        self.places.setdefault(path, (len(self._lines) + 1, indent + 1))
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in list(pairs):
            is_key = isinstance(value, dict)
            here = (*path, key)
            self._lines.append(" " * indent + (f"{json.dumps(key)}:" if is_key else "-"))
            if is_key:
                self.places[here] = (len(self._lines), indent + 1)
            if isinstance(inner, dict | list) and inner:
                self._write(inner, here, indent + 2)
            else:
                self._lines[-1] += " "
                self._scalar(inner, here)

    def _scalar(self, value: Json, path: Path) -> None:
        self.places.setdefault(path, (len(self._lines), len(self._lines[-1]) + 1))
        self._lines[-1] += json.dumps(value)

    def place(self, path: Path) -> Place:
        """Give the place of a path, or of what is there above it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]


def is_there(raw: Json, path: Path) -> bool:
    """Say whether there is something at a path."""
    for part in path:
        if isinstance(raw, list):
            raw = dict(enumerate(raw))
        if not isinstance(raw, dict) or part not in raw:
            return False
        raw = raw[part]
    return True
