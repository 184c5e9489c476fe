"""How the context key of an event is found in its payload."""

from collections.abc import Callable

import pytest
import structlog.testing

from lockstep.catalog import CatalogError, ContextKey
from lockstep_schemas.base import Json, JsonObject
from unit.catalog.helpers import catalog_of


def key_of(context_key: ContextKey) -> Callable[[JsonObject], str | None]:
    """Give what a trigger that is registered with `context_key` extracts with."""
    trigger = catalog_of(lambda r: r.trigger("x", context_key=context_key)).trigger("jira.x")
    assert trigger is not None
    assert trigger.context_key is not None
    return trigger.context_key


@pytest.mark.parametrize(
    ("context_key", "payload"),
    [
        ("/incidentId", {"incidentId": "inc-42"}),
        ("incidentId", {"incidentId": "inc-42"}),
        ("incident.id", {"incident": {"id": "inc-42"}}),
        ("'inc-' ~ number", {"number": 42}),
        ("/a~1b/m~0n", {"a/b": {"m~n": "inc-42"}}),
        ("/list/1/id", {"list": [{}, {"id": "inc-42"}]}),
        ("/", {"": "inc-42"}),
        (lambda payload: payload["incidentId"], {"incidentId": "inc-42"}),
    ],
)
def test_a_pointer_an_expression_and_a_function_find_the_key(
    context_key: ContextKey, payload: JsonObject
) -> None:
    assert key_of(context_key)(payload) == "inc-42"


@pytest.mark.parametrize("context_key", ["/id", "id", lambda payload: payload.get("id")])
@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("a b", "a b"),
        (5, "5"),
        (5.0, "5"),
        (0.5, "0.5"),
        (True, "true"),
        (0, "0"),
        (2**70, str(2**70)),
        ("", None),
        (None, None),
        ([], None),
        ({"a": 1}, None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_the_key_is_the_text_of_what_is_found(
    context_key: ContextKey, value: Json, key: str | None
) -> None:
    assert key_of(context_key)({"id": value}) == key


@pytest.mark.parametrize(
    ("context_key", "payload"),
    [
        ("/id", {}),
        ("/a/b/c", {"a": {"b": "text"}}),
        ("/list/7", {"list": [1]}),
        ("/list/-1", {"list": [1]}),
        ("/list/99999999999999999999", {"list": [1]}),
        ("/list/x", {"list": [1]}),
        ("/id", {"id": 10**5000}),
        ("a.b.c", {"a": None}),
        ("a + b", {"a": "text", "b": {}}),
        (lambda payload: payload["id"], {}),
        (lambda payload: 1 / 0, {}),
    ],
)
def test_missing_things_and_errors_give_no_key_and_never_raise(
    context_key: ContextKey, payload: JsonObject
) -> None:
    assert key_of(context_key)(payload) is None


def test_a_function_that_raises_is_logged_once_not_for_every_event() -> None:
    extract = key_of(lambda payload: payload["id"])
    with structlog.testing.capture_logs() as lines:
        assert [extract({}), extract({}), extract({"id": "a"})] == [None, None, "a"]
    assert [(line["event"], line["event_id"]) for line in lines] == [
        ("context_key.failed", "jira.x")
    ]


async def later(payload: JsonObject) -> str:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("context_key", "reason"),
    [
        ("{{ id }}", "context_key"),
        ("id +", "context_key"),
        ("", "context_key"),
        ("/a~2", "no JSON Pointer"),
        (later, "coroutine function"),
    ],
)
def test_a_wrong_context_key_is_refused_at_registration(
    context_key: ContextKey, reason: str
) -> None:
    with pytest.raises(CatalogError, match=r"trigger 'jira\.x'") as caught:
        key_of(context_key)
    assert reason in str(caught.value)


def test_the_text_of_the_context_key_is_kept_for_people() -> None:
    catalog = catalog_of(
        lambda r: r.trigger("a", context_key="/id"), lambda r: r.trigger("b", context_key=str)
    )
    assert [t.context_key_text for t in catalog.triggers()] == ["/id", None]
