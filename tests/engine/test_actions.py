"""The actions that call out, on the whole engine: real HTTP, real services on the bus."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import msgspec
import nats
import pytest
import pytest_asyncio
from nats.aio.msg import Msg

from databases import TEMPLATE, database, on_server
from engine.engine_fixture import EngineFixture, engine_fixture, settings_of
from engine.test_language import record
from lockstep.embedded import Servers
from lockstep.fetch import HttpSettings
from patience import patience
from web import Asked, answer, as_json, serving, web

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
QUICK = {"attempts": 3, "delay_seconds": 0.01, "backoff": "constant"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def calls(servers: Servers) -> AsyncIterator[EngineFixture]:
    """An engine that may call this machine."""
    name = f"calls_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name} template {TEMPLATE}")
    settings = settings_of(
        servers.nats_url, database(servers.postgres_dsn, name), f"p{uuid4().hex[:12]}"
    )
    http = HttpSettings(
        allowed_hosts=["127.0.0.1"], allow_private_addresses=True, max_response_bytes=10_000
    )
    async with engine_fixture(msgspec.structs.replace(settings, http=http)) as opened:
        yield opened


def http(url: str, method: str = "GET", **more: object) -> Json:
    """An HTTP action; keys of an action beside its config are known by their names."""
    outside = {key: more.pop(key) for key in ("retry",) if key in more}
    return {
        "id": "call",
        "action": "http.request",
        "config": {"method": method, "url": url, **more},
        **outside,
    }


# http.request


async def test_a_request_is_sent_as_written_and_its_response_can_be_used(
    calls: EngineFixture,
) -> None:
    async with web(x=as_json({"id": 7, "tags": ["a"]}, 201, X_Rate="9")) as server:
        automation = await calls.automation(
            [
                http(
                    f"{server.url}/x?n={{{{ trigger.payload.n }}}}",
                    "POST",
                    headers={"X-N": "{{ trigger.payload.n }}"},
                    body={"n": "{{ trigger.payload.n }}"},
                ),
                record(
                    "{{ artifacts.call.response.status }} {{ artifacts.call.response.body.id }}"
                    " {{ artifacts.call.response.headers['x-rate'] }}"
                    " {{ artifacts.call.response.body_kind }}"
                ),
            ]
        )
        seen = await automation.run({"n": 5})
    assert (seen.status, seen.error) == ("success", "")
    assert seen.recorded == ["201 7 9 json"]
    [asked] = server.asked
    assert (asked.method, asked.target) == ("POST", "/x?n=5")
    assert json.loads(asked.body) == {"n": 5}
    assert asked.headers["x-n"] == "5"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["idempotency-key"] == f"{seen.detail.run.id}:actions[0]"


async def test_a_repeated_request_has_the_same_key_and_waits_as_the_server_asks(
    calls: EngineFixture,
) -> None:
    replies = iter([answer(503, b"busy", Retry_After="0"), answer(500), as_json({"done": True})])

    def say(_: Asked) -> bytes:
        return next(replies)

    async with web(x=say) as server:
        automation = await calls.automation([http(f"{server.url}/x", "POST", retry=QUICK)])
        seen = await automation.run()
    assert seen.status == "success"
    assert seen.step("actions[0]").attempts == 3
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1


async def test_a_status_of_failure_fails_the_step_with_what_the_server_said(
    calls: EngineFixture,
) -> None:
    async with web(hush=as_json({"why": "no such room"}, 404)) as server:
        automation = await calls.automation([http(f"{server.url}/hush")])
        seen = await automation.run()
    assert seen.status == "failed"
    assert seen.error == 'the server answered 404 Not Found: {"why": "no such room"}'


async def test_a_server_that_is_away_is_a_failure_that_the_retry_policy_repeats(
    calls: EngineFixture,
) -> None:
    async with web() as server:
        url = server.url
    automation = await calls.automation([http(f"{url}/hush", retry=QUICK)])
    seen = await automation.run()
    assert seen.error == f"GET {url}: no connection: Connection refused"
    assert seen.step("actions[0]").attempts == 3


async def test_a_server_that_hangs_is_given_up_after_its_time(calls: EngineFixture) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(hang) as port:
        url = f"http://127.0.0.1:{port}"
        automation = await calls.automation([http(f"{url}/x", timeout_seconds=0.2)])
        seen = await automation.run()
    assert seen.error == f"GET {url}: no whole response within 0.2 s"


async def test_a_response_that_is_too_large_fails_the_step(calls: EngineFixture) -> None:
    async with web(x=answer(200, b"x" * 10_001)) as server:
        automation = await calls.automation([http(f"{server.url}/x")])
        seen = await automation.run()
    assert "larger than http.max_response_bytes (10,000)" in seen.error


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/x", "'example.com' is not in the setting http.allowed_hosts"),
        ("http://localhost/x", "'localhost' is not in the setting http.allowed_hosts"),
        ("file:///etc/passwd", "http:// or https://"),
        ("{{ trigger.payload.url }}", "http:// or https://"),
    ],
)
async def test_what_the_settings_do_not_name_is_not_called(
    calls: EngineFixture, url: str, reason: str
) -> None:
    seen = await (await calls.automation([http(url)])).run({"url": "gopher://x"})
    assert seen.status == "failed"
    assert reason in seen.error


async def test_without_settings_nothing_can_be_called(shared: EngineFixture) -> None:
    async with web() as server:
        seen = await (await shared.automation([http(f"{server.url}/x")])).run()
    assert "'127.0.0.1' is not in the setting http.allowed_hosts" in seen.error
    assert not server.connections


async def test_cancelling_a_run_ends_its_request(calls: EngineFixture) -> None:
    reached, left = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reached.set()
        await reader.read()
        left.set()

    async with serving(hang) as port, patience():
        automation = await calls.automation([http(f"http://127.0.0.1:{port}/x")])
        await calls.publish(automation.event, {})
        await reached.wait()
        [run] = (await calls.call("runs.list", automation_id=automation.id))["items"]
        await calls.call("runs.cancel", id=run["id"])
        await left.wait()
        await calls.ended(automation.id, 1)


# nats.request


@asynccontextmanager
async def service(
    where: EngineFixture, subject: str, say: Callable[[Msg], bytes | None], **headers: str
) -> AsyncIterator[list[Msg]]:
    """A service on the bus, on a connection of its own; None is no answer."""
    asked: list[Msg] = []
    client = await nats.connect(where.settings.nats.servers)

    async def answered(message: Msg) -> None:
        asked.append(message)
        said = say(message)
        if said is not None:
            await client.publish(message.reply, said, headers=headers or None)

    try:
        await client.subscribe(subject, cb=answered)
        await client.flush()
        yield asked
    finally:
        await client.close()


def ask(subject: str, payload: object = None, seconds: float = 10) -> Json:
    config = {"subject": subject, "payload": payload, "timeout_seconds": seconds}
    return {"id": "ask", "action": "nats.request", "config": config}


async def test_a_service_on_the_bus_is_asked_and_its_reply_can_be_used(
    shared: EngineFixture,
) -> None:
    def double(message: Msg) -> bytes:
        return json.dumps({"twice": 2 * json.loads(message.data)["n"]}).encode()

    async with service(shared, "svc.double", double) as asked:
        automation = await shared.automation(
            [
                ask("svc.double", {"n": "{{ trigger.payload.n }}"}),
                record("{{ artifacts.ask.reply.payload.twice }}"),
            ]
        )
        seen = await automation.run({"n": 21})
    assert (seen.status, seen.recorded) == ("success", ["42"])
    [message] = asked
    assert message.headers is not None
    assert message.headers["Nats-Msg-Id"] == f"{seen.detail.run.id}:actions[0]"
    assert message.headers["Lockstep-Hop"] == "1"


async def test_nobody_on_the_subject_fails_the_step_at_once(shared: EngineFixture) -> None:
    seen = await (await shared.automation([ask("svc.nobody", seconds=3600)])).run()
    assert seen.error == "'svc.nobody': nobody answers there"


async def test_no_answer_in_time_fails_the_step(shared: EngineFixture) -> None:
    async with service(shared, "svc.mute", lambda _: None):
        seen = await (await shared.automation([ask("svc.mute", seconds=0.2)])).run()
    assert seen.status == "failed"
    assert "no answer within 0.2 s" in seen.error


async def test_an_error_of_a_service_fails_the_step_with_its_words(shared: EngineFixture) -> None:
    headers = {"Nats-Service-Error-Code": "409", "Nats-Service-Error": "already there"}
    async with service(shared, "svc.no", lambda _: b"{}", **headers):
        seen = await (await shared.automation([ask("svc.no")])).run()
    assert seen.error == "'svc.no' answered with error 409: already there"


async def test_a_reply_that_is_too_large_fails_the_step(shared: EngineFixture) -> None:
    async with service(shared, "svc.large", lambda _: b"x" * 600_000):
        seen = await (await shared.automation([ask("svc.large")])).run()
    assert seen.error == "'svc.large': the reply has 600,000 bytes; 524,288 are allowed"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        # Written as JSON a line break takes two bytes; the headers go beyond what NATS takes.
        (65_532, "'svc.x': "),
        (
            78_750,
            "config: 1,260,062 bytes, at most 1,048,576 are allowed, of which config.payload has",
        ),
    ],
)
async def test_a_payload_that_the_server_does_not_take_fails_the_step(
    shared: EngineFixture, lines: int, told: str
) -> None:
    action = ask("svc.x", {"text": "{{ trigger.payload.text * 8 }}"})
    async with service(shared, "svc.x", lambda _: b"{}"):
        automation = await shared.automation([action])
        seen = await automation.run({"text": "\n" * lines})
    assert seen.status == "failed"
    assert seen.error.startswith(told)


@pytest.mark.parametrize("name", ["nats.publish", "nats.request"])
async def test_the_subjects_of_the_engine_are_out_of_reach(
    shared: EngineFixture, name: str
) -> None:
    prefix = shared.settings.nats.prefix
    rendered = {"subject": "{{ trigger.payload.to }}", "payload": {}}
    automation = await shared.automation([{"id": "a", "action": name, "config": rendered}])
    for subject in (f"{prefix}.api.status", "$JS.API.INFO", "_INBOX.x", "a.>", "a b", "a..b"):
        seen = await automation.run({"to": subject})
        assert seen.status == "failed"
        assert "subject" in seen.error
        actions = [{"id": "a", "action": name, "config": {"subject": subject, "payload": {}}}]
        definition = {"name": "x", "triggers": [{"event": "e.x"}], "actions": actions}
        found = await shared.call("automations.validate", definition=definition)
        [fault] = found["errors"]
        assert fault["path"] == ["actions", 0, "config", "subject"]
        assert fault["message"] == seen.error


# nats.publish


async def test_a_publish_that_no_stream_takes_says_so_at_once_and_what_to_do(
    shared: EngineFixture,
) -> None:
    config = {"subject": "demo.{{ trigger.payload.to }}", "payload": {}}
    automation = await shared.automation([{"action": "nats.publish", "config": config}])
    seen = await automation.run({"to": "room"})
    assert seen.status == "failed"
    assert seen.error.startswith("not published to 'demo.room': demo.room: no stream on NATS at")
    assert seen.error.endswith(
        "make one that does, or say `stream: false`, which publishes to whoever listens at that "
        "moment"
    )


async def test_a_publish_without_a_stream_reaches_whoever_listens(shared: EngineFixture) -> None:
    publish = {
        "action": "nats.publish",
        "config": {
            "subject": "demo.{{ trigger.payload.to }}",
            "payload": {"n": 1},
            "stream": False,
        },
    }
    automation = await shared.automation([publish])
    async with service(shared, "demo.hall", lambda _: None) as heard, patience():
        reached = await automation.run({"to": "hall"})
        while not heard:
            await asyncio.sleep(0.01)
        alone = await automation.run({"to": "nobody"})
    assert (reached.status, alone.status) == ("success", "success")
    [message] = heard
    assert json.loads(message.data) == {"n": 1}
    assert message.headers is not None
    assert message.headers["Nats-Msg-Id"] == f"{reached.detail.run.id}:actions[0]"
    event = f"{shared.settings.nats.prefix}.trigger.{automation.event}"
    changed = {**publish, "config": {"subject": event, "payload": {}, "stream": False}}
    definition = {"name": "x", "triggers": [{"event": "e.x"}], "actions": [changed]}
    found = await shared.call("automations.validate", definition=definition)
    assert "leave out `stream: false`" in found["errors"][0]["message"]


# automation.notify_user


NOTIFY: Json = {
    "id": "tell",
    "action": "automation.notify_user",
    "config": {"userId": "u1", "title": "Stock", "body": "{{ trigger.payload.n }} left"},
}


async def test_a_user_is_notified_by_whoever_answers_on_the_subject_for_it(
    shared: EngineFixture,
) -> None:
    said = {"results": [{"channel": "mail", "success": True}, {"channel": "sms", "success": False}]}
    subject = f"{shared.settings.nats.prefix}.notify"
    shown = "{{ artifacts.tell.notify_user_result.deliveredCount }}"
    async with service(shared, subject, lambda _: json.dumps(said).encode()) as asked:
        automation = await shared.automation([NOTIFY, record(shown)])
        seen = await automation.run({"n": 3})
    assert (seen.status, seen.recorded) == ("success", ["1"])
    assert json.loads(asked[0].data) == {
        "userId": "u1",
        "title": "Stock",
        "body": "3 left",
        "importance": "info",
        "run_id": seen.detail.run.id,
        "automation_id": automation.id,
        "idempotency_key": f"{seen.detail.run.id}:actions[0]",
    }


async def test_a_notification_that_nobody_got_fails_the_step(shared: EngineFixture) -> None:
    subject = f"{shared.settings.nats.prefix}.notify"
    automation = await shared.automation([NOTIFY])
    seen = await automation.run()
    assert "nobody listens on" in seen.error
    said = b'{"results": [{"channel": "sms", "success": false, "error": "no number"}]}'
    for reply, reason in ((said, "delivered on no channel: sms: no number"), (b"ok", "the reply")):
        async with service(shared, subject, lambda _, reply=reply: reply):  # type: ignore[misc]
            seen = await automation.run()
        assert seen.error.startswith(f"not notified: {reason}")
