"""The AsyncAPI document: valid by the specification, whole, about the subjects that there are."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from lockstep import control
from lockstep.bus.names import Names
from lockstep.contract.channels import CHANNELS

FOLDER = Path(__file__).parents[2] / "schemas"
TEXT = (FOLDER / "asyncapi.yaml").read_text()
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)
NAMES = Names("lockstep")
WORDS = {
    "prefix": "lockstep",
    "eventId": "a.b",
    "lane": "fast",
    "automationId": "auto",
    "what": "failed",
    "plugin": "p",
    "name": "n",
    "waitId": "w",
    "workerId": "x",
}


def references(value: object) -> Iterator[str]:
    """All references in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_is_valid_by_the_schema_of_the_specification(node: Path) -> None:
    schema = json.loads((node / "node_modules/@asyncapi/specs/schemas/3.0.0.json").read_text())
    errors = jsonschema_rs.Draft7Validator(schema).iter_errors(DOCUMENT)
    assert [(error.instance_path, error.message) for error in errors] == []


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        file, _, path = reference.partition("#")
        if file:
            assert (FOLDER / file).is_file(), reference
            continue
        target = DOCUMENT
        for word in path.strip("/").split("/"):
            target = target[word]


def test_no_channel_and_no_message_is_left_over() -> None:
    operations = DOCUMENT["operations"].values()
    used = {one["channel"]["$ref"].rpartition("/")[2] for one in operations}
    used |= {one["reply"]["channel"]["$ref"].rpartition("/")[2] for one in operations
             if "reply" in one}  # fmt: skip
    assert set(DOCUMENT["channels"]) == used
    carried = {name for channel in DOCUMENT["channels"].values() for name in channel["messages"]}
    assert set(DOCUMENT["components"]["messages"]) == carried


def test_every_endpoint_is_a_request_with_a_reply() -> None:
    for endpoint in control.table():
        operation = DOCUMENT["operations"][f"api.{endpoint}"]
        assert operation["action"] == "receive"
        replies = [one["$ref"].rpartition("/")[2] for one in operation["reply"]["messages"]]
        assert replies == [f"api.{endpoint}.reply", "error"]
        assert DOCUMENT["channels"][f"api.{endpoint}"]["address"] == f"{{prefix}}.api.{endpoint}"


def test_the_addresses_are_the_subjects_of_the_engine() -> None:
    addresses = {name: one.address.format(**WORDS) for name, one in CHANNELS.items()}
    assert addresses == {
        "trigger": NAMES.trigger("a.b"),
        "laneTrigger": NAMES.trigger("a.b", "fast"),
        "actionDone": NAMES.trigger("lockstep.action.done"),
        "run": NAMES.run("auto", "failed"),
        "automation": NAMES.automation("auto", "failed"),
        "dead": NAMES.dead("a.b"),
        "action": NAMES.action("p.n"),
        "secret": NAMES.secret,
        "notify": f"{NAMES.prefix}.notify",
        "wakeDelay": NAMES.wake("delay", "w"),
        "wakeWait": NAMES.wake("wait", "w"),
        "worker": NAMES.worker("x"),
    }
    streams = {one.stream for one in CHANNELS.values()} - {None}
    buckets = {NAMES.bucket_stream(one) for one in (NAMES.delays_bucket, NAMES.waits_bucket)}
    assert streams == {NAMES.triggers_stream, NAMES.runs_stream, NAMES.dead_stream} | buckets


def test_every_channel_parameter_is_described() -> None:
    for name, channel in DOCUMENT["channels"].items():
        for parameter in channel.get("parameters", {}).values():
            assert parameter["description"], name
