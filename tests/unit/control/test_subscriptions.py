"""What a webhook subscription becomes: its automation, field by field."""

from typing import Any

import pytest

from lockstep.cases.migration import action_types
from lockstep.catalog import MemoryCatalog, build_catalog
from lockstep.control.subscriptions import (
    BODY,
    MAX_BYTES,
    PROVIDERS,
    SubscriptionRefused,
    automation_of,
    identity,
    literal,
    read,
)
from lockstep.definition.compile import compile_program
from lockstep.definition.stored import parse
from lockstep.definition.validate import validate
from lockstep.render import Renderer
from lockstep_schemas.api import AutomationCreate

Json = dict[str, Any]
WEBHOOK: Json = {"url": "https://example.com/hook"}
ODD_IDS = [
    'a"b',
    "a'b",
    '" or true or "',
    'x" == "x" or "',
    "back\\",
    '\\"',
    "{{ 1 }}",
    "}} {{",
    "{% if %}",
    "line\nline\r\t",
    "\x08\x0c\x00\x1f\x7f\x85",
    "\u2028\u2029",
    "é 日本 \U0001f600",
    "\\u0041\\n",
    "${{ secrets.X }}",
    "",
    " ",
]


def subscription(provider: str = "integration-webhook.webhook", **changes: object) -> Json:
    """A subscription that is right."""
    return {
        "id": "sub-1",
        "name": "Pager",
        "providerId": provider,
        "providerConfig": WEBHOOK,
        "eventId": "incident.created",
        "enabled": True,
        **changes,
    }


def made(provider: str = "integration-webhook.webhook", **changes: object) -> AutomationCreate:
    """What a subscription becomes."""
    return automation_of(read(subscription(provider, **changes)))


def config_of(provider: str, **config: object) -> Json:
    """The config of the one action that a provider's config becomes."""
    (action,) = made(provider, providerConfig=config).definition["actions"]
    found: Json = action["config"]
    return found


def refused(raw: object) -> SubscriptionRefused:
    """Why there is no automation."""
    with pytest.raises(SubscriptionRefused) as found:
        automation_of(read(raw))
    return found.value


def catalog() -> MemoryCatalog:
    """A catalog that knows the actions of the integrations."""
    built = build_catalog(True)
    for kind in action_types():
        built.put_action(kind)
    return built


def test_a_subscription_becomes_one_trigger_one_action_and_the_mark_of_its_origin() -> None:
    automation = made(description="On call", systemFilter=["sys-1"])
    assert automation == AutomationCreate(
        name="Pager",
        description="On call",
        status="enabled",
        managed_by="migrated-subscription:sub-1",
        definition={
            "name": "Pager",
            "description": "On call",
            "triggers": [{"event": "incident.created"}],
            "conditions": ['trigger.payload.systemId == "sys-1"'],
            "actions": [{"action": "integration-webhook.send", "id": "send", "config": WEBHOOK}],
            "mode": "single",
            "max_runs": 10,
        },
    )


def test_one_that_was_disabled_stays_disabled_and_one_without_description_has_none() -> None:
    automation = made(enabled=False, description=None)
    assert (automation.status, automation.description) == ("disabled", None)
    assert "description" not in automation.definition


@pytest.mark.parametrize(
    ("systems", "conditions"),
    [
        (None, []),
        ([], []),
        (["a"], ['trigger.payload.systemId == "a"']),
        (
            ["a", "b"],
            [{"or": ['trigger.payload.systemId == "a"', 'trigger.payload.systemId == "b"']}],
        ),
    ],
)
def test_a_system_filter_becomes_at_most_one_condition(
    systems: list[str] | None, conditions: list[object]
) -> None:
    assert made(systemFilter=systems).definition["conditions"] == conditions


@pytest.mark.parametrize("system", ODD_IDS)
def test_whatever_is_in_an_id_it_is_one_literal_that_equals_itself_alone(system: str) -> None:
    expression = Renderer().expression(f"id == {literal(system)}")
    assert expression.holds({"id": system})
    for other in ("", "x", system + "x", "other" + system):
        assert expression.holds({"id": other}) == (other == system)


@pytest.mark.parametrize("systems", [[one] for one in ODD_IDS] + [ODD_IDS])
def test_no_id_breaks_out_of_its_condition(systems: list[str]) -> None:
    definition = made(systemFilter=systems).definition
    assert validate(definition, catalog(), Renderer()).errors == []
    (condition,) = compile_program(parse(definition), Renderer()).conditions
    for system, wanted in [*((one, True) for one in systems), ("another", False), (None, False)]:
        scope = {"trigger": {"payload": {"systemId": system}}}
        assert condition.holds(scope, None) == wanted  # type: ignore[arg-type] # no time in it


def test_jira_renames_templates_and_mappings_and_drops_what_it_does_not_know() -> None:
    assert config_of(
        "integration-jira.jira",
        connectionId="c",
        projectKey="P",
        issueTypeId="1",
        summaryTemplate="{{ trigger.payload.title }}",
        descriptionTemplate="",
        priorityId="3",
        fieldMappings=[{"fieldKey": "f", "template": "{{ trigger.payload.x }}", "label": "F"}],
        legacy=True,
    ) == {
        "connectionId": "c",
        "projectKey": "P",
        "issueTypeId": "1",
        "summary": "{{ trigger.payload.title }}",
        "description": "",
        "priorityId": "3",
        "fieldMappings": [{"fieldKey": "f", "value": "{{ trigger.payload.x }}"}],
    }


def test_what_is_missing_or_null_is_left_out_and_an_empty_list_is_kept() -> None:
    config = config_of("integration-jira.jira", connectionId="c", priorityId=None, fieldMappings=[])
    assert config == {"connectionId": "c", "fieldMappings": []}
    assert "fieldMappings" not in config_of("integration-jira.jira", fieldMappings=None)


@pytest.mark.parametrize(
    "mappings", ["x", {"a": "b"}, [1], [{"fieldKey": "f"}], [{"template": ""}]]
)
def test_mappings_of_another_shape_are_refused_with_their_place(mappings: object) -> None:
    config = {"fieldMappings": mappings}
    error = refused(subscription("integration-jira.jira", providerConfig=config))
    assert error.reason == "invalid subscription"
    assert "providerConfig.fieldMappings" in error.detail


def test_teams_gets_a_title_and_a_body_and_nothing_else_that_it_does_not_know() -> None:
    config = config_of(
        "integration-teams.teams", connectionId="c", teamId="t", channelId="ch", body="x", more=1
    )
    assert config == {
        "connectionId": "c",
        "teamId": "t",
        "channelId": "ch",
        "title": "Automation event",
        "body": BODY,
    }


@pytest.mark.parametrize(
    ("text", "markdown"),
    [("Hi {{ trigger.event }}", "Hi {{ trigger.event }}"), (None, BODY), ("", BODY), (" ", BODY)],
)
def test_webex_keeps_its_text_or_gets_a_body(text: str | None, markdown: str) -> None:
    config = config_of(
        "integration-webex.webex", connectionId="c", roomId="r", messageTemplate=text
    )
    assert config == {"connectionId": "c", "roomId": "r", "markdown": markdown}
    assert config_of("integration-webex.webex")["markdown"] == BODY


def test_a_default_body_shows_the_event_and_the_payload_as_json() -> None:
    payload = {"title": 'say "é"', "fence": "```\n```", "list": [1, {"a": None}]}
    scope = {"trigger": {"event": "incident.created", "payload": payload}}
    text = Renderer().template(BODY).render(scope)
    assert text == (
        '**incident.created**\n\n```json\n{\n  "title": "say \\"é\\"",\n'
        '  "fence": "```\\n```",\n  "list": [\n    1,\n    {\n      "a": null\n    }\n  ]\n}\n```\n'
    )


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"bodyTemplate": "{{ trigger.payload.x }}"}, {"body": "{{ trigger.payload.x }}"}),
        ({"bodyTemplate": "t", "body": "old"}, {"body": "t"}),
        ({"body": "old"}, {"body": "old"}),
        ({"bodyTemplate": None, "x": None, "n": {"deep": [1]}}, {"x": None, "n": {"deep": [1]}}),
        ({"bodyTemplate": ""}, {"body": ""}),
        ({"headers": [{"name": "A", "value": "b"}], "timeout": 10000, "method": "PUT"}, None),
        ({}, {}),
    ],
)
def test_a_webhook_renames_its_body_and_keeps_the_rest(config: Json, wanted: Json | None) -> None:
    assert config_of("integration-webhook.webhook", **config) == (
        config if wanted is None else wanted
    )


def test_scripts_keep_what_they_know_and_only_a_shell_its_working_directory() -> None:
    config = {"script": "echo {{ x }}", "timeout": 10, "workingDirectory": "/srv", "more": 1}
    script = {"script": "echo {{ x }}", "timeout": 10}
    assert config_of("integration-script.script", **config) == script
    assert config_of("integration-script.shell", **config) == {**script, "workingDirectory": "/srv"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_becomes_an_action_that_validates(provider: str) -> None:
    config = {
        "connectionId": "c", "projectKey": "P", "issueTypeId": "1", "summaryTemplate": "s",
        "teamId": "t", "channelId": "c", "roomId": "r", "script": "x", "url": "https://e.x",
    }  # fmt: skip
    definition = made(provider, providerConfig=config).definition
    assert validate(definition, catalog(), Renderer()).errors == []
    assert definition["actions"][0]["action"].startswith(provider.partition(".")[0])


@pytest.mark.parametrize("provider", ["made-up.provider", "", "jira", "integration-jira.JIRA"])
def test_a_provider_that_is_not_known_is_refused_by_its_name(provider: str) -> None:
    error = refused(subscription(provider))
    assert error.reason == "unsupported provider"
    assert f"'{provider}'" in error.detail


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (None, "null"),
        ([], "array"),
        ("x", "str"),
        ({}, "id"),
        (subscription(id=""), "$.id"),
        (subscription(id="a\0"), "$.id"),
        (subscription(id=7), "$.id"),
        (subscription(id="x" * 257), "$.id"),
        (subscription(enabled="yes"), "$.enabled"),
        (subscription(enabled=1), "$.enabled"),
        (subscription(name=None), "$.name"),
        (subscription(providerConfig=None), "$.providerConfig"),
        (subscription(providerConfig=[]), "$.providerConfig"),
        (subscription(eventId=None), "$.eventId"),
        (subscription(systemFilter="a"), "$.systemFilter"),
        (subscription(systemFilter=[1]), "$.systemFilter[0]"),
        (subscription(description="x" * MAX_BYTES), "bytes"),
        *(
            ({n: v for n, v in subscription().items() if n != name}, f"`{name}`")
            for name in subscription()
        ),
    ],
)
def test_what_is_no_subscription_is_refused_with_its_place(raw: object, detail: str) -> None:
    error = refused(raw)
    assert error.reason == "invalid subscription"
    assert detail in error.detail


def test_keys_that_an_export_has_beside_are_passed_over() -> None:
    assert made(createdAt="2024-01-01", lastError=None, provider_id="x") == made()


def test_one_without_an_id_is_known_by_its_content() -> None:
    assert identity(subscription(id='a "b"\n')) == 'a "b"\n'
    for raw in (None, [], 5, {}, subscription(id=7), subscription(id="\0")):
        assert identity(raw).startswith("unnamed-")
        assert identity(raw) == identity(raw)
    assert identity({"a": 1, "b": 2}) == identity({"b": 2, "a": 1})
    assert identity({"name": "a"}) != identity({"name": "b"})
