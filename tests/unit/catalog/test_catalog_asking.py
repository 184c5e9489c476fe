"""The actions that ask on the bus: `nats.request` and `automation.notify_user`."""

from collections.abc import Mapping

import msgspec
import pytest

from lockstep.catalog import ServiceBag, build_catalog
from lockstep.model.errors import EngineError, NobodyAnswers, Unavailable
from lockstep.model.messages import Reply
from lockstep.model.types import ActionResult
from lockstep.ports.actions import Asker
from lockstep_schemas.base import Json, JsonObject
from unit.catalog.helpers import action_of, context

CATALOG = build_catalog(open=False)


class Service:
    """An asker in memory: notes what is asked, and gives one reply or raises."""

    def __init__(self, said: Reply | Exception) -> None:
        self.said = said
        self.asked: list[tuple[str, bytes, Mapping[str, str], float]] = []

    async def ask(
        self, subject: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Reply:
        self.asked.append((subject, body, headers, seconds))
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def reply(body: object, **more: str) -> Reply:
    return Reply(body if isinstance(body, bytes) else msgspec.json.encode(body), {}, **more)


async def ask(
    name: str, config: JsonObject, said: Reply | Exception, **changes: object
) -> tuple[ActionResult, Service]:
    """Call an action as the walk does: with the config as its struct."""
    action = action_of(CATALOG, name)
    assert action.config_type is not None
    service = Service(said)
    services = ServiceBag().add(Asker, service)
    typed = msgspec.convert(config, action.config_type)
    result = await action.execute(context(typed, services=services, **changes))
    if result.artifact is not None:
        assert action.produces is not None
        assert not action.produces.schema.faults(result.artifact)
    return result, service


# nats.request


async def test_a_request_is_sent_with_its_key_the_depth_of_causes_and_the_trace() -> None:
    how = {"scope": {"trigger": {"hop": 2}}, "traceparent": "00-ab-cd-01"}
    config = {"subject": "svc.x", "payload": {"a": 1}, "timeout_seconds": 3}
    _, service = await ask("nats.request", config, reply({}), **how)
    [(subject, body, headers, seconds)] = service.asked
    assert (subject, body, seconds) == ("svc.x", b'{"a":1}', 3)
    assert headers == {
        "Nats-Msg-Id": "run-1:actions[0]",
        "Lockstep-Hop": "3",
        "traceparent": "00-ab-cd-01",
    }


@pytest.mark.parametrize(
    ("body", "payload", "kind"),
    [
        (b'{"a":1}', {"a": 1}, "json"),
        (b"7", 7, "json"),
        (b"plain", "plain", "text"),
        (b"\xff", "/w==", "base64"),
        (b"", None, "none"),
    ],
)
async def test_a_reply_is_json_or_text(body: bytes, payload: Json, kind: str) -> None:
    said = Reply(body, {"X": "y"})
    result, _ = await ask("nats.request", {"subject": "svc.x", "payload": 1}, said)
    assert result.artifact == {"payload": payload, "kind": kind, "headers": {"X": "y"}}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (NobodyAnswers("x"), "'svc.x': nobody answers there"),
        (Unavailable("no answer within 3 s"), "'svc.x': no answer within 3 s"),
        (EngineError("too large"), "'svc.x': too large"),
        (reply({}, error_code="404", error="no such thing"),
         "'svc.x' answered with error 404: no such thing"),
        (reply(b"x" * 524_289), "'svc.x': the reply has 524,289 bytes; 524,288 are allowed"),
    ],
)  # fmt: skip
async def test_a_request_without_a_good_reply_fails_and_says_why(
    said: Reply | Exception, error: str
) -> None:
    result, _ = await ask("nats.request", {"subject": "svc.x", "payload": 1}, said)
    assert result == ActionResult(success=False, error=error)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("a.*", "wildcards"),
        ("a..b", "empty"),
        ("a b", "spaces"),
        ("$SYS.REQ.SERVER.PING", "server"),
        ("$JS.API.STREAM.DELETE.X", "server"),
        ("_INBOX.abc", "server"),
        ("_INBOX_engine.abc", "server"),
        ("lockstep.api.automations.delete", "the engine's own"),
        ("lockstep.secret", "the engine's own"),
        ("lockstep.trigger.demo", "the engine's own"),
        ("lockstep", "the engine's own"),
    ],
)
async def test_a_request_to_what_is_not_for_automations_is_refused(
    subject: str, reason: str
) -> None:
    config = {"subject": subject, "payload": {}}
    result, service = await ask("nats.request", config, reply({}))
    assert not result.success
    assert reason in (result.error or "")
    assert not service.asked


@pytest.mark.parametrize(
    "more", [{"timeout_seconds": 0}, {"timeout_seconds": 3601}, {"headers": {}}, {"subject": ""}]
)
def test_a_config_that_is_none_is_refused_when_the_automation_is_saved(more: JsonObject) -> None:
    schema = action_of(CATALOG, "nats.request").config_schema
    assert schema.is_valid({"subject": "x", "payload": 1})
    assert schema.faults({"subject": "x", "payload": 1, **more})


# automation.notify_user

USER: JsonObject = {"userId": "u1", "title": "T", "body": "B"}


async def test_a_notification_is_a_request_on_the_subject_of_the_engine() -> None:
    said = reply({"results": [{"channel": "email", "success": True}]})
    _, service = await ask("automation.notify_user", {**USER, "importance": "critical"}, said)
    [(subject, body, headers, _)] = service.asked
    assert subject == "lockstep.notify"
    assert msgspec.json.decode(body) == {
        **USER,
        "importance": "critical",
        "run_id": "run-1",
        "automation_id": "auto-1",
        "idempotency_key": "run-1:actions[0]",
    }
    assert headers["Nats-Msg-Id"] == "run-1:actions[0]"


async def test_a_notification_is_for_information_where_nothing_else_is_said() -> None:
    _, service = await ask("automation.notify_user", USER, reply({"deliveredCount": 1}))
    assert msgspec.json.decode(service.asked[0][1])["importance"] == "info"


GOOD = {"channel": "email", "success": True}
BAD = {"channel": "sms", "success": False, "error": "no number"}


@pytest.mark.parametrize(
    ("said", "count", "results"),
    [
        ({"results": [GOOD, BAD]}, 1, [GOOD, BAD]),
        ({"results": [GOOD], "deliveredCount": 3}, 3, [GOOD]),
        ({"deliveredCount": 2}, 2, []),
        ({"results": [{**GOOD, "id": 7}], "took_ms": 5}, 1, [GOOD]),
    ],
)
async def test_what_was_delivered_becomes_the_artifact(
    said: JsonObject, count: int, results: list[JsonObject]
) -> None:
    result, _ = await ask("automation.notify_user", USER, reply(said))
    assert result.success
    assert result.artifact == {"userId": "u1", "deliveredCount": count, "results": results}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (reply({"results": [BAD]}), "delivered on no channel: sms: no number"),
        (reply({"results": []}), "delivered on no channel: the user has none"),
        (reply({"deliveredCount": 0}), "delivered on no channel"),
        (reply({}), "neither `results` nor `deliveredCount`"),
        (reply([]), "the reply of the notification service"),
        (reply(b""), "the reply of the notification service"),
        (reply(b"ok"), "the reply of the notification service"),
        (reply(b"[" * 5000), "the reply of the notification service"),
        (reply({"results": [{"channel": "x"}]}), "`success`"),
        (reply({"results": [{"channel": "x", "success": "yes"}]}), "success`"),
        (reply({"deliveredCount": -1}), "deliveredCount is -1"),
        (reply({"deliveredCount": 1, "results": [BAD]}), "but 0 of 1 channels were successful"),
        (reply({"deliveredCount": 0, "results": [GOOD]}), "but 1 of 1 channels were successful"),
        (reply({}, error_code="404", error="no such user"), "refused: no such user (404)"),
        (NobodyAnswers("x"), "nobody listens on 'lockstep.notify'"),
        (Unavailable("no answer within 30 s"), "no answer within 30 s"),
    ],
)
async def test_a_notification_that_reached_nobody_fails_and_says_why(
    said: Reply | Exception, reason: str
) -> None:
    result, _ = await ask("automation.notify_user", USER, said)
    assert not result.success
    assert result.artifact is None
    assert (result.error or "").startswith("not notified: ")
    assert reason in (result.error or "")


@pytest.mark.parametrize(
    "config", [{}, {**USER, "importance": "urgent"}, {**USER, "userId": ""}, {**USER, "cc": "x"}]
)
def test_a_notification_checks_its_config_strictly(config: JsonObject) -> None:
    assert action_of(CATALOG, "automation.notify_user").config_schema.faults(config)
