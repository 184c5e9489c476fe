"""What plug-ins register, what is refused, and what the catalog then knows."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lockstep.catalog import (
    AlreadyRegistered,
    CatalogError,
    MemoryCatalog,
    Registry,
    build_catalog,
    compile_schema,
)
from lockstep.model.types import ActionContext, ActionType, ArtifactType, TriggerType
from unit.catalog.helpers import action_of, catalog_of


class Issue(msgspec.Struct):
    """An artifact."""

    key: str


class Inner(msgspec.Struct):
    """A part of a config."""

    size: int = 0


class CreateIssue(msgspec.Struct, rename="camel"):
    """A config."""

    project_key: str
    script: str = ""
    labels: list[str] = []
    inner: Inner | None = None


class Incident(msgspec.Struct, rename="camel"):
    """A payload."""

    incident_id: str


async def nothing(context: ActionContext) -> None:
    """Do nothing at all.

    Really.
    """


def jira(registry: Registry) -> None:
    registry.artifact("issue", schema=Issue)
    registry.trigger("incident.created", payload=Incident, context_key="/incidentId")

    @registry.action(
        "create_issue",
        config=CreateIssue,
        produces="issue",
        timeout_seconds=30,
        retry_safe=False,
        code_fields=["script"],
        category="Jira",
    )
    async def create_issue(context: ActionContext) -> None: ...

    @registry.filter("shout")
    def shout(value: str) -> str:
        return value.upper() + "!"


def test_ids_are_local_and_become_those_of_the_plugin() -> None:
    catalog = catalog_of(jira)
    trigger, artifact = catalog.trigger("jira.incident.created"), catalog.artifact("jira.issue")
    assert trigger is not None
    assert artifact is not None
    action = action_of(catalog, "jira.create_issue")
    assert {trigger.plugin, artifact.plugin, action.plugin} == {"jira"}
    assert artifact.local_name == "issue"
    assert catalog.trigger("incident.created") is None


def test_an_action_keeps_what_its_author_said_of_it() -> None:
    catalog = catalog_of(jira)
    action = action_of(catalog, "jira.create_issue")
    assert action.produces is catalog.artifact("jira.issue")
    assert (action.timeout_seconds, action.retry_safe) == (30, False)
    assert action.code_fields == {"script"}
    assert action.text_paths == {("projectKey",), ("script",), ("labels", "*")}
    assert action.config_type is CreateIssue
    assert action.config_schema.document["type"] == "object"
    assert action.category == "Jira"


def test_what_is_not_said_has_a_default() -> None:
    catalog = catalog_of(
        lambda r: r.add_action("close_issue", nothing), lambda r: r.trigger("issue-moved.on")
    )
    action, trigger = action_of(catalog, "jira.close_issue"), catalog.trigger("jira.issue-moved.on")
    assert trigger is not None
    assert (action.category, trigger.category) == ("Uncategorized", "Uncategorized")
    assert (action.timeout_seconds, action.retry_safe) == (300, True)
    assert (action.display_name, action.description) == ("Close issue", "Do nothing at all.")
    assert trigger.display_name == "Issue moved on"
    assert (trigger.source, trigger.setup, trigger.context_key) == ("bus", None, None)
    assert action.config_schema.is_valid({"anything": 1})
    assert not action.config_schema.is_valid([])


def test_a_struct_as_config_refuses_unknown_keys_at_every_level() -> None:
    schema = action_of(catalog_of(jira), "jira.create_issue").config_schema
    assert schema.is_valid({"projectKey": "P", "inner": {"size": 1}})
    assert [f.names for f in schema.faults({"projectKey": "P", "x": 1})] == [("x",)]
    assert [f.path for f in schema.faults({"projectKey": "P", "inner": {"y": 1}})] == [("inner",)]


def test_a_payload_lets_keys_through_that_its_struct_does_not_know() -> None:
    trigger = catalog_of(jira).trigger("jira.incident.created")
    assert trigger is not None
    assert trigger.payload_schema is not None
    assert trigger.payload_schema.is_valid({"incidentId": "1", "more": 2})
    assert not trigger.payload_schema.is_valid({"more": 2})


def test_a_json_schema_as_config_is_strict_and_about_an_object() -> None:
    config = {"properties": {"projectKey": {"type": "string"}}}
    catalog = catalog_of(lambda r: r.add_action("a", nothing, config=config))
    schema = action_of(catalog, "jira.a").config_schema
    assert schema.document["type"] == "object"
    assert not schema.is_valid({"projectKey": "P", "x": 1})
    assert "type" not in config


def test_the_same_local_id_in_two_plugins_is_fine() -> None:
    catalog = catalog_of(jira)
    catalog.register("teams", jira_without_filter)
    assert {t.qualified_id for t in catalog.triggers()} == {
        "jira.incident.created",
        "teams.incident.created",
    }


def jira_without_filter(registry: Registry) -> None:
    registry.trigger("incident.created")


REGISTRATIONS: dict[str, Callable[[Registry], object]] = {
    "trigger": lambda r: r.trigger("x"),
    "action": lambda r: r.add_action("x", nothing),
    "artifact type": lambda r: r.artifact("x"),
    "filter": lambda r: r.add_filter("x", str),
}


@pytest.mark.parametrize("again", ["at once", "later"])
@pytest.mark.parametrize("what", REGISTRATIONS)
def test_a_second_registration_of_an_id_is_refused_and_the_first_stays(
    what: str, again: str
) -> None:
    register = REGISTRATIONS[what]
    catalog = MemoryCatalog(is_open=False)

    def twice(registry: Registry) -> None:
        register(registry)
        register(registry)

    if again == "later":
        catalog.register("jira", register)
    kept = catalog.trigger("jira.x"), catalog.action("jira.x"), catalog.artifact("jira.x")
    with pytest.raises(AlreadyRegistered, match=f"{what} .*already registered"):
        catalog.register("jira", twice)
    now = catalog.trigger("jira.x"), catalog.action("jira.x"), catalog.artifact("jira.x")
    assert all(a is b for a, b in zip(kept, now, strict=True))


def test_a_function_that_fails_leaves_nothing_of_its_types() -> None:
    def half(registry: Registry) -> None:
        jira(registry)
        raise RuntimeError("kaput")

    catalog = MemoryCatalog(is_open=False)
    with pytest.raises(RuntimeError, match="kaput"):
        catalog.register("jira", half)
    assert not [*catalog.triggers(), *catalog.actions(), *catalog.artifacts(), *catalog.filters]


def test_a_trigger_with_neither_bus_nor_set_up_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"jira\.broken.*neither bus nor set-up"):
        catalog_of(lambda r: r.trigger("broken", bus=False))


def test_a_trigger_with_a_set_up_has_a_config_and_registering_does_not_call_it() -> None:
    def setup(*_: object) -> None:
        raise AssertionError("called")

    class Cron(msgspec.Struct):
        pattern: str

    trigger = catalog_of(lambda r: r.trigger("time.cron", setup=setup, config=Cron)).trigger(
        "jira.time.cron"
    )
    assert trigger is not None
    assert (trigger.source, trigger.setup, trigger.config_type) == ("setup", setup, Cron)
    assert trigger.config_schema is not None
    assert not trigger.config_schema.is_valid({"pattern": "x", "y": 1})


# For the type checker these are no options; authors without one find them out here.
ODD: Any = {
    "no option": {"timeout": 3},
    "no trigger option": {"schema": {}},
    "config": {"config": dict},
}


WRONG: list[tuple[str, Callable[[Registry], object]]] = [
    ("id", lambda r: r.trigger("two words")),
    ("id", lambda r: r.trigger("")),
    ("id", lambda r: r.trigger("a..b")),
    ("id", lambda r: r.add_action("a:b", nothing)),
    ("id", lambda r: r.add_action("a" * 300, nothing)),
    ("id", lambda r: r.artifact("ä")),
    ("is no function", lambda r: r.add_action("a", "execute")),  # type: ignore[arg-type]
    ("is no function", lambda r: r.trigger("a", setup="go")),  # type: ignore[arg-type]
    ("timeout_seconds", lambda r: r.add_action("a", nothing, timeout_seconds=0)),
    ("timeout_seconds", lambda r: r.add_action("a", nothing, timeout_seconds=float("nan"))),
    ("timeout_seconds", lambda r: r.add_action("a", nothing, timeout_seconds=90_000)),
    ("no option 'timeout'", lambda r: r.add_action("a", nothing, **ODD["no option"])),
    ("no option 'schema'", lambda r: r.trigger("a", **ODD["no trigger option"])),
    ("config: schema: type", lambda r: r.add_action("a", nothing, config={"type": "x"})),
    ("schema of an object", lambda r: r.add_action("a", nothing, config={"type": "string"})),
    ("is no msgspec struct", lambda r: r.add_action("a", nothing, **ODD["config"])),
    ("payload: schema", lambda r: r.trigger("a", payload={"pattern": "("})),
    ("'cod'", lambda r: r.add_action("a", nothing, config=CreateIssue, code_fields=["cod"])),
    ("list of names", lambda r: r.add_action("a", nothing, consumes="issue")),
    ("does not consume", lambda r: r.add_action("a", nothing, closes=["issue"])),
    ("produces", lambda r: r.add_action("a", nothing, produces="an issue")),
    ("identifier", lambda r: r.add_filter("no-name", str)),
    ("built in", lambda r: r.add_filter("upper", str)),
]


@pytest.mark.parametrize(("reason", "register"), WRONG)
def test_a_wrong_declaration_is_refused_with_the_reason(
    reason: str, register: Callable[[Registry], object]
) -> None:
    with pytest.raises(CatalogError) as caught:
        catalog_of(register)
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["", "a.b", "two words", "jira/x"])
def test_a_plugin_name_is_one_word(name: str) -> None:
    with pytest.raises(CatalogError, match="plug-in name"):
        catalog_of(jira, plugin=name)


def test_a_registry_takes_nothing_after_its_plugin_has_ended() -> None:
    kept: list[Registry] = []
    catalog_of(kept.append)
    with pytest.raises(CatalogError, match="has ended"):
        kept[0].trigger("late")


@pytest.mark.parametrize("name", ["thing", "jira.thing"])
def test_produces_is_qualified_once_whether_it_was_or_not(name: str) -> None:
    catalog = catalog_of(lambda r: r.add_action("create", nothing, produces=name))
    produced = action_of(catalog, "jira.create").produces
    assert produced is not None
    assert produced.qualified_id == "jira.thing"


def test_what_an_action_produces_may_be_registered_after_it() -> None:
    catalog = catalog_of(lambda r: r.add_action("create", nothing, produces="issue"))
    with pytest.raises(CatalogError, match=r"'jira\.create' produces 'jira\.issue'"):
        catalog.complete()
    catalog.register("jira", lambda r: r.artifact("issue", schema=Issue))
    catalog.complete()
    assert action_of(catalog, "jira.create").produces is catalog.artifact("jira.issue")


def test_all_artifact_types_that_are_missing_are_named() -> None:
    def register(registry: Registry) -> None:
        registry.add_action("a", nothing, produces="x")
        registry.add_action("b", nothing, consumes=["y", "z"], closes=["z"])

    with pytest.raises(CatalogError) as caught:
        catalog_of(register).complete()
    assert all(f"'jira.{name}'" in str(caught.value) for name in "xyz")


def test_types_are_listed_in_the_order_of_registration_with_their_categories() -> None:
    catalog = catalog_of(
        lambda r: r.trigger("b", category="Time"),
        lambda r: r.trigger("a", category="Incidents"),
        lambda r: r.add_action("z", nothing, category="Jira"),
        lambda r: r.add_action("y", nothing, category="Jira"),
        lambda r: r.artifact("n"),
        lambda r: r.artifact("m"),
    )
    assert [t.qualified_id for t in catalog.triggers()] == ["jira.b", "jira.a"]
    assert [a.qualified_id for a in catalog.actions()] == ["jira.z", "jira.y"]
    assert [a.qualified_id for a in catalog.artifacts()] == ["jira.n", "jira.m"]
    assert Counter(a.category for a in catalog.actions()) == {"Jira": 2}


def test_an_action_whose_local_id_has_a_dot_is_taken() -> None:
    catalog = catalog_of(lambda r: r.add_action("cloud.create", nothing))
    assert action_of(catalog, "jira.cloud.create").plugin == "jira"


def test_filters_of_plugins_are_in_the_catalog_and_cannot_be_changed_there() -> None:
    catalog = catalog_of(jira)
    assert catalog.filters["shout"]("hi") == "HI!"
    with pytest.raises(TypeError):
        catalog.filters["shout"] = str  # type: ignore[index]


def test_a_catalog_says_whether_it_is_open() -> None:
    assert build_catalog(open=True).is_open
    assert not build_catalog(open=False).is_open


def test_a_service_may_register_its_type_again_and_again() -> None:
    catalog = MemoryCatalog(is_open=False)
    for title in ("One", "Two"):
        catalog.put_trigger(trigger("svc.x", owner="service-a", title=title))
        catalog.put_action(action("svc.do", owner="service-a", title=title))
    [kind] = catalog.triggers()
    assert kind.display_name == action_of(catalog, "svc.do").display_name == "Two"
    assert catalog.artifact("svc.reply") is not None
    catalog.complete()


@pytest.mark.parametrize("owner", [None, "service-b"])
def test_a_type_of_another_owner_is_not_replaced(owner: str | None) -> None:
    catalog = MemoryCatalog(is_open=False)
    catalog.put_trigger(trigger("svc.x", owner="service-a", title="One"))
    with pytest.raises(AlreadyRegistered, match="already registered by service-a"):
        catalog.put_trigger(trigger("svc.x", owner=owner, title="Two"))
    with pytest.raises(AlreadyRegistered, match="already registered by plug-in 'jira'"):
        catalog_of(jira).put_action(action("jira.create_issue", owner=owner, title="Mine"))


def trigger(qualified_id: str, *, owner: str | None, title: str) -> TriggerType:
    return TriggerType(qualified_id=qualified_id, plugin="svc", display_name=title, owner=owner)


def action(qualified_id: str, *, owner: str | None, title: str) -> ActionType:
    async def execute(context: ActionContext) -> None: ...

    reply = ArtifactType(
        qualified_id="svc.reply", plugin="svc", display_name="Reply", schema=compile_schema({})
    )
    return ActionType(
        qualified_id=qualified_id,
        plugin="svc",
        display_name=title,
        execute=execute,  # type: ignore[arg-type]
        config_schema=compile_schema({}),
        produces=reply,
        owner=owner,
    )
