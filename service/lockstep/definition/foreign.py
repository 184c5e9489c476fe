"""What authors of other languages write, and what it is here."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final, Literal, get_args, get_origin

import msgspec

from lockstep.definition import times
from lockstep.definition.wording import short
from lockstep_schemas.actions import KINDS
from lockstep_schemas.base import Json

_PAYLOAD: Final = "what was published is `trigger.payload`"
_PRODUCED: Final = "what an action has produced is `artifacts.<its id>.<name of the type>`"
_VARIABLES: Final = "write `variables`, and set them with the action `variables`"
_STATES: Final = "there are events here and no states: what was published is `trigger.payload`"

_ROOTS: Final[Mapping[str, str]] = {
    # Home Assistant
    "states": _STATES,
    "this": _STATES,
    "event": _PAYLOAD,
    # GitHub Actions
    "github": _PAYLOAD,
    "inputs": _PAYLOAD,
    "env": _VARIABLES,
    "matrix": "write `repeat.item`, in the action `repeat` with `for_each`",
    "steps": _PRODUCED,
    "needs": _PRODUCED,
    "job": "write `run`, which has `id`",
    "secrets": "write `${{ secrets.NAME }}`, in a field that its schema marks as a secret",
    # Ansible
    "item": "write `repeat.item`, in the action `repeat` with `for_each`",
    "loop": "write `repeat`, in the action `repeat`",
    "ansible_loop": "write `repeat`, in the action `repeat`",
    "ansible_facts": _PAYLOAD,
    "ansible_date_time": "write `now`, and `now | date('%Y-%m-%d')` for a part of it",
    "inventory_hostname": _PAYLOAD,
    "hostvars": _PAYLOAD,
    # Kestra
    "outputs": _PRODUCED,
    "execution": "write `run`, which has `id`",
    "flow": "write `automation`, which has `id` and `name`",
    "taskrun": "write `repeat`, in the action `repeat`",
    "vars": _VARIABLES,
    "envs": _VARIABLES,
    # anybody
    "payload": _PAYLOAD,
    "data": _PAYLOAD,
    "body": _PAYLOAD,
    "message": _PAYLOAD,
    "undefined": "write `null`, or the test `is defined`",
    "nil": "write `null`",
}

_CONFIG: Final = "write what it takes as `config`"
_IN_CONFIG: Final = "write it in `config`"
_AS_TEXT: Final = "write it in the condition, such as `trigger.payload.state == 'on'`"
_NO_NEED: Final = "leave it out, there is no such thing here"
_AS_GATE: Final = "write `condition` as an action before it, or `choose` around it"
_ORDER: Final = "leave it out: actions are done in their order, `parallel` does some at once"
_AS_FILTER: Final = "write it as `filter`, such as `trigger.payload.state == 'on'`"
_LOOP: Final = "write `repeat: {for_each: ..., sequence: [...]}`, the item is `repeat.item`"
_COMMAND: Final = (
    "there are no commands here: write `action: <plugin>.<name>`, of a service or plug-in"
)
_MODULE: Final = "there are no modules here: write `action: <plugin>.<name>`, of a service"
_SCHEDULE: Final = "write `event: automation.cron` and `config: {cronPattern: ...}`"
_BY_SERVICE: Final = "leave it out: where an action runs is up to the service that carries it out"
_BESIDE: Final = "it stands beside the definition: `{}: ...`, then `definition:` with all of this"
_RETRY: Final = "write `retry: {attempts: ..., delay_seconds: ...}`"
_VARIABLES_FIRST: Final = "write the action `variables` first, in `actions`"

_OF_DEFINITION: Final[Mapping[str, str]] = {
    "alias": "write `name`",
    "title": "write `name`",
    **dict.fromkeys(("trigger", "on", "event", "events"), "write `triggers`, a list"),
    **dict.fromkeys(("condition", "if", "when"), "write `conditions`, a list"),
    **dict.fromkeys(
        ("action", "sequence", "steps", "tasks", "do", "then"), "write `actions`, a list"
    ),
    "jobs": "write `actions`, a list of all steps; `parallel` does some at once",
    **dict.fromkeys(
        ("variables", "vars", "env", "trigger_variables", "defaults"), _VARIABLES_FIRST
    ),
    "inputs": "leave it out: what starts a run brings its payload, `trigger.payload`",
    "max": "write `max_runs`",
    "max_exceeded": "leave it out: what the mode refuses is a run that is `skipped`",
    "concurrency": "write `mode`, `max_runs` and `concurrency_scope`",
    **dict.fromkeys(("timeout", "timeout-minutes"), "write `max_duration_seconds`"),
    "schedule": f"in `triggers`, {_SCHEDULE}",
    "id": _BESIDE.format("id"),
    "group": _BESIDE.format("group"),
    "namespace": _BESIDE.format("group"),
    "status": _BESIDE.format("status"),
    **dict.fromkeys(
        ("disabled", "enabled", "initial_state"),
        "it stands beside the definition: `status: disabled`, then `definition:` with all of this",
    ),
    **dict.fromkeys(("hosts", "become", "gather_facts", "runs-on", "permissions"), _BY_SERVICE),
    **dict.fromkeys(("labels", "tags", "revision", "use_blueprint"), _NO_NEED),
}
_OF_TRIGGER: Final[Mapping[str, str]] = {
    **dict.fromkeys(("platform", "trigger", "type", "event_type", "topic"), "write `event`"),
    **dict.fromkeys(
        ("entity_id", "to", "from", "event_data", "above", "below", "branches", "types", "paths"),
        _AS_FILTER,
    ),
    **dict.fromkeys(("condition", "conditions", "if", "when"), "write `filter`, an expression"),
    **dict.fromkeys(("at", "cron", "schedule", "minutes", "hours", "seconds"), _SCHEDULE),
    "value_template": "write `event: automation.template` and it in `config`",
    "timezone": _IN_CONFIG,
    **dict.fromkeys(("enabled", "disabled"), "leave it out, or take the trigger out"),
    "inputs": "leave it out: `config` and `filter` are what a trigger has",
    **dict.fromkeys(("alias", "name", "description"), "write `id`, or a comment"),
}
_OF_ACTION: Final[Mapping[str, str]] = {
    **dict.fromkeys(("alias", "name", "displayName"), "write `description`"),
    "register": "write `id`: what it has produced is `artifacts.<id>`",
    **dict.fromkeys(("response_variable", "outputs"), "write `id`, then read `artifacts.<id>`"),
    **dict.fromkeys(("if", "when", "only_if", "runIf", "changed_when", "failed_when"), _AS_GATE),
    **dict.fromkeys(
        ("continue-on-error", "ignore_errors", "allowFailure", "continue_on_failure"),
        "write `continue_on_error`",
    ),
    **dict.fromkeys(("timeout", "timeout-minutes"), "write `timeout_seconds`"),
    **dict.fromkeys(("retries", "until"), _RETRY),
    **dict.fromkeys(("needs", "dependsOn", "depends_on", "notify", "listen"), _ORDER),
    **dict.fromkeys(("env", "vars"), "write the action `variables` before it"),
    **dict.fromkeys(("loop", "with_items", "loop_control", "strategy", "forEach"), _LOOP),
    "disabled": "write `enabled: false`",
    **dict.fromkeys(
        ("become", "delegate_to", "run_once", "shell", "working-directory", "runs-on"), _BY_SERVICE
    ),
    **dict.fromkeys(("tags", "no_log", "check_mode"), _NO_NEED),
    **dict.fromkeys(("default", "otherwise", "elif"), "write `else`, or one more branch"),
}
_KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "Definition": _OF_DEFINITION,
    "Trigger": _OF_TRIGGER,
    "Branch": {
        **dict.fromkeys(("conditions", "condition", "if"), "write `when`, one condition"),
        **dict.fromkeys(("actions", "then", "steps", "tasks", "do"), "write `sequence`"),
        "alias": "leave it out, or write a comment",
    },
    "Loop": {
        **dict.fromkeys(
            ("list", "items", "loop", "values", "foreach", "forEach"), "write `for_each`"
        ),
        "times": "write `count`",
        **dict.fromkeys(("actions", "steps", "tasks", "do"), "write `sequence`"),
    },
    "WaitFor": {
        **dict.fromkeys(("platform", "trigger", "type", "event_type"), "write `event`"),
        "timeout": "write `timeout_seconds`",
        **dict.fromkeys(("entity_id", "to", "from", "event_data", "condition"), _AS_FILTER),
    },
    "DelayFor": dict.fromkeys(
        ("minutes", "hours", "days", "milliseconds"), "write it as `seconds`, or as `template`"
    ),
    "Wait": dict.fromkeys(
        ("timeout", "timeout_seconds", "timeout-minutes"),
        "in `wait_for_trigger`, write `timeout_seconds`",
    ),
    "Retry": {
        **dict.fromkeys(
            ("maxAttempt", "maxAttempts", "max_attempts", "count", "retries", "max"),
            "write `attempts`",
        ),
        **dict.fromkeys(("interval", "delay"), "write `delay_seconds`"),
        "type": "write `backoff`, `constant` or `exponential`",
        **dict.fromkeys(("maxInterval", "max_delay", "maxDelay"), "write `max_delay_seconds`"),
    },
    "ProviderAction": {
        **dict.fromkeys(
            ("data", "data_template", "with", "params", "args", "target", "inputs", "parameters"),
            _CONFIG,
        ),
        **dict.fromkeys(("entity_id", "message", "url", "body", "uri", "values"), _IN_CONFIG),
    },
    "Guard": {
        **dict.fromkeys(("entity_id", "state", "above", "below", "attribute"), _AS_TEXT),
        "value_template": "write it as the `condition`, without braces",
        "conditions": "write `condition: {and: [...]}`, or with `or`",
    },
    "Stop": {"error": "write it in `stop`: `stop: {reason: ..., error: true}`"},
    "StopWith": {"message": "write `reason`"},
}
_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("service", "uses", "type", "perform_action"),
        "write `action: <plugin>.<name>`, and what it takes as `config`",
    ),
    **dict.fromkeys(("run", "shell", "command", "script", "commands"), _COMMAND),
    **dict.fromkeys(
        ("if", "then", "switch", "cases"),
        "write `choose: [{when: ..., sequence: [...]}]`, and `else` beside it",
    ),
    **dict.fromkeys(
        ("event", "emit"),
        "write `action: nats.publish`, with `config: {subject: lockstep.trigger.<event>, ...}`",
    ),
    **dict.fromkeys(
        ("wait_template", "wait_for", "wait"), "write `wait_for_trigger: {event: ..., filter: ...}`"
    ),
    **dict.fromkeys(("block", "tasks", "steps", "group"), "write `sequence`"),
    **dict.fromkeys(("loop", "with_items", "foreach", "for_each"), _LOOP),
    **dict.fromkeys(
        ("include_tasks", "import_tasks", "include_role", "import_role", "workflow"),
        "write `id: <id>`, `action: automation.start` and "
        "`config: {automation: <its name>, payload: {...}}`",
    ),
    **dict.fromkeys(("set_fact", "set"), "write `variables`"),
    **dict.fromkeys(("pause", "sleep"), "write `delay: {seconds: ...}`"),
    **dict.fromkeys(
        ("debug", "log", "echo", "print"),
        "write `action: automation.log`, and `config: {message: ...}`",
    ),
    **dict.fromkeys(
        ("uri", "http", "fetch", "curl"),
        "write `id: <id>`, `action: http.request` and `config: {method: GET, url: ...}`",
    ),
    **dict.fromkeys(("fail", "throw"), "write `stop: {reason: ..., error: true}`"),
    "assert": "write `condition`",
    "scene": "write `action: <plugin>.<name>`, of a service that knows scenes",
}
_VALUES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("cancel", "replace", "cancel_previous"), "restart"),
    **dict.fromkeys(("queue", "wait"), "queued"),
    **dict.fromkeys(("skip", "drop", "ignore"), "single"),
}
_EVENT: Final = re.compile(r"[\w:-]+(\.[\w:-]+)*", re.ASCII)
_MOST_ATTEMPTS: Final = 100  # as the schema says of `attempts`
_TAGS: Final = "write `${{ secrets.NAME }}`, in a field that its schema marks as a secret"
_ANY_LIST: Final = "write it as an item of a list, with `-` before it"
_UNQUOTED: Final = re.compile(r"(?:[:\-,\[{]\s*|^\s*)\{\{")
_TRUTHS: Final = {
    **dict.fromkeys(("yes", "on", "true"), "true"),
    **dict.fromkeys(("no", "off", "false"), "false"),
}
_OF_CALLS: Final = {_OF_ACTION["timeout"], _RETRY}
_ONLY_CALLS: Final = (
    "leave it out: an action of a service or plug-in takes `timeout_seconds` and `retry`, "
    "the automation `max_duration_seconds`"
)
_BEGINNINGS: Final = ("trigger", "on", "actions", "action", "jobs", "tasks", "steps", "alias")
_ACTIONS: Final = frozenset(one.__name__ for one in KINDS.values())


def root(name: str) -> str | None:
    """Say what to write for a name at the root of an expression."""
    return _ROOTS.get(name)


def begins(raw: Mapping[str, Json]) -> bool:
    """Say whether a document is an automation in another language: its keys are worth a message."""
    return any(name in raw for name in _BEGINNINGS)


def key(kind: str, name: str, raw: Mapping[str, Json]) -> str | None:
    """Say what to write for a key that an object of the language does not have, with its value."""
    if kind == "DelayFor" and (seconds := times.units(raw)) is not None:
        return f"write `delay: {{seconds: {seconds}}}`"
    hint = _KEYS.get(kind, {}).get(name)
    if hint is None and kind in _ACTIONS:
        hint = _OF_ACTION.get(name)
        if hint == _RETRY and kind == "ProviderAction":
            return _retry(raw)
        if hint in _OF_CALLS and kind != "ProviderAction":
            return _ONLY_CALLS
    if hint is None or not hint.endswith("_seconds`"):
        return hint
    seconds = times.seconds({"minutes": raw[name]} if name.endswith("-minutes") else raw[name])
    return hint if seconds is None else f"{hint[:-1]}: {seconds}`"


def kind(names: Iterable[str]) -> str | None:
    """Say what to write for an action that has none of the kinds, by its keys."""
    for name in names:
        module = name.removeprefix("ansible.builtin.")
        if module in _KINDS:
            return _KINDS[module]
        if module != name:
            return _MODULE
        if "." in name:
            return f"write `action: {short(name)}`, and what it takes as `config`"
    return None


def action(raw: Json) -> str | None:
    """Say what to write for a value that is no action."""
    if isinstance(raw, str) and "{{" in raw:
        return "write `condition:` before it, and it without braces"
    if isinstance(raw, str) and "." in raw:
        return f"write `action: {short(raw)}`"
    return "write `sequence:` before the list" if isinstance(raw, list) else None


def is_retried(raw: Mapping[str, Json]) -> bool:
    """Say whether an action has the retries of Ansible, of which `delay` is a part."""
    return "retries" in raw or "until" in raw


def _retry(raw: Mapping[str, Json]) -> str:
    retries, delay = raw.get("retries"), times.seconds(raw.get("delay"))
    attempts = retries + 1 if type(retries) is int else "..."
    pause = "" if delay is None else f", delay_seconds: {delay}"
    return f"write `retry: {{attempts: {attempts}{pause}}}`"


def kinds(raw: Mapping[str, Json]) -> str:
    """Say what to write for an action of two kinds."""
    if is_retried(raw):
        return _retry(raw)
    if isinstance(raw.get("condition"), str) and "action" in raw:
        return "write one action for each, the condition first"
    return "write one action for each"


def shape(wanted: str, raw: Json) -> str | None:
    """Say what to write for a value where an object is expected."""
    if wanted in times.PLACES:
        return times.written(wanted, raw)
    if wanted == "StopWith" and isinstance(raw, str):
        return f"write `stop: {{reason: {msgspec.json.encode(short(raw)).decode()}}}`"
    attempts = raw if isinstance(raw, int) and not isinstance(raw, bool) else -1
    if wanted == "Retry" and 0 <= attempts < _MOST_ATTEMPTS:
        return f"write `retry: {{attempts: {attempts + 1}}}`"
    if wanted == "WaitFor" and isinstance(raw, str) and _EVENT.fullmatch(raw):
        return f"write `wait_for_trigger: {{event: {short(raw)}}}`"
    if wanted == "WaitFor" and isinstance(raw, list):
        return "write one object, `wait_for_trigger: {event: ..., filter: ...}`"
    if wanted == "Definition" and isinstance(raw, list):
        return "an automation is an object; several in a file stand apart by `---`"
    if wanted == "Trigger" and isinstance(raw, str):
        return f"write `event: {short(raw)}`"
    return None


def items(raw: Json) -> str | None:
    """Say what to write for a value where a list is expected."""
    return _ANY_LIST if isinstance(raw, str | dict) and raw else None


def scalar(raw: Json, options: Sequence[object], name: str | int = "") -> str | None:
    """Say what to write for a text where something else is expected, under a key."""
    if not isinstance(raw, str):
        return None
    if str not in options and (templated := times.templated(raw, name)):
        return templated
    if bool in options and raw.lower() in _TRUTHS:
        return f"write `{_TRUTHS[raw.lower()]}`"
    words = [str(word) for one in options if get_origin(one) is Literal for word in get_args(one)]
    typed = raw.lower().replace("-", "_").replace(" ", "_")
    if _VALUES.get(typed) in words:
        return f"write `{_VALUES[typed]}`"
    near = get_close_matches(typed, words, 1)
    return f"did you mean `{near[0]}`?" if near else None


def condition(raw: Json) -> str | None:
    """Say what to write for what is no condition."""
    if isinstance(raw, bool):
        return f'write it as a text, `"{str(raw).lower()}"`'
    if isinstance(raw, list):
        return "write `and:` before the list, or `or:`"
    if not isinstance(raw, dict):
        return None
    named = raw.get("condition")
    if named in ("and", "or", "not") or ("conditions" in raw and named is None):
        return f"write `{named or 'and'}:` and the conditions under it"
    template = raw.get("value_template")
    if isinstance(template, str) or isinstance(named, str):
        return "write the expression alone, such as `trigger.payload.state == 'on'`"
    return None


def tag(name: str) -> str | None:
    """Say what to write for a tag of YAML."""
    if name in ("!secret", "!vault", "!env_var"):
        return _TAGS
    if name.startswith("!include"):
        return "write it out: a file holds whole automations, apart by `---`"
    if name == "!input":
        return "write the value: what starts a run brings its own, `trigger.payload`"
    return None


def unquoted(line: str) -> str | None:
    """Say what to write for a line that is no YAML."""
    if _UNQUOTED.search(line):
        return "a text that begins with `{{` needs quotes around it"
    if line[: len(line) - len(line.lstrip())].count("\t"):
        return "indent with spaces, YAML takes no tabs"
    return None
