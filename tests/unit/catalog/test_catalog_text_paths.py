"""Which places of a config always get text."""

import pytest

from effort import at_most
from lockstep.catalog import compile_schema, text_paths
from lockstep.model.types import ActionContext, ActionResult, ActionType
from lockstep_schemas.base import JsonObject

TEXT = {"type": "string"}
NULL = {"type": "null"}


def of(inner: JsonObject, **more: JsonObject) -> set[tuple[str, ...]]:
    return set(text_paths({"type": "object", "properties": {"a": inner}, **more}))


@pytest.mark.parametrize(
    "inner",
    [
        TEXT,
        {"type": ["string", "null"]},
        {"enum": ["low", "high"]},
        {"enum": ["low", None]},
        {"const": "low"},
        {"anyOf": [TEXT, NULL]},
        {"oneOf": [{"type": "string", "format": "uri"}, {"const": "-"}]},
        {"allOf": [{"minLength": 1}, TEXT]},
        {"$ref": "#/$defs/name"},
        {"anyOf": [{"$ref": "#/$defs/name"}, NULL]},
    ],
)
def test_what_can_only_be_text_or_null_is_text(inner: JsonObject) -> None:
    assert of(inner, **{"$defs": {"name": TEXT}}) == {("a",)}


@pytest.mark.parametrize(
    "inner",
    [
        {},
        {"type": "integer"},
        NULL,
        {"type": ["string", "integer"]},
        {"enum": ["low", 1]},
        {"const": 1},
        {"anyOf": [TEXT, {"type": "object"}]},
        {"minLength": 1},
        {"$ref": "#/$defs/none"},
        {"$ref": "https://example.com/name"},
    ],
)
def test_what_may_be_something_else_is_not_text(inner: JsonObject) -> None:
    assert of(inner) == set()


@pytest.mark.parametrize(
    ("inner", "path"),
    [
        ({"type": "array", "items": TEXT}, ("a", "*")),
        ({"type": "array", "items": {"properties": {"k": TEXT}}}, ("a", "*", "k")),
        ({"type": "object", "additionalProperties": TEXT}, ("a", "*")),
        ({"anyOf": [{"type": "object", "properties": {"k": TEXT}}, NULL]}, ("a", "k")),
        ({"allOf": [{"properties": {"k": TEXT}}, {"properties": {"k": {}}}]}, ("a", "k")),
    ],
)
def test_texts_inside_lists_maps_and_choices_are_found(
    inner: JsonObject, path: tuple[str, ...]
) -> None:
    assert of(inner) == {path}


def test_a_place_that_one_of_two_shapes_declares_otherwise_is_not_text() -> None:
    shapes = [{"properties": {"k": TEXT}}, {"properties": {"k": {"type": "integer"}}}]
    assert of({"anyOf": shapes}) == set()


def test_of_a_schema_that_contains_itself_the_upper_places_are_found() -> None:
    node = {"properties": {"name": TEXT, "next": {"$ref": "#/$defs/node"}}}
    found = text_paths({"$ref": "#/$defs/node", "$defs": {"node": node}})
    assert {("name",), ("next", "name"), ("next", "next", "name")} <= found


def test_a_schema_that_branches_without_end_is_looked_at_in_bounded_steps() -> None:
    names = [f"p{i}" for i in range(20)]
    node = {"properties": {"name": TEXT} | {n: {"$ref": "#/$defs/node"} for n in names}}
    with at_most(calls=500_000):
        found = text_paths({"$ref": "#/$defs/node", "$defs": {"node": node}})
    assert ("p3", "name") in found


@pytest.mark.parametrize("loop", [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}])
def test_a_schema_that_only_refers_to_itself_has_no_texts(loop: JsonObject) -> None:
    assert text_paths(loop) == set()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("summary",), True),
        (("headers", "X-Any"), True),
        (("lines", "*", "key"), True),
        (("lines", "*"), False),
        (("count",), False),
        (("headers", "a", "b"), False),
    ],
)
def test_an_action_type_knows_which_of_its_config_takes_text(
    path: tuple[str, ...], expected: bool
) -> None:
    async def execute(context: ActionContext) -> ActionResult:
        raise NotImplementedError

    kind = ActionType(
        qualified_id="a.b",
        plugin="a",
        display_name="B",
        execute=execute,
        config_schema=compile_schema({}),
        text_paths=frozenset({("summary",), ("headers", "*"), ("lines", "*", "key")}),
    )
    assert kind.takes_text(path) is expected
