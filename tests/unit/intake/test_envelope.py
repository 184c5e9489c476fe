"""What is around a payload: CloudEvents in both forms, ids, traces; and whatever else may come."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.intake import Decoder
from lockstep.model.events import Event, Poison
from lockstep_schemas.events import ACTION_DONE
from unit.intake.test_decode import Letter, catalog

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
OPEN = Decoder(catalog(is_open=True), "lockstep", 16)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def taken(body: bytes = b"{}", **headers: str) -> Event:
    """Decode what becomes an event; of header names `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = OPEN.decode(Letter("lockstep.trigger.any", body, named))
    assert isinstance(found, Event), found
    return found


def refused(body: bytes = b"{}", **headers: str) -> str:
    """Decode what becomes poison; give the reason."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = OPEN.decode(Letter("lockstep.trigger.any", body, named))
    assert isinstance(found, Poison), found
    return found.reason


def envelope(**attributes: Any) -> bytes:
    """A CloudEvent as JSON; what is None is left out."""
    whole = {"specversion": "1.0", "id": "ce-1", "source": "/shop", "type": "shop.sold"}
    whole |= {"data": {"n": 1}, **attributes}
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def structured(media: str = "application/cloudevents+json", **attributes: Any) -> Event:
    return taken(envelope(**attributes), Content_Type=media)


def test_the_id_is_that_of_the_message_else_that_of_the_cloud_event() -> None:
    assert taken(Nats_Msg_Id="m", ce_id="c").message_id == "m"
    assert taken(ce_id="c").message_id == "c"
    assert taken(Ce_Id="c").message_id == "c", "bridges from HTTP write names as they like"
    assert taken(Nats_Msg_Id="", ce_id="").message_id is None
    assert taken().message_id is None


def test_of_a_cloud_event_in_binary_form_the_body_is_the_payload() -> None:
    event = taken(
        b'{"data": 5}',
        ce_specversion="1.0",
        ce_type="something.else",
        ce_source="/shop",
        ce_id="c",
        Content_Type="application/json",
    )
    assert (event.id, event.payload, event.message_id) == ("any", {"data": 5}, "c")


@pytest.mark.parametrize(
    "media",
    [
        "application/cloudevents+json",
        "application/cloudevents+json; charset=utf-8",
        " Application/CloudEvents+JSON ;charset=UTF-8",
    ],
)
def test_of_a_structured_cloud_event_the_data_is_the_payload(media: str) -> None:
    event = structured(media, time="2030-01-01T00:00:00Z", subject="s", extension=5)
    assert (event.id, event.payload, event.message_id) == ("any", {"n": 1}, "ce-1")
    assert json.loads(event.body) == {"n": 1}


def test_the_data_is_kept_as_it_was_written() -> None:
    body = b'{"data": {"n":1.50, "n2": 12345678901234567890}, "specversion":"1.0","id":"i",'
    event = taken(
        body + b'"source":"s","type":"t"}', **{"content-type": STRUCTURED["Content-Type"]}
    )
    assert event.body == b'{"n":1.50, "n2": 12345678901234567890}'


def test_data_in_base64_is_json_too() -> None:
    data = b64encode(b'{"n": 2}').decode()
    event = structured(data=None, data_base64=data)
    assert (event.payload, event.body) == ({"n": 2}, b'{"n": 2}')


def test_the_id_of_the_message_counts_more_than_that_of_its_envelope() -> None:
    assert taken(envelope(), **STRUCTURED, Nats_Msg_Id="m", ce_id="c").message_id == "m"
    assert taken(envelope(), **STRUCTURED, ce_id="c").message_id == "ce-1"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"no json", "the CloudEvent is no JSON"),
        (b"\xff", "the CloudEvent is no JSON"),
        (b"[" * 100_000, "the CloudEvent is"),
        (b"[]", "the CloudEvent is not as it must be: "),
        (envelope(id=None), "`id`"),
        (envelope(id=""), "at `$.id`"),
        (envelope(id=5), "at `$.id`"),
        (envelope(source=None), "`source`"),
        (envelope(type=None), "`type`"),
        (envelope(specversion="0.3"), "specversion '0.3' of the CloudEvent is not 1.0"),
        (envelope(data=None), "the CloudEvent has no data"),
        (envelope(data=[1]), "data of the CloudEvent is no JSON object but a list"),
        (envelope(data="x"), "data of the CloudEvent is no JSON object but a text"),
        (envelope(data_base64="e30="), "both data and data_base64"),
        (envelope(data=None, data_base64="?"), "data_base64 of the CloudEvent is no base64"),
        (envelope(data=None, data_base64="é"), "data_base64 of the CloudEvent is no base64"),
        (envelope(data=None, data_base64="NQ=="), "no JSON object but a number"),
        (envelope(data=None, data_base64="/w=="), "data_base64 of the CloudEvent is no JSON"),
    ],
)
def test_a_wrong_envelope_is_poison_and_the_reason_says_what_is_wrong(
    body: bytes, reason: str
) -> None:
    assert reason in refused(body, **STRUCTURED)


@pytest.mark.parametrize(
    "media", ["application/cloudevents-batch+json", "application/cloudevents+avro"]
)
def test_other_forms_of_cloud_events_are_poison(media: str) -> None:
    assert f"'{media}'" in refused(b"[]", Content_Type=media)


def test_the_schema_judges_the_data_and_not_the_envelope() -> None:
    decoder = Decoder(catalog(is_open=False), "lockstep", 16)
    for data, kind in (({"room": "x"}, Event), ({"room": 1}, Poison)):
        letter = Letter(data=envelope(data=data), headers=STRUCTURED)
        assert isinstance(decoder.decode(letter), kind)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (TRACE, TRACE),
        (f" {TRACE} ", TRACE),
        (f"cc{TRACE[2:]}", f"cc{TRACE[2:]}"),
        (f"cc{TRACE[2:]}-what-the-future-brings", f"cc{TRACE[2:]}"),
        (f"{TRACE}-more", None),
        (f"ff{TRACE[2:]}", None),
        (TRACE.upper(), None),
        (f"00-{'0' * 32}-{'1' * 16}-01", None),
        (f"00-{'1' * 32}-{'0' * 16}-01", None),
        (TRACE[:-1], None),
        ("", None),
        ("00-1-2-01", None),
        (f"{TRACE}\n", TRACE),
    ],
)
def test_a_trace_goes_on_and_a_malformed_one_is_passed_over(text: str, kept: str | None) -> None:
    assert taken(traceparent=text).traceparent == kept
    assert taken(Traceparent=text).traceparent == kept
    assert taken(ce_traceparent=text).traceparent == kept
    assert taken(Ce_Traceparent=text).traceparent == kept
    assert structured(traceparent=text).traceparent == kept


def test_the_trace_is_that_of_the_message_else_that_of_the_cloud_event() -> None:
    other = f"00-{'1' * 32}-{'2' * 16}-00"
    assert taken(traceparent=TRACE, ce_traceparent=other).traceparent == TRACE
    assert taken(traceparent="malformed", ce_traceparent=other).traceparent == other
    assert taken(traceparent=TRACE, ce_traceparent="malformed").traceparent == TRACE
    whole = envelope(traceparent=other)
    assert taken(whole, **STRUCTURED, traceparent=TRACE).traceparent == TRACE
    assert taken(whole, **STRUCTURED).traceparent == other
    assert taken(envelope(), **STRUCTURED, ce_traceparent=other).traceparent is None
    assert taken(whole).traceparent is None, "a payload with such a member is no envelope"


@pytest.mark.parametrize("value", [5, True, [TRACE], {"a": TRACE}])
def test_a_trace_of_another_kind_is_passed_over(value: object) -> None:
    assert structured(traceparent=value).traceparent is None


def test_event_ids_of_the_engine_are_poison_unless_they_are_admitted() -> None:
    admitting = Decoder(catalog(is_open=False), "lockstep", 16, {ACTION_DONE})
    for event in ("automation.started", "lockstep.run.failed", f"{ACTION_DONE}.x", ACTION_DONE):
        for subject in (f"lockstep.trigger.{event}", f"lockstep.lane.fast.trigger.{event}"):
            letter = Letter(subject)
            found = OPEN.decode(letter)
            assert isinstance(found, Poison)
            assert "the engine's own" in found.reason
            assert isinstance(admitting.decode(letter), Event) == (event == ACTION_DONE)
    assert isinstance(OPEN.decode(Letter("lockstep.trigger.automations")), Event)


def test_ids_that_no_index_would_take_are_poison() -> None:
    assert taken(Nats_Msg_Id="x" * 1024).message_id == "x" * 1024
    assert "the message id is 1025 bytes long" in refused(Nats_Msg_Id="x" * 1025)
    assert "the message id is 1200 bytes long" in refused(ce_id="é" * 600)
    found = OPEN.decode(Letter("lockstep.trigger." + "e" * 257))
    assert isinstance(found, Poison)
    assert "the event id is 257 bytes long" in found.reason


words = st.sampled_from(
    ["data", "data_base64", "id", "source", "specversion", "type", "room", "1.0", "e30=", "x"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | words,
    lambda inner: st.lists(inner) | st.dictionaries(words | st.text(), inner),
    max_leaves=8,
)
whole = st.fixed_dictionaries(
    {"specversion": words, "id": values, "source": words, "type": words},
    optional={"data": values, "data_base64": words | values},
)
bodies = st.binary() | (values | whole).map(lambda value: json.dumps(value).encode())
names = st.sampled_from(
    [
        "Nats-Msg-Id", "Lockstep-Actor", "Lockstep-Context-Key", "Lockstep-Hop", "traceparent",
        "Traceparent", "ce-traceparent", "ce-id", "CE-ID", "Content-Type", "content-type",
    ]
)  # fmt: skip
texts = st.one_of(
    st.text(st.characters()),
    st.sampled_from([*STRUCTURED.values(), TRACE, "3", "²", "{}", '{"type": "user"}', "[" * 9999]),
)
subjects = st.sampled_from(["door.opened", "any", "lockstep.action.done", ""]) | st.text()


@settings(max_examples=200)
@given(subjects, bodies, st.dictionaries(names | st.text(), texts), st.booleans())
def test_any_bytes_and_headers_become_an_event_or_a_poison_with_a_reason(
    event: str, body: bytes, headers: dict[str, str], structured: bool
) -> None:
    letter = Letter(
        f"lockstep.trigger.{event}", body, STRUCTURED | headers if structured else headers
    )
    for decoder in (OPEN, STRICT):
        found = decoder.decode(letter)
        if isinstance(found, Event):
            assert isinstance(found.payload, dict)
            assert found.message_id != ""
            json.loads(found.body)
        else:
            assert found.message is letter
            assert found.reason


STRICT = Decoder(catalog(is_open=False), "lockstep", 16, {ACTION_DONE})
