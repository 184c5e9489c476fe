"""What publishers and consumers call: messages that the engine takes, and what is refused."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.bus.dead_letters import letter_headers
from lockstep.bus.names import Names
from lockstep.catalog import build_catalog
from lockstep.intake.decode import Decoder
from lockstep.model.events import Event
from lockstep_schemas import wire
from lockstep_schemas.events import HEADER_CONTEXT_KEY, HEADER_MESSAGE_ID, Actor
from lockstep_schemas.remote import ActionDone
from store_fixture import StoredMessage

DECODER = Decoder(build_catalog(open=True), "lockstep", 16, admitted={"lockstep.action.done"})
WORDS = st.from_regex(r"[A-Za-z0-9_:-]{1,8}(\.[A-Za-z0-9_:-]{1,8}){0,3}", fullmatch=True)
LINES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=20)
PAYLOADS = st.dictionaries(
    st.text(max_size=5), st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), LINES)
)


def taken(message: wire.Message) -> Any:
    """What the engine makes of a message."""
    letter = StoredMessage(message.subject, message.body, dict(message.headers))
    return DECODER.decode(letter)


@given(WORDS, PAYLOADS, LINES, LINES)
def test_what_is_encoded_is_what_the_engine_takes(
    event: str, payload: dict[str, object], key: str, name: str
) -> None:
    if event.startswith(("automation.", "lockstep.")):
        event = f"x.{event}"
    actor = Actor(type="user", id=name, name=name)
    message = wire.encode_event(event, payload, actor=actor, context_key=key, message_id="m")
    found = taken(message)
    assert isinstance(found, Event)
    assert (found.id, found.payload, found.actor) == (event, payload, actor)
    assert (found.context_key, found.message_id) == (key or None, "m")


def test_a_lane_and_a_prefix_are_in_the_subject() -> None:
    message = wire.encode_event("a.b", {}, lane="fast", prefix="other")
    assert message.subject == Names("other").trigger("a.b", "fast")
    assert wire.event_of(message.subject, prefix="other") == "a.b"
    assert wire.event_of(message.subject) == message.subject


def test_each_message_has_an_id_of_its_own_and_no_key_unless_given() -> None:
    first, second = (wire.encode_event("a", {}) for _ in "ab")
    assert first.headers[HEADER_MESSAGE_ID] != second.headers[HEADER_MESSAGE_ID]
    assert HEADER_CONTEXT_KEY not in first.headers


@pytest.mark.parametrize(
    ("event", "more"),
    [
        ("", {}),
        ("a b", {}),
        ("a.", {}),
        ("a.*", {}),
        ("a\n", {}),
        ("x" * 257, {}),
        ("a", {"lane": "a.b"}),
        ("a", {"prefix": ""}),
        ("a", {"context_key": "two\nlines"}),
        ("a", {"context_key": " blank"}),
        ("a", {"message_id": ""}),
        ("a", {"message_id": "x" * 1025}),
        ("a", {"payload": {"x": object()}}),
    ],
)
def test_what_the_bus_or_the_engine_would_refuse_is_refused_here(
    event: str, more: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.encode_event(event, **{"payload": {}, **more})


def test_a_payload_is_an_object() -> None:
    with pytest.raises(TypeError, match="an object is expected, got list"):
        wire.encode_event("a", [])  # type: ignore[arg-type] # on purpose


def test_the_result_of_a_remote_action_is_an_event_that_may_be_published() -> None:
    done = ActionDone(success=True, artifact={"n": 1}, idempotency_key="run:actions[0]")
    found = taken(wire.encode_done(done))
    assert isinstance(found, Event)
    assert msgspec.convert(found.payload, ActionDone) == done
    again = wire.encode_done(done).headers[HEADER_MESSAGE_ID]
    assert again != wire.encode_done(done).headers[HEADER_MESSAGE_ID], "a later attempt counts"


def test_a_dead_letter_says_what_the_event_was() -> None:
    sent = wire.encode_event("a.b", {}, message_id="m")
    message = StoredMessage(sent.subject, b"[]", dict(sent.headers), deliveries=3)
    letter = wire.decode_dead_letter(letter_headers(message, "no object", "S:1:0"), b"[]")
    assert (letter.event, letter.message_id, letter.reason) == ("a.b", "m", "no object")
    assert (letter.deliveries, letter.body) == (3, b"[]")


@pytest.mark.parametrize("headers", [{}, {"Lockstep-Reason": "x"}])
def test_another_message_is_no_dead_letter(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no dead letter"):
        wire.decode_dead_letter(headers, b"")


@pytest.mark.parametrize(
    "decode",
    [
        wire.decode_run_event,
        wire.decode_automation_event,
        wire.decode_action_request,
        wire.decode_secret_request,
    ],
)
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff"])
def test_what_is_none_of_ours_is_a_value_error(decode: Any, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(body)


def test_an_event_of_a_later_version_is_read_by_this_one() -> None:
    at = datetime(2026, 1, 31, tzinfo=UTC).isoformat()
    data = {
        "run_id": "r",
        "automation_id": "a",
        "automation_name": "n",
        "version": 1,
        "seq": 1,
        "trigger_id": "t",
        "trigger_event_id": "e",
        "context_key": None,
        "status": "running",
        "at": at,
        "mood": "good",
    }
    event = {"id": "r:1", "source": "/l/a", "type": "t", "subject": "r", "time": at, "data": data}
    assert wire.decode_run_event(msgspec.json.encode({**event, "extra": 1})).data.seq == 1
