"""The control API is a NATS micro service: found with its endpoints, counted, bounded."""

import asyncio
from typing import Any

import msgspec
import pytest

from engine.engine_fixture import EngineFixture
from lockstep import __version__, bus
from lockstep.bus.service import MAX_REQUEST_BYTES
from lockstep_schemas.api import Fault
from patience import LIMIT_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


async def asked(engine_fixture: EngineFixture, verb: str) -> Json:
    """Ask this engine, not those of other tests on the same server."""
    for ping in [await _answer(engine_fixture, "$SRV.PING.lockstep") for _ in range(50)]:
        if ping["metadata"]["worker"] == str(engine_fixture.engine.id):
            return await _answer(engine_fixture, f"$SRV.{verb}.lockstep.{ping['id']}")
    raise AssertionError("the engine does not answer a ping")


async def _answer(engine_fixture: EngineFixture, subject: str) -> Json:
    answer = await engine_fixture.connection.ask(subject, b"", b"", 5)
    return msgspec.json.decode(answer.body, type=Json)


@pytest.mark.parametrize("subject", ["$SRV.{}", "$SRV.{}.lockstep"])
@pytest.mark.parametrize("verb", ["PING", "INFO", "STATS"])
async def test_the_service_is_found_by_its_kind_and_by_its_name(
    shared: EngineFixture, verb: str, subject: str
) -> None:
    found = await _answer(shared, subject.format(verb))
    kind = verb.lower()
    assert found["type"] == f"io.nats.micro.v1.{kind}_response"
    assert (found["name"], found["version"]) == ("lockstep", __version__)
    assert found["id"]
    assert set(found["metadata"]) == {"worker"}


async def test_every_endpoint_of_the_table_is_discoverable(shared: EngineFixture) -> None:
    info = await asked(shared, "INFO")
    assert info["metadata"] == {"worker": str(shared.engine.id)}
    assert info["description"]
    wanted = {
        (name.replace(".", "-"), shared.connection.names.api(name), "q")
        for name in shared.endpoints
    }
    found = [(one["name"], one["subject"], one["queue_group"]) for one in info["endpoints"]]
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert all(isinstance(one["metadata"], dict) for one in info["endpoints"])


async def test_every_endpoint_counts_its_requests_and_its_errors(shared: EngineFixture) -> None:
    before = {one["name"]: one for one in (await asked(shared, "STATS"))["endpoints"]}
    client = bus.ApiClient(shared.connection)
    await asyncio.gather(*(client.request(name, b"[]", LIMIT_SECONDS) for name in shared.endpoints))
    stats = await asked(shared, "STATS")
    assert stats["started"]
    for one in stats["endpoints"]:
        past = before[one["name"]]
        assert one["num_requests"] == past["num_requests"] + 1
        assert one["num_errors"] == past["num_errors"] + 1
        assert one["last_error"]
        assert one["processing_time"] > past["processing_time"]
        assert one["average_processing_time"] == one["processing_time"] // one["num_requests"]


async def test_a_request_that_is_too_large_is_refused_by_every_endpoint(
    shared: EngineFixture,
) -> None:
    client = bus.ApiClient(shared.connection)
    for name in shared.endpoints:
        reply = await client.request(name, b" " * (MAX_REQUEST_BYTES + 1), LIMIT_SECONDS)
        fault = msgspec.json.decode(reply.body, type=Fault)
        assert (reply.error_code, fault.code) == ("400", "bad_request")
        assert f"at most {MAX_REQUEST_BYTES} are allowed" in fault.message


async def test_the_largest_request_that_is_taken_is_answered_by_every_endpoint(
    shared: EngineFixture,
) -> None:
    client = bus.ApiClient(shared.connection)
    for name in shared.endpoints:
        reply = await client.request(name, b" " * (MAX_REQUEST_BYTES - 2) + b"[]", LIMIT_SECONDS)
        assert reply.error_code == "400"
