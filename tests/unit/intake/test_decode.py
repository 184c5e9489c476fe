"""From a message to an event, under a strict catalog and an open one."""

from dataclasses import dataclass, field

import pytest

from lockstep.catalog import MemoryCatalog, build_catalog
from lockstep.intake import Decoder
from lockstep.model.events import Event, Poison


@dataclass
class Letter:
    """A message as the bus hands it over."""

    subject: str = "lockstep.trigger.door.opened"
    data: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    stream: str = "LOCKSTEP_TRIGGERS"
    sequence: int = 7
    stored_at_ns: int = 1_700_000_000_123_456_789
    deliveries: int = 1


def catalog(*, is_open: bool) -> MemoryCatalog:
    """A catalog with one trigger type that has a schema and a context key."""
    made = build_catalog(is_open)
    with made.registering("door") as registry:
        registry.trigger(
            "opened",
            payload={
                "type": "object",
                "properties": {"room": {"type": "string"}},
                "required": ["room"],
            },
            context_key="/room",
        )
    return made


def decode(letter: Letter, *, is_open: bool = False) -> Event | Poison:
    """Decode with the default prefix and hop limit."""
    return Decoder(catalog(is_open=is_open), "lockstep", 16).decode(letter)


def test_an_event_has_what_its_message_says() -> None:
    headers = {
        "Nats-Msg-Id": "m1",
        "Lockstep-Actor": '{"type": "user", "id": "u", "name": "Ada"}',
        "Lockstep-Hop": "3",
    }
    event = decode(Letter(data=b'{"room": "vault"}', headers=headers))
    assert isinstance(event, Event)
    assert (event.id, event.payload, event.message_id) == ("door.opened", {"room": "vault"}, "m1")
    assert (event.actor.type, event.actor.name, event.hop) == ("user", "Ada", 3)
    assert event.context_key == "vault"
    assert event.delivery == "LOCKSTEP_TRIGGERS:7:1700000000123456789"
    assert event.time.isoformat() == "2023-11-14T22:13:20.123456+00:00"


def test_an_event_of_a_lane_has_the_same_id() -> None:
    letter = Letter("lockstep.lane.fast.trigger.door.opened", b'{"room": "x"}')
    event = decode(letter)
    assert isinstance(event, Event)
    assert event.id == "door.opened"


def test_the_actor_is_the_system_where_nobody_is_named() -> None:
    event = decode(Letter(data=b'{"room": "x"}'))
    assert isinstance(event, Event)
    assert (event.actor.type, event.actor.id) == ("system", None)


def test_an_unknown_event_is_poison_in_a_strict_catalog_and_welcome_in_an_open_one() -> None:
    letter = Letter("lockstep.trigger.window.opened")
    strict = decode(letter)
    assert isinstance(strict, Poison)
    assert "unknown event 'window.opened'" in strict.reason
    assert isinstance(decode(letter, is_open=True), Event)


@pytest.mark.parametrize("body", [b"{}", b'{"room": 5}'])
def test_a_payload_against_its_schema_is_poison_and_the_reason_names_the_place(
    body: bytes,
) -> None:
    poison = decode(Letter(data=body))
    assert isinstance(poison, Poison)
    assert "breaks the schema of 'door.opened'" in poison.reason
    assert "room" in poison.reason


def test_an_empty_context_key_header_means_null_and_a_given_one_overrides() -> None:
    for header, wanted in (("", None), ("k", "k")):
        letter = Letter(data=b'{"room": "x"}', headers={"Lockstep-Context-Key": header})
        event = decode(letter)
        assert isinstance(event, Event)
        assert event.context_key == wanted


@pytest.mark.parametrize(
    ("data", "headers", "is_taken"),
    [
        pytest.param(b'{"a":' * 64 + b"1" + b"}" * 64, {}, True, id="as deep as is taken"),
        pytest.param(b'{"a":' * 70 + b"1" + b"}" * 70, {}, False, id="objects"),
        pytest.param(b'{"a":' + b"[" * 976 + b"]" * 976 + b"}", {}, False, id="lists"),
        pytest.param(b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", {}, False, id="one more"),
        pytest.param(b'{"a":' + b"[" * 63 + b"]" * 63 + b"}", {}, True, id="the most"),
        pytest.param(b'{"a":"' + b"[" * 976 + b'"}', {}, True, id="a text"),
        pytest.param(b'{"a":[' + b"{}," * 976 + b"{}]}", {}, True, id="wide"),
        pytest.param(
            b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":'
            + (b'{"a":' * 65 + b"1" + b"}" * 65)
            + b"}",
            {"Content-Type": "application/cloudevents+json"},
            False,
            id="a CloudEvent",
        ),
    ],
)
def test_a_payload_that_no_later_step_could_stand_is_poison(
    data: bytes, headers: dict[str, str], is_taken: bool
) -> None:
    found = decode(Letter(subject="lockstep.trigger.e", data=data, headers=headers), is_open=True)
    if is_taken:
        assert isinstance(found, Event)
    else:
        assert isinstance(found, Poison)
        assert "nests deeper than 64 levels" in found.reason
