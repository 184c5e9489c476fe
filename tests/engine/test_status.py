"""The endpoint `status` where a server is away: it says what it knows, and what it does not."""

import pytest

from engine.engine_fixture import EngineFixture
from lockstep import bus, control, store
from lockstep.bus.settings import BusSettings
from lockstep.engine.serve import open_store
from lockstep_schemas.status import SlowAutomation, StatusRequest
from patience import LIMIT_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_without_postgres_the_status_still_tells_of_the_bus(shared: EngineFixture) -> None:
    closed = await open_store(shared.settings)
    await closed.close()
    endpoint = control.StatusEndpoint(
        store.StatusStore(closed, 4.0),
        bus.Lag(shared.connection),
        shared.assembly.basis.clock,
        shared.assembly.basis.stream_clock,
        list,
        dict,
        "w1",
        "9.9",
    )
    told = await endpoint.status(StatusRequest(), None)
    assert (told.workers, told.runs, told.versions.postgres) == (None, None, None)
    assert told.queues
    assert told.dead_letters is not None
    (problem,) = told.problems
    assert problem.startswith("PostgreSQL: ")


async def test_with_a_bus_that_lacks_streams_the_status_names_them(shared: EngineFixture) -> None:
    settings = BusSettings(servers=shared.settings.nats.servers, prefix="nowhere")
    connection = await bus.connect(settings, patience_seconds=LIMIT_SECONDS)
    endpoint = control.StatusEndpoint(
        store.StatusStore(shared.assembly.edge.database, 4.0),
        bus.Lag(connection),
        shared.assembly.basis.clock,
        shared.assembly.basis.stream_clock,
        list,
        dict,
        "w1",
        "9.9",
    )
    told = await endpoint.status(StatusRequest(), None)
    await connection.close()
    assert told.runs is not None
    assert (told.queues, told.dead_letters) == (None, None)
    assert {problem.partition(":")[0] for problem in told.problems} == {
        "consumer groups", "dead letters"
    }  # fmt: skip
    assert "NOWHERE_" in told.problems[0]


async def test_what_is_wrong_with_the_replica_that_answers_is_told_first(
    shared: EngineFixture,
) -> None:
    endpoint = control.StatusEndpoint(
        store.StatusStore(shared.assembly.edge.database, 4.0),
        bus.Lag(shared.connection),
        shared.assembly.basis.clock,
        shared.assembly.basis.stream_clock,
        lambda: ["the service outbox of this replica has failed 3 times in a row"],
        lambda: {"a1": 9.8765},
        "w1",
        "9.9",
    )
    told = await endpoint.status(StatusRequest(), None)
    assert told.problems == ["the service outbox of this replica has failed 3 times in a row"]
    assert told.slow_automations == [SlowAutomation(automation_id="a1", average_ms=9.877)]
