"""The schema of case files: kinds of cases and entries are told by their keys."""

from collections.abc import Mapping
from typing import Final

import msgspec

from lockstep.cases import format as cases
from lockstep.cases.operations import OPERATIONS, START, STOP
from lockstep.contract.builder import Builder, Schema
from lockstep_schemas.definition import Definition

_SINCE: Final = "Of the first run: "
_ALL: Final = "Of all runs: "

_EXPECT: Final = {
    "status": f"{_SINCE}how it stands.",
    "error_contains": f"{_SINCE}a part of its error.",
    "error_contains_any": f"{_SINCE}one of these is a part of its error.",
    "steps": f"{_SINCE}statuses of steps by path; others may be there.",
    "steps_absent": f"{_SINCE}paths that have no step.",
    "waiting_at": f"{_SINCE}the paths where it waits, all of them.",
    "trigger_id": f"{_SINCE}the trigger that started it.",
    "trigger_event_id": f"{_SINCE}the event that started it.",
    "context_key": f"{_SINCE}its context key; null: none.",
    "recorded": f"{_ALL}what `test.record` was given, in order.",
    "recorded_set": f"{_ALL}what `test.record` was given, in any order.",
    "recorded_before": f"{_ALL}pairs of recorded values, the first before the second.",
    "not_recorded": f"{_ALL}values that are not recorded.",
    "recorded_count": f"{_ALL}how many values are recorded.",
    "run_count": "Runs that were started; refused ones do not count.",
    "run_count_min": "At least so many runs were started.",
    "run_count_max": "At most so many runs were started.",
    "runs": "Each run that was started, in order.",
    "skipped_count": "Runs that were refused.",
    "artifacts": "Each is part of an artifact that is there.",
    "artifact_count": "Artifacts that are there.",
    "consumed": "What `test.consumer` was given, call by call.",
    "action_calls": "Calls of the test actions.",
    "calls": "Calls of the stubs: `{action, config}`, in order.",
    "any_of": "At least one of these holds.",
    "checkpoints": "What holds right after an entry.",
}
_CASE: Final = {
    "id": "Unique among all files that are run together.",
    "what": "What is promised, in a sentence.",
    "note": "For readers.",
    "level": "Whether a failure of it fails the whole.",
    "requires": "Features without which it is skipped.",
}
WORDS: Final[Mapping[type[msgspec.Struct], Mapping[str, str]]] = {
    cases.Expect: _EXPECT,
    cases.EntryCheck: {**_EXPECT, "after": "The index of the entry, from 0."},
    cases.PublishEntry: {
        "event": "Its id.",
        "payload": "Its payload.",
        "context_key": "Its context key; null: none.",
        "after_s": "Engine seconds that pass first.",
        "crash_after": "Where the worker that handles it dies.",
        "actor": "Who caused it.",
    },
    cases.WaitEntry: {"wait_s": "Engine seconds that pass."},
    cases.OperationEntry: {
        "op": f"One of {', '.join(sorted(OPERATIONS))}. "
        f"Between {STOP} and {START} no engine runs: events wait in the stream, time passes.",
        "run": "The run, by its place in the order of creation, from 0.",
        "automation": "The id of the automation; `auto-1` if absent.",
        "definition": "The definition that is stored.",
        "type": "The type of the artifacts.",
        "value": "A value that is in the artifacts.",
        "down_s": "Engine seconds for which the engine is away.",
        "of": "The event that is delivered again, by its place.",
        "heartbeat_age_s": "How old the signs of life of the workers shall look, in seconds.",
        "mark_running": "Whether waiting runs shall look as if they were executed.",
        "after_s": "Engine seconds that pass first.",
    },
    cases.Concurrent: {"concurrent": "What happens at the same moment."},
    cases.Reference: {
        "file": "Which file, from that of the case: `../door.yaml`.",
        "folder": "Which folder, from the file of the case; with an `id`.",
        "id": "The `id` of the automation, where there are several.",
    },
    cases.StoredAutomation: {
        "id": "Its id.",
        "definition": "What it does, or `{file: ...}`.",
        "name": "Its name; else that of the file, or of the definition.",
        "status": "Whether events start runs.",
    },
    cases.EventCase: {
        **_CASE,
        "automation": "One definition, or the file that holds it, as in `{file: ../door.yaml}`; "
        "stored as `auto-1`. Or give `automations`.",
        "automations": "Several automations.",
        "automation_status": "Whether events start runs of it.",
        "events": "What happens, in order.",
        "expect": "What must be true in the end.",
        "repeat": "How often the case is run.",
        "instances": "Replicas of the engine.",
        "starts_at": "The time at which its clock begins; else the beginning of 2026.",
        "settle_s": "Engine seconds that pass after the last entry.",
        "virtual_clock": "Whether time is that of the case.",
        "real_time": "Whether the seconds that pass are real ones.",
        "or_rejected_at_save": "It is well too if the automation is refused.",
        "stubs": "What actions answer, by their ids: one answer, or a list of them, call by call. "
        "What one produces is called like it, or as `produces` of an answer says.",
    },
    cases.ValueCase: {
        **_CASE,
        "template": "Text with `{{ expression }}`.",
        "expression": "A bare expression.",
        "condition": "A condition.",
        "context": "What the text can name.",
        "scope": "What the text can name, as in a run.",
        "now": "The time that it is.",
        "expect": "What it gives, or that it is refused.",
    },
    cases.ValidationCase: {
        **_CASE,
        "definition": "A definition, right or wrong.",
        "expect": "What validation says of it.",
    },
    cases.Verdict: {
        "valid": "Whether it is accepted.",
        "issues": "Faults that are found.",
        "only": "Whether there are no others.",
    },
    cases.WantedIssue: {
        "path": "Where: `actions.0.delay`.",
        "match": "Whether that is the whole path or its beginning.",
        "contains": "A part of the message.",
    },
    cases.ApiCase: {
        **_CASE,
        "setup": "Calls before, which must succeed.",
        "calls": "Calls of the control API, in order.",
    },
    cases.ApiCall: {
        "op": "The endpoint.",
        "input": "The request; `$1.id` is a field of the first reply.",
        "expect": "What the reply is like.",
    },
    cases.RegistryCase: {
        **_CASE,
        "register": "What plug-ins register, in order.",
        "expect": "What the catalog then holds.",
    },
    cases.Entered: {
        "kind": "What is registered.",
        "plugin": "The plug-in.",
        "id": "The id within the plug-in.",
        "hook": "Whether the events of a trigger come from the bus.",
        "setup": "Whether a trigger has a set-up.",
        "category": "To list by.",
        "config": "JSON Schema of the config.",
        "payload": "JSON Schema of the payload.",
        "context_key": "What the context key is made of.",
        "produces": "Type of the artifact that an action makes.",
        "schema": "JSON Schema of an artifact.",
        "returns": "What an action gives.",
        "raises": "With what an action breaks.",
        "returns_failure": "With what an action fails.",
    },
    cases.MigrationCase: {
        **_CASE,
        "subscription": "The webhook subscription.",
        "expect": "What becomes of it.",
    },
    cases.WantedAction: {
        "action": "Which action it is.",
        "config": "A part of its config.",
        "config_non_empty": "Fields of its config that are there and not empty.",
        "config_absent": "Fields that its config does not have.",
    },
    cases.WantedText: {
        "field": "A field of its config.",
        "text": "What it holds, among other words, once it is rendered.",
        "scope_event": "The event that it is rendered for.",
        "scope_payload": "The payload of that event.",
    },
    cases.WantedAgain: {
        "automations": "How many automations there are then.",
        "second_run": "What becomes of it the second time.",
    },
    cases.MigrationExpect: {
        "ok": "Whether it becomes an automation.",
        "definition": "The whole definition of it.",
        "trigger0_event": "The event of its trigger.",
        "action0": "What its action has, among others.",
        "action0_rendered_contains": "Words of the rendered config.",
        "condition_count": "How many conditions it has.",
        "condition0_is_text": "Whether its condition is a text.",
        "condition0_or_count": "How many operands its `or` has.",
        "condition0_true_for": "Payloads that its condition lets pass.",
        "condition0_false_for": "Payloads that its condition stops.",
        "condition0_mentions": "Words in its condition.",
        "automation_status": "Whether it is enabled.",
        "after_two_runs": "What is there after a second import.",
        "reason_contains": "Words of the reason why not.",
    },
}
"""What the fields of cases mean; the structs are in `cases.format`."""


def schema(builder: Builder) -> Schema:
    """Give the schema of a case file."""
    return {
        "description": "Cases of automations, as `lockstep test` runs them.",
        "type": "object",
        "properties": {
            "group": {"description": "What the cases are about.", "type": ["string", "null"]},
            "cases": {
                "description": "Each is run alone.",
                "type": "array",
                "items": builder.ref("Case", lambda: _case(builder)),
            },
        },
        "required": ["cases"],
        "additionalProperties": False,
    }


def _case(builder: Builder) -> Schema:
    """Tell the kind in the order in which the runner does."""
    values = ("template", "expression", "condition")
    return {
        "type": "object",
        "description": "The keys say of which kind a case is.",
        **_first_of(
            [
                (_has("calls"), builder.of(cases.ApiCase)),
                (_has("register"), builder.of(cases.RegistryCase)),
                (_has("subscription"), builder.of(cases.MigrationCase)),
                ({"anyOf": [_has(key) for key in values]}, builder.of(cases.ValueCase)),
                (_has("definition"), builder.of(cases.ValidationCase)),
            ],
            _event_case(builder),
        ),
    }


def _event_case(builder: Builder) -> Schema:
    """Say of the struct what it leaves open: definitions and entries, for editors."""
    reference = builder.of(cases.EventCase)
    made = builder.defs["EventCase"]
    made["properties"]["events"]["items"] = builder.ref("Entry", lambda: _entry(builder))
    several = {"properties": {"automations": {"minItems": 1}}, **_has("automations")}
    made["oneOf"] = [_has("automation"), several]
    # Where the engine may refuse it, a definition may be anything.
    refused = {"properties": {"or_rejected_at_save": {"const": True}}}
    made["if"] = {"not": {**refused, **_has("or_rejected_at_save")}}
    named = {"anyOf": [_has("file"), _has("folder")], "not": _has("triggers")}
    definition = {"if": named, "then": builder.of(cases.Reference), "else": builder.of(Definition)}
    made["then"] = {"properties": {"automation": definition}}
    builder.defs["Reference"]["oneOf"] = [_has("file"), {"required": ["folder", "id"]}]
    return reference


def _entry(builder: Builder) -> Schema:
    concurrent = builder.of(cases.Concurrent)
    items = builder.defs["Concurrent"]["properties"]["concurrent"]
    items["items"] = builder.ref("Entry", dict)
    kinds = {"event": cases.PublishEntry, "wait_s": cases.WaitEntry, "op": cases.OperationEntry}
    return {
        "type": "object",
        "description": "An event, seconds that pass, an operation, or some of them at once.",
        **_first_of([(_has(key), builder.of(kind)) for key, kind in kinds.items()], concurrent),
    }


def _has(key: str) -> Schema:
    return {"required": [key]}


def _first_of(kinds: list[tuple[Schema, Schema]], otherwise: Schema) -> Schema:
    """The first that applies, else `otherwise`."""
    made = otherwise
    for test, then in reversed(kinds):
        made = {"if": test, "then": then, "else": made}
    return made
