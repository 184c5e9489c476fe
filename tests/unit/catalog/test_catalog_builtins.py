"""The actions that come with the engine."""

import asyncio

import msgspec
import pytest

from lockstep.catalog import ServiceBag, build_catalog
from lockstep.model.errors import BusUnavailable, EngineError, Unavailable
from lockstep.model.types import ActionResult
from lockstep.ports.actions import Messages
from lockstep_schemas.base import Json, JsonObject
from unit.catalog.helpers import Lines, Outbox, action_of, context
from unit.moved import moved

CATALOG = build_catalog(open=False)


class Full(BusUnavailable):
    """What a stream says that takes nothing now; as `bus.errors`."""

    code = "bus.refused_for_now"


async def publish(outbox: Outbox, config: JsonObject, **changes: object) -> ActionResult:
    """Call `nats.publish` as the walk does: with the config as its struct."""
    action = action_of(CATALOG, "nats.publish")
    assert action.config_type is not None
    services = ServiceBag().add(Messages, outbox)
    typed = msgspec.convert(config, action.config_type)
    return await action.execute(context(typed, services=services, **changes))


@pytest.mark.parametrize(
    ("level", "method"),
    [("debug", "debug"), (None, "info"), ("warn", "warning"), ("error", "error")],
)
async def test_log_writes_its_message_at_its_level(level: str | None, method: str) -> None:
    lines = Lines()
    config = {"message": "hi"} | ({"level": level} if level else {})
    result = await action_of(CATALOG, "automation.log").execute(context(config, logger=lines))
    assert result.success
    assert lines.lines == [(method, "action.logged", {"message": "hi"})]


@pytest.mark.parametrize("config", [{}, {"message": 1}, {"message": "x", "levle": "info"}])
def test_log_checks_its_config_strictly(config: JsonObject) -> None:
    assert action_of(CATALOG, "automation.log").config_schema.faults(config)


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ({"a": 1, "b": "ä"}, '{"a":1,"b":"ä"}'),
        ([1, None], "[1,null]"),
        (5, "5"),
        (True, "true"),
        (None, "null"),
        ("just a text", "just a text"),
        ('{"already": "json"}', '{"already": "json"}'),
        ("", ""),
    ],
)
async def test_publish_sends_a_text_as_it_is_and_everything_else_as_json(
    payload: Json, body: str
) -> None:
    outbox = Outbox()
    result = await publish(outbox, {"subject": "demo.x", "payload": payload})
    assert result == ActionResult(external_id="run-1:actions[0]")
    [(subject, sent, _)] = outbox.messages
    assert (subject, sent.decode()) == ("demo.x", body)


async def test_publish_can_fire_a_trigger_and_keeps_the_headers_of_its_author() -> None:
    outbox = Outbox()
    config = {
        "subject": "lockstep.trigger.demo.thing",
        "payload": {"id": 1},
        "headers": {"Lockstep-Context-Key": "k"},
    }
    assert (await publish(outbox, config)).success
    assert outbox.messages[0][2] == {
        "Lockstep-Context-Key": "k",
        "Nats-Msg-Id": "run-1:actions[0]",
        "Lockstep-Hop": "3",
    }


@pytest.mark.parametrize(
    "scope", [{}, {"trigger": None}, {"trigger": {}}, {"trigger": {"hop": "x"}}]
)
async def test_publish_counts_from_zero_where_the_depth_of_causes_is_unknown(
    scope: JsonObject,
) -> None:
    outbox = Outbox()
    await publish(outbox, {"subject": "demo.x", "payload": {}}, scope=scope)
    assert outbox.messages[0][2]["Lockstep-Hop"] == "1"


async def test_publish_repeated_after_a_crash_leaves_one_message_and_succeeds() -> None:
    outbox = Outbox()
    for attempt in (1, 2):
        config = {"subject": "demo.x", "payload": {}}
        assert (await publish(outbox, config, attempt=attempt)).success
    assert len(outbox.messages) == 1


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("a.*", "wildcards"),
        ("a.>", "wildcards"),
        ("a..b", "empty"),
        (".a", "empty"),
        ("a.", "empty"),
        ("a b", "spaces"),
        ("a\tb", "spaces"),
        ("a\r\nPUB x 0", "spaces"),
        ("a\x00b", "control"),
        ("a" * 600, "longer"),
        ("$JS.API.STREAM.DELETE.X", "server"),
        ("$KV.lockstep_waits.x", "server"),
        ("_INBOX.abc", "server"),
        ("lockstep.api.automations.delete", "below 'lockstep.'"),
        ("lockstep.wake.wait.x", "below 'lockstep.'"),
        ("lockstep", "below 'lockstep.'"),
    ],
)
async def test_publish_refuses_a_subject_that_is_none_or_not_for_automations(
    subject: str, reason: str
) -> None:
    outbox = Outbox()
    result = await publish(outbox, {"subject": subject, "payload": {}})
    assert not result.success
    assert reason in (result.error or "")
    assert not outbox.messages


async def test_publish_knows_the_prefix_of_its_engine() -> None:
    action = action_of(build_catalog(open=False, prefix="acme"), "nats.publish")
    services = ServiceBag().add(Messages, Outbox())
    for subject, succeeds in (("acme.api.status", False), ("lockstep.api.status", True)):
        config = {"subject": subject, "payload": {}}
        assert (await action.execute(context(config, services=services))).success is succeeds


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Nats-Msg-Id": "mine"}, "the engine sets it"),
        ({"nats-msg-id": "mine"}, "the engine sets it"),
        ({"LOCKSTEP-HOP": "0"}, "the engine sets it"),
        ({"X-A": "a\r\nNats-Msg-Id: x"}, "line breaks"),
        ({"X-A": "a\nb"}, "line breaks"),
        ({"X A": "a"}, "a name of letters"),
        ({"X:A": "a"}, "a name of letters"),
        ({"X\n": "a"}, "a name of letters"),
        ({"": "a"}, "a name of letters"),
    ],
)
async def test_publish_refuses_headers_that_are_the_engines_or_unsafe(
    headers: dict[str, str], reason: str
) -> None:
    outbox = Outbox()
    result = await publish(outbox, {"subject": "demo.x", "payload": {}, "headers": headers})
    assert not result.success
    assert reason in (result.error or "")
    assert not outbox.messages


@pytest.mark.parametrize("name", ["Nats-Msg-Id", "nats-msg-id", "Lockstep-Hop", "X A", ""])
def test_a_header_that_would_be_refused_is_refused_when_the_automation_is_saved(name: str) -> None:
    schema = action_of(CATALOG, "nats.publish").config_schema
    config = {"subject": "demo.x", "payload": {}, "headers": {name: "x"}}
    [fault] = schema.faults(config)
    assert (fault.path, fault.names) == (("headers",), (name,))
    assert schema.is_valid({**config, "headers": {"X-Mine": "x"}})


@moved
async def test_publish_goes_on_where_a_broken_connection_leaves_it_in_doubt() -> None:
    """It was stored or not; the stream is away for a while; then it is there, once."""
    outbox = Outbox()
    outbox.swallowed = [BusUnavailable("it broke"), Full("no leader"), BusUnavailable("away")]
    result = await publish(outbox, {"subject": "demo.x", "payload": {}})
    assert result.success
    assert [subject for subject, _, _ in outbox.messages] == ["demo.x"]
    assert outbox.swallowed == []


@moved
async def test_publish_ends_before_the_time_of_its_step_does() -> None:
    outbox = Outbox(BusUnavailable("the connection broke"))
    began = asyncio.get_running_loop().time()
    result = await publish(outbox, {"subject": "demo.x", "payload": {}}, timeout_seconds=30.0)
    assert result.error == "not published to 'demo.x': the connection broke"
    assert 25 < asyncio.get_running_loop().time() - began < 30


@moved
async def test_a_stream_that_refuses_for_now_is_a_failure_at_once() -> None:
    result = await publish(Outbox(Full("it is full")), {"subject": "demo.x", "payload": {}})
    assert result.error == "not published to 'demo.x': it is full"
    assert asyncio.get_running_loop().time() == 0


async def test_publish_sends_plainly_where_no_stream_is_wanted() -> None:
    outbox = Outbox()
    for attempt in (1, 2):
        config: JsonObject = {"subject": "demo.x", "payload": {}, "stream": False}
        assert (await publish(outbox, config, attempt=attempt)).success
    assert [subject for subject, _, _ in outbox.plain] == ["demo.x", "demo.x"]
    assert {head["Nats-Msg-Id"] for _, _, head in outbox.plain} == {"run-1:actions[0]"}
    assert not outbox.messages
    told = await publish(outbox, {**config, "subject": "lockstep.trigger.demo.thing"})
    assert "events go to a stream" in (told.error or "")
    failed = await publish(Outbox(BusUnavailable("it broke")), config)
    assert failed.error == "not published to 'demo.x': it broke"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"subject": "a.*"}, "wildcards"),
        ({"subject": "a..b"}, "is empty"),
        ({"subject": "a b"}, "spaces"),
        ({"subject": "$JS.API.INFO"}, "of the server itself"),
        ({"subject": "lockstep.api.status"}, "only 'trigger' and 'lane'"),
        ({"subject": "lockstep.trigger.demo.x", "stream": False}, "leave out `stream: false`"),
        ({"subject": "demo.x", "stream": False}, None),
        ({"subject": "lockstep.trigger.demo.x"}, None),
        ({"subject": "demo.{{ trigger.payload.* }}"}, None),  # judged as an expression
        ({"subject": 5}, None),
        ({}, None),
    ],
)
def test_a_subject_that_would_be_refused_is_refused_when_the_automation_is_saved(
    config: JsonObject, told: str | None
) -> None:
    check = action_of(CATALOG, "nats.publish").config_faults
    assert check is not None
    found = list(check(config))
    assert [name for name, _ in found] == (["subject"] if told else [])
    assert all(told in message for _, message in found if told)


@pytest.mark.parametrize(
    "error", [Unavailable("no answer within 5 s"), EngineError("the message is too large")]
)
async def test_publish_fails_with_what_the_publisher_says(error: EngineError) -> None:
    result = await publish(Outbox(error), {"subject": "demo.x", "payload": {}})
    assert not result.success
    assert result.error == f"not published to 'demo.x': {error}"


def test_the_headers_of_a_publish_always_get_text_and_its_payload_does_not() -> None:
    action = action_of(CATALOG, "nats.publish")
    assert action.takes_text(("headers", "X-Any"))
    assert action.takes_text(("subject",))
    assert not action.takes_text(("payload",))
