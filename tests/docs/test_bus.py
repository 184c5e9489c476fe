"""The page of the bus and the API: every public name stands there, and none that does not exist."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import msgspec
import pytest
from msgspec import NODEFAULT
from msgspec import inspect as inspected
from msgspec.structs import fields

from engine.test_probes import NAMES
from lockstep import control
from lockstep.bus.names import Names
from lockstep.bus.service import MAX_REQUEST_BYTES
from lockstep.bus.topology import DEAD_LETTER_ROOM_BYTES
from lockstep.cases.format import (
    Concurrent,
    EventCase,
    Expect,
    OperationEntry,
    PublishEntry,
    WaitEntry,
)
from lockstep.cases.operations import OPERATIONS
from lockstep.catalog import ActionContext, ActionOptions, ActionResult, Registry, TriggerOptions
from lockstep.cli.main import COMMANDS
from lockstep.client.remote import REQUEST_SECONDS
from lockstep.contract.channels import CHANNELS
from lockstep.control import subscriptions
from lockstep.intake.decode import MAX_EVENT_ID_BYTES, MAX_MESSAGE_ID_BYTES
from lockstep.model.faults import STATUS
from lockstep.settings.structs import Settings
from lockstep_schemas import (
    api,
    events,
    headers,
    migration,
    notify,
    registration,
    remote,
    run_events,
    secrets,
)
from values import values

PAGE: Final = (Path(__file__).parents[2] / "docs/BUS.md").read_text()
HEADINGS: Final = {*re.findall(r"^#### (\w+)$", PAGE, re.MULTILINE)}
# Structs that cross the bus beside the endpoints of the API.
OTHERS: Final = (
    headers.EventHeaders, headers.DeadLetterHeaders, headers.RunEventHeaders,
    headers.RequestHeaders, headers.ErrorHeaders, run_events.RunEvent, run_events.AutomationEvent,
    remote.ActionRequest, remote.ActionReply, remote.ActionDone, notify.NotifyRequest,
    notify.NotifyReply, secrets.SecretRequest, secrets.SecretReply,
    api.Fault, migration.Subscription,
)  # fmt: skip


def table(section: str) -> list[list[str]]:
    """Give the cells of the first table below a heading."""
    text = PAGE.partition(f"\n{section}\n")[2]
    rows = re.search(r"^\| --- .*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert rows, section
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[1].splitlines()]


def names(section: str) -> list[str]:
    """Give the first cells of it, without their marks."""
    return [row[0].strip("`") for row in table(section)]


def structs(kind: object) -> Iterator[type]:
    """Give the structs that a type is made of, itself first."""
    match inspected.type_info(kind) if not isinstance(kind, inspected.Type) else kind:
        case inspected.StructType(cls=cls, fields=fields):
            yield cls
            for one in fields:
                yield from structs(one.type)
        case inspected.UnionType(types=types):
            for one in types:
                yield from structs(one)
        case inspected.ListType(item_type=item):
            yield from structs(item)
        case inspected.DictType(value_type=value):
            yield from structs(value)
        case inspected.Metadata(type=inner):
            yield from structs(inner)


def all_structs() -> dict[str, type]:
    """Give the structs of all that crosses the bus, by name."""
    sides = [kind for one in control.table().values() for kind in (one.request, one.reply)]
    return {one.__name__: one for kind in (*sides, *OTHERS) for one in structs(kind)}


def left_out(field: inspected.Field) -> str:
    """Say what a field is that is left out."""
    if field.required:
        return "required"
    if field.default_factory is not NODEFAULT:
        return f"`{msgspec.json.encode(field.default_factory()).decode()}`"
    if field.default is NODEFAULT:  # msgspec's UNSET
        return "absent"
    return "null" if field.default is None else f"`{msgspec.json.encode(field.default).decode()}`"


@pytest.mark.parametrize(("name", "kind"), all_structs().items())
def test_a_table_has_all_fields_with_their_values_and_what_counts_where_they_are_left_out(
    name: str, kind: type
) -> None:
    found = inspected.type_info(kind)
    assert isinstance(found, inspected.StructType)
    assert PAGE.count(f"<!-- fields: {name} -->") == 1
    if not found.fields:
        assert "It has no fields." in PAGE.partition(f"<!-- fields: {name} -->\n")[2][:20]
        return
    rows = table(f"<!-- fields: {name} -->")
    assert [tuple(row[:3]) for row in rows] == [
        (f"`{one.encode_name}`", values(one.type, HEADINGS), left_out(one)) for one in found.fields
    ]
    assert all(row[3] for row in rows)


def test_there_is_a_table_of_nothing_else() -> None:
    there = [*all_structs(), "EventCase", "Expect"]
    assert sorted(re.findall(r"<!-- fields: (\w+) -->", PAGE)) == sorted(there)


@pytest.mark.parametrize("kind", [EventCase, Expect])
def test_every_key_of_a_case_is_there(kind: type[EventCase | Expect]) -> None:
    there = [one.encode_name for one in msgspec.structs.fields(kind)]
    assert sorted(names(f"<!-- fields: {kind.__name__} -->")) == sorted(there)


def test_every_entry_and_operation_of_a_case_is_there() -> None:
    text = PAGE.partition("\n## Cases\n")[2]
    entries = re.findall(r"^\| `\{(event.*|wait_s|concurrent)\}` \|", text, re.MULTILINE)
    kinds = (PublishEntry, WaitEntry, Concurrent)
    assert [set(one.split(", ")) for one in entries] == [
        {field.encode_name for field in msgspec.structs.fields(kind)} for kind in kinds
    ]
    rows = re.findall(
        r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", text.partition("| op | what")[2], re.MULTILINE
    )
    named = [word for row in rows for word in re.findall(r"`(\w+)`", row)]
    assert {one for one in named if one in OPERATIONS} == OPERATIONS
    fields = {field.encode_name for field in msgspec.structs.fields(OperationEntry)}
    assert {one for one in fields - {"op", "after_s"} if f"`{one}`" not in text} == set()


@pytest.mark.parametrize("kind", [TriggerOptions, ActionOptions, ActionContext, ActionResult])
def test_what_a_plugin_says_and_is_handed_is_all_there(kind: type) -> None:
    assert names(f"<!-- options: {kind.__name__} -->") == list(kind.__annotations__)


def test_every_method_of_the_registry_is_there() -> None:
    rows = table("<!-- methods -->")
    shown = {word for row in rows for word in re.findall(r"`(\w+)`", row[0])}
    public = {name for name, one in vars(Registry).items() if inspect.isfunction(one)}
    assert shown == {name for name in public if not name.startswith("_")} - {"close"}


def test_every_endpoint_is_there_with_its_request_and_its_reply() -> None:
    shown = re.findall(r"^\| `([a-z_.]+)` \| \[(\w+)\]\(#\w+\) \| \[(\w+)\]", PAGE, re.MULTILINE)
    there = control.table().items()
    assert sorted(shown) == sorted(
        (name, one.request.__name__, one.reply.__name__) for name, one in there
    )


def test_the_subjects_are_those_of_the_channels() -> None:
    shown = {row[0].strip("`"): row[2] for row in table("## Subjects and streams")}
    del shown["lockstep.api.<endpoint>"]

    def spelled(address: str) -> str:
        words = re.sub(r"([A-Z])", lambda found: f" {found[1].lower()}", address)
        return words.replace("{prefix}", "lockstep").replace("{", "<").replace("}", ">")

    assert sorted(shown) == sorted(spelled(one.address) for one in CHANNELS.values())
    for one in CHANNELS.values():
        stream = shown[spelled(one.address)]
        assert (stream == f"`{one.stream}`") if one.stream else stream.startswith("none")


def test_the_buckets_and_groups_are_those_of_the_bus() -> None:
    there = Names("lockstep")
    buckets = {there.delays_bucket, there.waits_bucket, there.workers_bucket}
    assert {*names("| KV bucket | what is in it |")} == buckets
    assert f"`{there.consumer()}`" in PAGE
    assert f"`{there.consumer('<lane>')}`" in PAGE


def test_every_run_event_is_there() -> None:
    assert names("## Run events") == list(get_args(run_events.What))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Statuses of a run: ", run_events.RunStatus),
        ("Statuses of a step: ", run_events.StepStatus),
        ("Kinds of a wait: ", run_events.WaitKind),
    ],
)
def test_statuses_and_kinds_are_all_there(said: str, words: object) -> None:
    text = re.sub(r"\([^)]*\)", "", PAGE.partition(said)[2].partition(".")[0])
    assert re.findall(r"`(\w+)`", text) == list(get_args(words))


def test_every_header_is_there() -> None:
    known = {value for name, value in vars(events).items() if name.startswith("HEADER_")}
    assert {one for one in known if f"`{one}`" not in PAGE} == set()
    shown = set(re.findall(r"`((?:Lockstep|Nats)-[\w-]+)`", PAGE))
    assert shown - known == {"Nats-Service-Error-Code", "Nats-Service-Error"}


def test_every_code_of_an_error_is_there_with_its_number() -> None:
    shown = {row[0].strip("`"): row[1] for row in table("<!-- codes -->")}
    assert [*shown.items()] == [*STATUS.items()]


def test_the_numbers_in_its_sentences_are_those_that_hold() -> None:
    names = {section.name: section.default_factory() for section in fields(Settings)}
    told = re.findall(r"`(\w+)\.(\w+)` \((\d+)( minutes)?\)", PAGE)
    assert len(told) >= 3
    for section, name, number, minutes in told:
        assert getattr(names[section], name) == int(number) * (60 if minutes else 1), name
    kept = names["nats"]
    assert f"keeps what is told for {kept.runs_max_age_days:g} days" in PAGE
    assert f"dead letters for {kept.dead_max_age_days:g}; both" in PAGE
    room, most = DEAD_LETTER_ROOM_BYTES // 1024, MAX_REQUEST_BYTES // 1024
    assert f"the headers of a dead letter need ({room} KiB)" in PAGE
    assert f"A request may be {most:,} KiB large; wait {REQUEST_SECONDS:g} s" in PAGE
    assert f"{MAX_EVENT_ID_BYTES} bytes, or its message id is longer than" in PAGE
    assert f"its message id is longer than {MAX_MESSAGE_ID_BYTES:,} bytes" in PAGE


def test_what_the_guide_says_of_a_service_with_actions_is_what_the_page_says() -> None:
    guide = (Path(__file__).parents[2] / "docs/GUIDE.md").read_text()
    kinds = (("register", registration.ActionRegister), ("request", remote.ActionRequest))
    for row, kind in (*kinds, ("reply", remote.ActionReply)):
        (told,) = re.findall(rf"^\| {row} \| `\{{(.+?)\}}`", guide, re.MULTILINE)
        assert {word.rstrip("?") for word in told.split(", ")} == {
            one.encode_name for one in fields(kind)
        } - {"accepted"}
        optional = {one.encode_name for one in fields(kind) if not one.required}
        assert {word[:-1] for word in told.split(", ") if word.endswith("?")} == optional - {
            "accepted", "success",
        }  # fmt: skip


def test_every_metric_is_there() -> None:
    text = PAGE.partition("## Probes and metrics\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `(lockstep_\w+)` \|", text, re.MULTILINE)
    assert sorted(name.removesuffix("_total") for name in shown) == sorted(NAMES)


def test_every_command_is_there() -> None:
    text = PAGE.partition("## The command line\n")[2]
    assert re.findall(r"^\| `lockstep ([\w -]+)` \|", text, re.MULTILINE) == list(COMMANDS)


def test_every_provider_of_subscriptions_is_there() -> None:
    shown = re.findall(r"^\| `(integration-[\w.-]+)` \| `([\w.-]+)` \|", PAGE, re.MULTILINE)
    assert dict(shown) == {name: action for name, (action, _) in subscriptions.PROVIDERS.items()}
