"""The life of a replica: services are started in order, drained in reverse, and end with it."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Self, cast

import pytest
import structlog
from structlog.contextvars import merge_contextvars
from structlog.testing import LogCapture, capture_logs

from lockstep.engine.engine import Engine
from lockstep.engine.faults import Faults
from lockstep.engine.parts import Assembly
from lockstep.engine.services import Job, Service
from lockstep.model.errors import NobodyAnswers, ServerUnfit, Unavailable
from unit.fakes import Measured
from unit.moved import moved, turns
from unit.values import uid


class Http:
    """Calls HTTP servers while it is open."""

    def __init__(self, order: list[str]) -> None:
        self.order = order

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.order.append("http closed")


class Replica:
    """An engine of made-up services, which note what becomes of them."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.services: list[Service] = []
        self.meter, self.faults = Measured(), Faults()
        self.connection = SimpleNamespace(closed=asyncio.Event(), closed_reason="no route")

    def add(
        self,
        name: str,
        *,
        run: Job | None = None,
        drain: Job | None = None,
        stop: Job | None = None,
        every: float | None = None,
        undrained: Callable[[], None] | None = None,
    ) -> None:
        """Add a service that runs for ever, unless it is said what it does."""

        async def start() -> None:
            self.order.append(f"start {name}")

        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                self.order.append(f"end {name}")

        async def drained() -> None:
            self.order.append(f"drain {name}")

        self.services.append(
            Service(
                name=name,
                start=start,
                run=run or forever,
                every=every,
                drain=drain or drained,
                drain_seconds=5.0,
                undrained=undrained,
                stop=stop,
            )
        )

    def engine(self) -> Engine:
        """Put it together; of the parts the life of an engine needs these alone."""
        edge = SimpleNamespace(http=Http(self.order), connection=self.connection)
        basis = SimpleNamespace(id=uid(1), meter=self.meter, faults=self.faults)
        assembly = SimpleNamespace(basis=basis, edge=edge)
        return Engine(cast("Assembly", assembly), self.services)


async def away() -> None:
    """Ask a server that is away."""
    raise NobodyAnswers("away")


@moved
async def test_services_are_started_in_order_and_end_one_by_one_in_reverse() -> None:
    replica = Replica()
    replica.add("first")
    replica.add("second")
    engine = replica.engine()
    running = asyncio.create_task(engine.run())
    await turns()
    assert engine.services() == {"first": True, "second": True}
    assert not engine.is_stopping
    engine.stop()
    await running
    assert replica.order == [
        "start first", "start second",
        "drain second", "end second", "drain first", "end first", "http closed",
    ]  # fmt: skip
    assert engine.services() == {"first": False, "second": False}


@moved
async def test_it_is_ready_when_all_are_started_and_not_before() -> None:
    replica = Replica()
    replica.add("first")
    replica.add("second")
    engine = replica.engine()
    assert engine.services() == {"first": False, "second": False}

    def ready() -> None:
        replica.order.append("ready")
        engine.stop()

    await engine.run(ready)
    assert replica.order[:3] == ["start first", "start second", "ready"]


@moved
async def test_a_drain_that_takes_too_long_is_cut_off_and_the_others_go_on() -> None:
    replica = Replica()

    async def forever() -> None:
        await asyncio.Event().wait()

    replica.add("first")
    replica.add("slow", drain=forever, undrained=lambda: replica.order.append("undrained"))
    engine = replica.engine()
    await engine.run(ready=engine.stop)
    assert replica.order[2:] == ["undrained", "end slow", "drain first", "end first", "http closed"]
    assert asyncio.get_running_loop().time() == pytest.approx(5.0, abs=0.01)


@moved
async def test_what_nothing_was_left_of_is_not_said_to_be_undrained() -> None:
    replica = Replica()
    replica.add("first", undrained=lambda: replica.order.append("undrained"))
    engine = replica.engine()
    await engine.run(ready=engine.stop)
    assert "undrained" not in replica.order


@moved
async def test_a_service_runs_on_while_it_is_drained() -> None:
    replica = Replica()
    work, done = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        await work.wait()
        done.set()

    async def drain() -> None:
        work.set()
        await done.wait()
        replica.order.append("finished")

    replica.add("first", run=run, drain=drain)
    engine = replica.engine()
    await engine.run(ready=engine.stop)
    assert "finished" in replica.order


@moved
async def test_a_pass_is_done_again_after_its_pause_though_a_server_is_away() -> None:
    replica, passes = Replica(), list[float]()

    async def sweep() -> None:
        passes.append(asyncio.get_running_loop().time())
        if len(passes) == 2:
            raise NobodyAnswers("away")

    replica.add("sweep", run=sweep, every=3.0)
    engine, logs = replica.engine(), LogCapture()
    structlog.configure(processors=[merge_contextvars, logs])
    try:
        running = asyncio.create_task(engine.run())
        await asyncio.sleep(7)
        engine.stop()
        await running
    finally:
        structlog.reset_defaults()
    assert passes == [0, 3, 6]
    (line,) = (one for one in logs.entries if one["event"] == "service.delayed")
    assert (line["service"], str(line["error"])) == ("sweep", "away")
    assert line["error"].code == "server.nobody_answers"


@moved
async def test_what_is_stopped_last_is_when_nothing_of_it_runs_though_a_server_is_away() -> None:
    replica = Replica()

    async def stop() -> None:
        replica.order.append("stop second")
        await away()

    replica.add("first")
    replica.add("second", stop=stop)
    engine = replica.engine()
    running = asyncio.create_task(engine.run())
    await turns()
    with capture_logs() as logs:
        engine.stop()
        await running
    assert replica.order[2:6] == ["drain second", "end second", "stop second", "drain first"]
    (line,) = (one for one in logs if one["event"] == "service.delayed")
    assert (line["service"], line["error"].code) == ("second", "server.nobody_answers")


@moved
async def test_a_bus_that_is_lost_for_good_ends_the_replica_in_good_order_and_is_named() -> None:
    replica = Replica()
    replica.add("first")
    engine = replica.engine()
    running = asyncio.create_task(engine.run())
    await turns()
    replica.connection.closed.set()
    with pytest.raises(Unavailable, match="the connection to NATS is lost for good: no route"):
        await running
    assert replica.order[1:] == ["drain first", "end first", "http closed"]


@moved
async def test_where_a_service_cannot_start_those_before_it_end_in_good_order() -> None:
    replica = Replica()
    stopped = asyncio.Event()

    async def stop() -> None:
        stopped.set()

    async def unfit() -> None:
        await turns()
        raise ServerUnfit("too old")

    replica.add("first", stop=stop)
    replica.services.append(Service(name="unfit", start=unfit))
    replica.add("last")
    with pytest.raises(ExceptionGroup) as raised:
        await replica.engine().run()
    assert raised.group_contains(ServerUnfit)
    assert replica.order == ["start first", "drain first", "end first", "http closed"]
    assert stopped.is_set()


@moved
async def test_one_that_is_cancelled_while_it_starts_ends_in_good_order_too() -> None:
    replica = Replica()
    replica.add("first")
    replica.services.append(Service(name="slow", start=asyncio.Event().wait))
    running = asyncio.create_task(replica.engine().run())
    await turns()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert replica.order == ["start first", "drain first", "end first", "http closed"]


@moved
async def test_a_service_that_raises_again_and_again_is_told_and_the_others_go_on() -> None:
    replica = Replica()

    async def fails() -> None:
        raise LookupError("a fault")

    replica.add("first")
    replica.add("fails", run=fails)
    engine = replica.engine()
    running = asyncio.create_task(engine.run())
    await turns()
    assert engine.services() == {"first": True, "fails": True}
    assert replica.faults.lines() == []
    await asyncio.sleep(60)
    assert engine.services() == {"first": True, "fails": False}
    (line,) = replica.faults.lines()
    assert line.startswith("the service fails of this replica has failed ")
    assert "times in a row: LookupError: a fault" in line
    engine.stop()
    await running
    assert replica.order[-3:] == ["drain first", "end first", "http closed"]


@moved
async def test_a_drain_that_raises_keeps_nobody_from_ending_in_good_order() -> None:
    replica = Replica()

    async def fails() -> None:
        raise LookupError("a fault")

    replica.add("first")
    replica.add("second", drain=fails, stop=fails)
    engine = replica.engine()
    with capture_logs() as logs:
        await engine.run(ready=engine.stop)
    assert replica.order[2:] == ["end second", "drain first", "end first", "http closed"]
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [
        "service.undrained", "service.undrained",
    ]  # fmt: skip
