"""JSON Schemas: what they refuse, how that reads, and what they cannot do to the engine."""

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from lockstep.catalog import CatalogError, SchemaRefused, compile_schema, schema_of
from lockstep_schemas.base import Json, JsonObject


class Inner(msgspec.Struct):
    """A part."""

    size: int


class Order(msgspec.Struct, rename="camel"):
    """A struct with all that structs have."""

    order_id: Annotated[str, Meta(min_length=1)]
    count: Annotated[int, Meta(ge=1)] = 1
    level: Literal["low", "high"] = "low"
    labels: dict[str, str] | None = None
    inner: Inner | None = None
    next_order: "Order | None" = None


def faults(document: JsonObject, value: object, *, strict: bool = False) -> list[tuple[str, str]]:
    """Give the faults as (path with dots, message)."""
    found = compile_schema(document, strict=strict).faults(value)
    return [(".".join(map(str, fault.path)), fault.message) for fault in found]


@pytest.mark.parametrize(
    ("document", "value", "path", "message"),
    [
        ({"type": "integer"}, "x", "", "expected integer, got a text of 1 character"),
        ({"type": ["null", "string"]}, 3, "", "expected string or null, got 3"),
        ({"minimum": 1}, 0, "", "expected >= 1, got 0"),
        ({"exclusiveMaximum": 1}, 1.5, "", "expected < 1, got 1.5"),
        ({"multipleOf": 5}, 3, "", "expected a multiple of 5, got 3"),
        ({"minLength": 1}, "", "", "expected at least 1 character, got a text of 0 characters"),
        ({"maxItems": 2}, [1, 2, 3], "", "expected at most 2 items, got a list of 3 items"),
        ({"minProperties": 1}, {}, "", "expected at least 1 key, got an object of 0 keys"),
        ({"enum": ["a", "b"]}, "c", "", "expected one of 'a', 'b'; got 'c'"),
        ({"const": True}, None, "", "expected true, got null"),
        ({"pattern": "^a"}, "b", "", "expected a text that matches ^a"),
        ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": ["x", 1]}, "a.1", "expected"),
        ({"properties": {"a": False}}, {"a": 1}, "a", "nothing is allowed here"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, [], "", "expected string or null, got"),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 3, "", "matches more than one"),
        ({"propertyNames": {"maxLength": 1}}, {"abc": 1}, "", "key 'abc' is not allowed here"),
    ],
)
def test_a_fault_says_where_and_what_was_expected_in_plain_words(
    document: JsonObject, value: Json, path: str, message: str
) -> None:
    [(place, text)] = faults(document, value)
    assert place == path
    assert text.startswith(message)


def test_every_fault_is_told_not_only_the_first() -> None:
    document = schema_of(Order)
    found = faults(document, {"orderId": "", "count": 0, "level": "x", "labels": {"a": 1}})
    assert [place for place, _ in found] == ["orderId", "count", "level", "labels.a"]


def test_missing_keys_are_told_one_by_one_at_their_object() -> None:
    document = {"properties": {"in": {"required": ["a", "b"]}}}
    found = compile_schema(document).faults({"in": {}})
    assert [(f.path, f.keyword, f.names) for f in found] == [
        (("in",), "required", ("a",)),
        (("in",), "required", ("b",)),
    ]


@pytest.mark.parametrize(
    "inner",
    [
        {"properties": {"a": {}}, "additionalProperties": False},
        {"properties": {"a": {}}, "unevaluatedProperties": False},
        {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
    ],
)
def test_unknown_keys_of_an_object_are_told_together(inner: JsonObject) -> None:
    found = compile_schema({"properties": {"in": inner}}).faults({"in": {"a": 1, "y": 1, "x": 1}})
    assert [(f.path, f.names, f.message) for f in found] == [
        (("in",), ("x", "y"), "unknown keys 'x', 'y'")
    ]


def test_unknown_keys_are_told_where_a_schema_knows_none() -> None:
    [fault] = compile_schema({"additionalProperties": False}).faults({"a": 1, "b": 2})
    assert (fault.path, fault.names) == ((), ("a", "b"))


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"kind": "circle", "size": "x"}, "size", "expected integer"),
        ({"kind": "text"}, "", "'words' is required"),
        ({"kind": "square"}, "", "matches none of the 2 shapes"),
        ("circle", "", "expected object, got a text"),
    ],
)
def test_of_several_shapes_the_one_that_was_meant_tells_its_faults(
    value: Json, path: str, message: str
) -> None:
    def shape(kind: str, key: str, inner: JsonObject) -> JsonObject:
        properties = {"kind": {"const": kind}, key: inner}
        return {"type": "object", "properties": properties, "required": ["kind", key]}

    shapes = [
        shape("circle", "size", {"type": "integer"}),
        shape("text", "words", {"type": "string"}),
    ]
    [(place, text)] = faults({"anyOf": shapes}, value)
    assert place == path
    assert text.startswith(message)


def test_texts_of_the_value_are_not_shown_in_messages() -> None:
    [(_, text)] = faults({"type": "integer"}, "my private words")
    assert "private" not in text


def test_a_wrong_choice_is_shown_but_cut() -> None:
    [(_, text)] = faults({"enum": ["a"]}, "x" * 10_000)
    assert "xxx" in text
    assert len(text) < 200


def test_faults_of_a_long_list_end_at_a_hundred() -> None:
    assert len(faults({"items": {"type": "string"}}, list(range(5000)))) == 100


@pytest.mark.parametrize("value", [object(), {1: 2}, "\ud800"])
def test_what_is_no_json_is_refused_without_raising(value: object) -> None:
    schema = compile_schema({"type": ["object", "string"]})
    assert not schema.is_valid(value)
    [fault] = schema.faults(value)
    assert fault.message.startswith("is no JSON value")


@pytest.mark.parametrize(
    ("document", "refused"),
    [
        ({"properties": {"a": {}}}, True),
        ({"properties": {"a": {}}, "additionalProperties": True}, False),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}}, False),
        ({"type": "object"}, False),
        ({"properties": {"a": {}}, "allOf": [{"properties": {"x": {}}}]}, False),
        ({"properties": {"a": {}}, "$ref": "#/$defs/b", "$defs": {"b": {}}}, True),
    ],
)
def test_strict_refuses_unknown_keys_unless_the_schema_says_otherwise(
    document: JsonObject, refused: bool
) -> None:
    assert compile_schema(document, strict=True).is_valid({"x": 1}) is not refused
    assert compile_schema(document).is_valid({"x": 1})


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"type": "nonsense"}, "type"),
        ({"properties": 3}, "properties"),
        ({"$ref": "https://example.com/schema.json"}, "Retrieval is disabled"),
        ({"$ref": "file:///etc/hostname"}, "Retrieval is disabled"),
        ({"$ref": "#/$defs/none"}, "does not exist"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, "properties.a.pattern: no regular"),
        ({"pattern": r"(a)\1"}, "linear time"),
        ({"pattern": "(a"}, "linear time"),
        ({"pattern": "a{1000}{1000}{1000}"}, "pattern"),
        (["not", "an", "object"], "an object was expected, got list"),
    ],
)
def test_a_bad_schema_is_refused_with_the_reason(document: JsonObject, reason: str) -> None:
    with pytest.raises(SchemaRefused, match="schema") as caught:
        compile_schema(document)
    assert reason in str(caught.value)
    assert isinstance(caught.value, CatalogError)
    assert caught.value.code == "catalog.schema_refused"


def nested(levels: int, key: str) -> Json:
    value: Json = {}
    for _ in range(levels):
        value = {key: value}
    return value


def test_a_pattern_that_invites_backtracking_is_judged_at_once() -> None:
    schema = compile_schema({"pattern": "^(a+)+$"})
    assert not schema.is_valid("a" * 50_000 + "b")


@pytest.mark.parametrize("levels", [120, 3000])
def test_a_schema_that_nests_without_end_is_refused(levels: int) -> None:
    with pytest.raises(SchemaRefused, match="nests"):
        compile_schema(nested(levels, "not"))


def test_a_chain_of_references_without_end_is_refused() -> None:
    definitions = {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(2000)}
    with pytest.raises(SchemaRefused, match="nests"):
        compile_schema({"$ref": "#/$defs/a0", "$defs": definitions | {"a2000": {}}})


def test_a_schema_that_doubles_at_each_reference_is_refused() -> None:
    """Thirty definitions, a thousand million evaluations."""
    definitions = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(30)}
    with pytest.raises(SchemaRefused, match="written out"):
        compile_schema({"$ref": "#/$defs/a0", "$defs": definitions | {"a30": {}}})


def test_a_deep_value_cannot_overflow_the_stack_of_a_schema_that_contains_itself() -> None:
    document: JsonObject = {"properties": {"a": {"$ref": "#"}}}
    for _ in range(90):
        document = {"allOf": [document]}
    schema = compile_schema(document)
    assert schema.is_valid(nested(120, "a"))
    assert not schema.is_valid(nested(5000, "a"))
    [fault] = schema.faults(nested(5000, "a"))
    assert "nests deeper" in fault.message


def test_a_compiled_schema_does_not_follow_changes_of_the_document() -> None:
    document: JsonObject = {"type": "object", "properties": {"a": {"type": "integer"}}}
    schema = compile_schema(document, strict=True)
    document["properties"]["a"]["type"] = "string"
    assert schema.document["properties"]["a"] == {"type": "integer"}
    assert "additionalProperties" not in document


def test_a_struct_stands_at_the_top_of_its_schema_with_all_references_in_it() -> None:
    document = schema_of(Order)
    assert document["type"] == "object"
    assert document["required"] == ["orderId"]
    assert sorted(document["$defs"]) == ["Inner", "Order"]
    schema = compile_schema(document)
    assert schema.is_valid({"orderId": "1", "nextOrder": {"orderId": "2", "inner": {"size": 1}}})
    assert not schema.is_valid({"orderId": "1", "nextOrder": {"orderId": "2", "count": 0}})


def test_a_struct_that_is_not_recursive_is_not_repeated_in_its_schema() -> None:
    assert "$defs" not in schema_of(Inner)


def test_a_field_that_json_schema_cannot_say_is_refused() -> None:
    class Odd(msgspec.Struct):
        field: complex

    with pytest.raises(CatalogError, match="Odd"):
        schema_of(Odd)
