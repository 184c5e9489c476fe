"""From a webhook subscription to the automation that takes its place."""

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from lockstep.model.errors import EngineError
from lockstep_schemas.api import AutomationCreate
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.migration import MANAGED_BY, Subscription, SubscriptionId

# Its config is kept with a failure, and escaped has to fit into a reply.
MAX_BYTES: Final = 128 * 1024
MAX_RUNS: Final = 10  # as the language has it; `single`, which they all are, does not ask for it
TITLE: Final = "Automation event"
BODY: Final = """\
**{{ trigger.event }}**

```json
{{ trigger.payload | json(2) }}
```
"""
"""The text of a message for which a subscription has none: JSON has no line that ends the block."""

_UNSAFE: Final = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029]')


class SubscriptionRefused(EngineError):
    """A subscription that cannot become an automation."""

    code = "migration.refused"
    category = "bad_request"
    advice = "Build the automation by hand; `lockstep migration failures` keeps what is left."

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def identity(raw: Json) -> str:
    """Give the id of a subscription; where it has none to use, one made of its content."""
    try:
        return msgspec.convert(_member(raw, "id"), SubscriptionId)
    except msgspec.ValidationError:
        text = msgspec.json.encode(raw, order="deterministic")
        return f"unnamed-{sha256(text).hexdigest()[:16]}"


def read(raw: Json) -> Subscription:
    """Convert a subscription.

    Raises:
        SubscriptionRefused: It has not the shape of one, or is larger than `MAX_BYTES`.
    """
    size = len(msgspec.json.encode(raw))
    if size > MAX_BYTES:
        raise _invalid(f"it has {size} bytes; at most {MAX_BYTES} are allowed")
    try:
        return msgspec.convert(raw, Subscription)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None


def automation_of(subscription: Subscription) -> AutomationCreate:
    """Give the automation that does what a subscription did.

    Raises:
        SubscriptionRefused: Its provider is none of those that are known, or its config is odd.
    """
    definition: JsonObject = {
        "name": subscription.name,
        "triggers": [{"event": subscription.event_id}],
        "conditions": _conditions(subscription.system_filter or ()),
        "actions": [_action(subscription.provider_id, subscription.provider_config)],
        "mode": "single",
        "max_runs": MAX_RUNS,
    }
    if subscription.description is not None:
        definition["description"] = subscription.description
    return AutomationCreate(
        name=subscription.name,
        description=subscription.description,
        status="enabled" if subscription.enabled else "disabled",
        definition=definition,
        managed_by=MANAGED_BY + subscription.id,
    )


def literal(text: str) -> str:
    """Write a text as a literal of the expression language: nothing in it can end the literal."""
    return f'"{_UNSAFE.sub(_escaped, text)}"'


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return f"\\{character}" if character in '"\\' else f"\\u{ord(character):04x}"


def _conditions(systems: Sequence[str]) -> list[Json]:
    tests = [f"trigger.payload.systemId == {literal(system)}" for system in systems]
    return [{"or": tests}] if len(tests) > 1 else [*tests]


def _action(provider: str, config: JsonObject) -> JsonObject:
    if provider not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise SubscriptionRefused("unsupported provider", f"'{provider}'; known are {known}")
    action, converted = PROVIDERS[provider]
    # An action that produces something needs an id, and whether it does is known to its owner only.
    return {"action": action, "id": action.rpartition(".")[2], "config": converted(config)}


def _jira(config: JsonObject) -> JsonObject:
    made = _kept(config, "connectionId", "projectKey", "issueTypeId")
    made |= _renamed(config, {"summaryTemplate": "summary", "descriptionTemplate": "description"})
    made |= _kept(config, "priorityId")
    mappings = config.get("fieldMappings")
    if mappings is not None:
        made["fieldMappings"] = _mappings(mappings)
    return made


def _mappings(mappings: Json) -> list[JsonObject]:
    if not isinstance(mappings, list):
        raise _invalid("providerConfig.fieldMappings: a list is expected")
    made = []
    for index, mapping in enumerate(mappings):
        key, template = _member(mapping, "fieldKey"), _member(mapping, "template")
        if not isinstance(key, str) or template is None:
            place = f"providerConfig.fieldMappings[{index}]"
            raise _invalid(f"{place}: {{fieldKey, template}} is expected")
        made.append({"fieldKey": key, "value": template})
    return made


def _teams(config: JsonObject) -> JsonObject:
    return _kept(config, "connectionId", "teamId", "channelId") | {"title": TITLE, "body": BODY}


def _webex(config: JsonObject) -> JsonObject:
    text = config.get("messageTemplate")
    is_absent = text is None or (isinstance(text, str) and not text.strip())
    return _kept(config, "connectionId", "roomId") | {"markdown": BODY if is_absent else text}


def _webhook(config: JsonObject) -> JsonObject:
    rest = {name: value for name, value in config.items() if name != "bodyTemplate"}
    return rest | _renamed(config, {"bodyTemplate": "body"})


def _script(config: JsonObject) -> JsonObject:
    return _kept(config, "script", "timeout")


def _shell(config: JsonObject) -> JsonObject:
    return _kept(config, "script", "timeout", "workingDirectory")


PROVIDERS: Final[Mapping[str, tuple[str, Callable[[JsonObject], JsonObject]]]] = {
    "integration-jira.jira": ("integration-jira.create_issue", _jira),
    "integration-teams.teams": ("integration-teams.post_message", _teams),
    "integration-webex.webex": ("integration-webex.post_message", _webex),
    "integration-webhook.webhook": ("integration-webhook.send", _webhook),
    "integration-script.script": ("integration-script.run_script", _script),
    "integration-script.shell": ("integration-script.run_shell", _shell),
}


def _kept(config: JsonObject, *names: str) -> JsonObject:
    """Take fields that are there; null counts as absent, the action's type says what must be."""
    return {name: config[name] for name in names if config.get(name) is not None}


def _renamed(config: JsonObject, names: Mapping[str, str]) -> JsonObject:
    return {names[name]: value for name, value in _kept(config, *names).items()}


def _member(raw: Json, name: str) -> Json:
    return raw.get(name) if isinstance(raw, dict) else None


def _invalid(detail: str) -> SubscriptionRefused:
    return SubscriptionRefused("invalid subscription", detail)
