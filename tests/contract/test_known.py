"""Schemas that know a catalog say yes and no to the same configs as validation."""

from typing import Any

import jsonschema_rs
import pytest

from lockstep import contract
from lockstep.catalog import action_type, build_catalog, trigger_type
from lockstep.contract import KnownTypes
from lockstep.control.catalog import action_info, trigger_info
from lockstep.definition.validate import validate
from lockstep.render import Renderer
from lockstep_schemas.registration import ActionRegister, TriggerRegister

Json = Any
MAIL: Json = {
    "type": "object",
    "properties": {
        "to": {"$ref": "#/$defs/address"},
        "copies": {"type": "array", "items": {"$ref": "#/$defs/address"}, "uniqueItems": True},
        "size": {"type": "integer", "minimum": 1},
        "urgent": {"type": "boolean"},
        "kind": {"enum": ["text", "html"]},
        "body": {"oneOf": [{"type": "string", "maxLength": 5}, {"type": "object"}]},
        "token": {"type": "string", "minLength": 40, "x-secret": True},
    },
    "required": ["to"],
    "additionalProperties": False,
    "$defs": {"address": {"type": "string", "pattern": "@", "format": "email"}},
}
TEXT = "{{ trigger.payload.x }}"


def known() -> tuple[Any, KnownTypes]:
    """A catalog with a type of a service beside those that are built in; the types in it."""
    catalog = build_catalog(open=True)
    mail = ActionRegister(id="mail.send", owner="mailer", config_schema=MAIL)
    catalog.put_action(action_type(mail, "mailer", "lockstep.action.mail.send", catalog))
    made = ActionRegister(id="mail.make", owner="mailer", produces="mail.letter")
    catalog.put_action(action_type(made, "mailer", "lockstep.action.mail.make", catalog))
    catalog.put_trigger(trigger_type(TriggerRegister(id="mail.came", owner="mailer"), "mailer"))
    return catalog, KnownTypes(
        [action_info(kind) for kind in catalog.actions()],
        [trigger_info(kind) for kind in catalog.triggers()],
        is_whole=True,
    )


CATALOG, KNOWN = known()
SCHEMAS = contract.schemas(KNOWN)
RENDERER = Renderer(CATALOG.filters)


def agree(definition: Json, right: bool) -> None:
    """Both must say so."""
    found = validate(definition, CATALOG, RENDERER).errors
    assert (not found) is right, found
    validator = jsonschema_rs.Draft202012Validator(SCHEMAS["definition"])
    told = [(error.instance_path, error.message) for error in validator.iter_errors(definition)]
    assert (not told) is right, told


@pytest.mark.parametrize(
    ("config", "right"),
    [
        ({"to": "a@b"}, True),
        ({"to": "no address, whatever the format"}, False),
        ({"to": "ann@"}, True),
        ({"to": TEXT}, True),
        ({"to": "${{ secrets.X }}", "token": "x"}, False),
        ({"to": "a@b", "token": "${{ secrets.TOKEN }}"}, True),
        ({}, False),
        ({"to": "a@b", "cc": "x"}, False),
        ({"to": "a@b", "copies": ["a@b", TEXT]}, True),
        ({"to": "a@b", "copies": ["a"]}, False),
        ({"to": "a@b", "copies": TEXT}, True),
        ({"to": "a@b", "copies": [TEXT, TEXT]}, True),
        ({"to": "a@b", "size": 0}, False),
        ({"to": "a@b", "size": "3"}, False),
        ({"to": "a@b", "size": TEXT}, True),
        ({"to": "a@b", "urgent": TEXT}, True),
        ({"to": "a@b", "urgent": "yes"}, False),
        ({"to": "a@b", "kind": "html"}, True),
        ({"to": "a@b", "kind": "xml"}, False),
        ({"to": "a@b", "kind": TEXT}, True),
        ({"to": "a@b", "body": "short"}, True),
        ({"to": "a@b", "body": "too long"}, False),
        ({"to": "a@b", "body": {"any": TEXT}}, True),
        ({"to": "a@b", "body": TEXT}, True),
    ],
)
def test_the_config_of_an_action(config: Json, right: bool) -> None:
    calls = {"action": "mail.send", "config": config}
    agree({"name": "n", "triggers": [{"event": "a"}], "actions": [calls]}, right)
    nested = {"choose": [{"when": "true", "sequence": [{"parallel": [calls]}]}]}
    agree({"name": "n", "triggers": [{"event": "a"}], "actions": [nested]}, right)


@pytest.mark.parametrize(
    ("action", "right"),
    [
        ({"action": "mail.send"}, False),
        ({"action": "mail.make"}, False),
        ({"action": "mail.make", "id": "letter"}, True),
        ({"action": "mail.nothing"}, False),
        ({"action": "automation.log", "config": {"message": "x", "level": "warn"}}, True),
        ({"action": "automation.log", "config": {"message": "x", "level": "loud"}}, False),
        ({"action": "automation.log", "config": {"message": 3}}, False),
    ],
)
def test_the_type_of_an_action(action: Json, right: bool) -> None:
    agree({"name": "n", "triggers": [{"event": "a"}], "actions": [action]}, right)


@pytest.mark.parametrize(
    ("trigger", "right"),
    [
        ({"event": "automation.interval", "config": {"intervalSeconds": 3}}, True),
        ({"event": "automation.interval", "config": {"intervalSeconds": TEXT}}, False),
        ({"event": "automation.interval", "config": {"intervalSeconds": 0}}, False),
        ({"event": "automation.interval"}, False),
        ({"event": "automation.cron", "config": {"cronPattern": "@daily", "zone": "x"}}, False),
        ({"event": "mail.came"}, True),
        ({"event": "mail.came", "config": {}}, True),
        ({"event": "mail.came", "config": {"x": 1}}, False),
        ({"event": "of.nobody", "config": {"x": 1}}, True),
    ],
)
def test_the_config_of_a_trigger(trigger: Json, right: bool) -> None:
    agree({"name": "n", "triggers": [trigger]}, right)


def test_only_what_authors_keep_to_is_changed() -> None:
    plain = contract.schemas()
    changed = {name for name, document in SCHEMAS.items() if document != plain[name]}
    assert changed == {"definition", "automation-document", "case-file"}


def test_what_is_not_known_here_may_be_known_to_an_engine() -> None:
    here = KnownTypes(KNOWN.actions, KNOWN.triggers, is_whole=False)
    validator = jsonschema_rs.Draft202012Validator(contract.schemas(here)["definition"])
    call = {"action": "of.a_service", "config": {"x": 1}}
    assert validator.is_valid({"name": "n", "triggers": [{"event": "a"}], "actions": [call]})
