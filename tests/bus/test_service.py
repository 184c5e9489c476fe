"""Requests are answered, whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from bus.helpers import Connecting
from lockstep.bus.client import ApiClient, ApiReply
from lockstep.bus.connection import Connection
from lockstep.bus.service import Handler, RequestService
from lockstep.model.errors import Unavailable
from lockstep_schemas.api import Fault
from patience import LIMIT_SECONDS, until


async def echo(body: bytes, head: Mapping[str, str]) -> ApiReply:
    return ApiReply(body + head.get("Lockstep-Actor", "").encode())


async def refuse(_body: bytes, _head: Mapping[str, str]) -> ApiReply:
    return ApiReply(b'{"code":"conflict"}', "409", "stale\nversion")


async def burst(_body: bytes, _head: Mapping[str, str]) -> ApiReply:
    raise RuntimeError("the password is hunter2")


class Gate:
    """A handler that answers when it is let through."""

    def __init__(self) -> None:
        self.entered = self.most = 0
        self.opened = asyncio.Event()

    async def __call__(self, body: bytes, _head: Mapping[str, str]) -> ApiReply:
        self.entered += 1
        self.most = max(self.most, self.entered)
        try:
            await self.opened.wait()
        finally:
            self.entered -= 1
        return ApiReply(body)


@asynccontextmanager
async def serving(
    connection: Connection,
    endpoints: Mapping[str, Handler],
    **options: Any,
) -> AsyncIterator[RequestService]:
    service = RequestService(connection, version="1.2.3", endpoints=endpoints, **options)
    await service.start()
    try:
        yield service
    finally:
        await service.stop(1)


async def ask(connection: Connection, subject: str) -> dict[str, Any]:
    answer = await connection.ask(subject, b"", b"", 2)
    return msgspec.json.decode(answer.body, type=dict[str, Any])


def told(reply: ApiReply) -> tuple[str, str, str]:
    """The status of an error reply, and the kind and the code in its body."""
    fault = msgspec.json.decode(reply.body, type=Fault)
    assert fault.message == reply.error
    return reply.error_code, fault.code, fault.error


async def test_a_request_is_answered_with_its_headers_seen(connecting: Connecting) -> None:
    connection = await connecting()
    async with serving(connection, {"automations.list": echo}):
        client = ApiClient(connection)
        reply = await client.request(
            "automations.list", b"hi ", LIMIT_SECONDS, {"Lockstep-Actor": "me"}
        )
        assert reply == ApiReply(b"hi me")


async def test_an_error_is_in_the_headers_and_in_the_body(connecting: Connecting) -> None:
    connection = await connecting()
    async with serving(connection, {"automations.update": refuse}):
        reply = await ApiClient(connection).request("automations.update", b"{}", LIMIT_SECONDS)
        assert reply == ApiReply(b'{"code":"conflict"}', "409", "stale version")


async def test_an_exception_is_an_internal_error_that_tells_nothing(
    connecting: Connecting,
) -> None:
    connection = await connecting()
    async with serving(connection, {"a": burst, "b": echo}):
        client = ApiClient(connection)
        reply = await client.request("a", b"{}", LIMIT_SECONDS)
        assert told(reply) == ("500", "internal", "engine.internal")
        assert b"hunter2" not in reply.body
        assert "hunter2" not in reply.error
        assert (await client.request("b", b"1", LIMIT_SECONDS)).body == b"1"
        assert connection.connected


async def test_an_unknown_endpoint_and_an_absent_engine_say_where_nobody_answers(
    connecting: Connecting,
) -> None:
    connection = await connecting()
    async with serving(connection, {"a": echo}):
        expected = r"no Lockstep engine answers on nats://127\.0\.0\.1:\d+ as .*\.api\.b"
        with pytest.raises(Unavailable, match=expected):
            await ApiClient(connection).request("b", b"", LIMIT_SECONDS)


async def test_a_slow_request_does_not_hold_up_others_and_too_many_are_refused(
    connecting: Connecting,
) -> None:
    connection = await connecting()
    gate = Gate()
    async with serving(connection, {"slow": gate, "fast": echo}, at_once=3, waiting=2):
        client = ApiClient(connection)
        asked = [
            asyncio.create_task(client.request("slow", b"%d" % i, LIMIT_SECONDS)) for i in range(2)
        ]
        await until(lambda: gate.entered == 2)
        assert (await client.request("fast", b"now", LIMIT_SECONDS)).body == b"now"

        asked += [
            asyncio.create_task(client.request("slow", b"%d" % i, LIMIT_SECONDS))
            for i in range(2, 7)
        ]
        refused = await _first(asked, lambda reply: reply.error_code == "503", 2)
        assert all("busy" in reply.error for reply in refused)
        assert {told(reply) for reply in refused} == {("503", "busy", "api.overloaded")}
        gate.opened.set()
        replies = await asyncio.gather(*asked)
        assert sum(not reply.error for reply in replies) == 5
        assert gate.most == 3


async def _first(
    asked: list[asyncio.Task[ApiReply]], which: Callable[[ApiReply], bool], count: int
) -> list[ApiReply]:
    found: list[ApiReply] = []

    def enough() -> bool:
        found[:] = [task.result() for task in asked if task.done() and which(task.result())]
        return len(found) == count

    await until(enough)
    return found


async def test_a_request_that_takes_too_long_is_ended(connecting: Connecting) -> None:
    connection = await connecting()
    async with serving(connection, {"slow": Gate()}, limit_seconds=0.1):
        reply = await ApiClient(connection).request("slow", b"", LIMIT_SECONDS)
        assert reply.error == "not done within 0.1 s"
        assert told(reply) == ("503", "busy", "api.timeout")


async def test_what_is_too_large_is_refused_both_ways(connecting: Connecting) -> None:
    connection = await connecting()

    async def grow(_body: bytes, _head: Mapping[str, str]) -> ApiReply:
        return ApiReply(b"x" * 2_000_000)

    async with serving(connection, {"echo": echo, "grow": grow}, max_request_bytes=100):
        client = ApiClient(connection)
        reply = await client.request("echo", b"x" * 101, LIMIT_SECONDS)
        assert reply.error == "a request of 101 bytes; at most 100 are allowed"
        assert told(reply) == ("400", "bad_request", "api.request_too_large")
        reply = await client.request("grow", b"", LIMIT_SECONDS)
        assert reply.error == "the reply is too large (2000000 bytes): ask for less"
        assert told(reply) == ("500", "internal", "api.reply_too_large")
        assert connection.connected


async def test_requests_that_have_come_are_answered_before_the_service_stops(
    connecting: Connecting,
) -> None:
    connection, asking = await connecting(), await connecting()
    gate = Gate()
    async with serving(connection, {"slow": gate}, at_once=2) as service:
        client = ApiClient(asking)
        asked = [asyncio.create_task(client.request("slow", b"", LIMIT_SECONDS)) for _ in range(4)]
        await until(lambda: gate.entered == 2)
        await asking.settled()
        stopping = asyncio.create_task(service.stop(5))
        await until(lambda: _refused(client))
        gate.opened.set()
        assert [reply.error for reply in await asyncio.gather(*asked)] == [""] * 4
        await stopping


async def _refused(client: ApiClient) -> bool:
    try:
        reply = await client.request("slow", b"late", 0.05)
    except Unavailable as error:
        return "no Lockstep engine" in str(error)
    return not reply.error


async def test_requests_that_do_not_end_in_time_are_told_that_the_engine_stops(
    connecting: Connecting,
) -> None:
    connection = await connecting()
    gate = Gate()
    async with serving(connection, {"slow": gate}, at_once=1) as service:
        client = ApiClient(connection)
        asked = [asyncio.create_task(client.request("slow", b"", LIMIT_SECONDS)) for _ in range(2)]
        await until(lambda: gate.entered == 1)
        await connection.settled()
        await service.stop(0.05)
        replies = await asyncio.gather(*asked)
        assert [reply.error for reply in replies] == ["the engine is stopping"] * 2
        assert {told(reply) for reply in replies} == {("503", "busy", "api.stopping")}


async def test_a_request_without_a_reply_subject_is_not_run(connecting: Connecting) -> None:
    connection = await connecting()
    ran: list[bytes] = []

    async def note(body: bytes, _head: Mapping[str, str]) -> ApiReply:
        ran.append(body)
        return ApiReply(b"")

    async with serving(connection, {"a": note}):
        connection.post(connection.names.api("a"), b"PubAck")
        await ApiClient(connection).request("a", b"asked", LIMIT_SECONDS)
        assert ran == [b"asked"]


async def test_two_replicas_share_the_requests_and_both_are_discovered(
    connecting: Connecting,
) -> None:
    replicas = [await connecting() for _ in range(2)]
    name = replicas[0].names.prefix
    async with (
        serving(replicas[0], {"a.b": echo, "c": refuse}, name=name) as one,
        serving(replicas[1], {"a.b": echo, "c": refuse}, name=name) as two,
    ):
        client = ApiClient(replicas[0])
        await asyncio.gather(*(client.request("a.b", b"", LIMIT_SECONDS) for _ in range(40)))
        await client.request("c", b"", LIMIT_SECONDS)
        pings = {(await ask(replicas[0], f"$SRV.PING.{name}"))["id"] for _ in range(20)}
        assert pings <= {one.id, two.id}
        info = await ask(replicas[0], f"$SRV.INFO.{name}.{one.id}")
        assert info["version"] == "1.2.3"
        assert {end["subject"] for end in info["endpoints"]} == {
            f"{name}.api.a.b",
            f"{name}.api.c",
        }
        stats = [await ask(replicas[0], f"$SRV.STATS.{name}.{x.id}") for x in (one, two)]
        ends = [end for stat in stats for end in stat["endpoints"]]
        assert sum(end["num_requests"] for end in ends) == 41
        assert sum(end["num_errors"] for end in ends) == 1
        assert all(end["num_requests"] for end in ends if end["name"] == "a-b")
