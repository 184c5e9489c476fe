"""Replicas are killed, stopped and shut down while runs sleep: each run ends once, undisturbed."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from crash.fleet import Fleet, Process, answering, new_seed, open_fleet
from crash.invariants import Watch, check_end, stays
from crash.sleepers import GO, name_of
from lockstep.embedded import Servers
from patience import patience

SWEEP_SECONDS = 6.0  # a sweep comes every five seconds


async def begin_all(fleet: Fleet, runs: range, seconds: float, seed: int) -> None:
    """Publish the events of runs, spread over some time; some answers come early or at once."""
    dice = random.Random(seed)  # noqa: S311 - a scenario
    asked = [n for n in runs if name_of(n) == "answers"]
    await fleet.answer_early([f"key {n}" for n in asked[::4]])
    for n in runs:
        await fleet.begin(n)
        if name_of(n) == "answers" and dice.random() < 0.3:
            await fleet.answer(GO, f"key {n}", "eager")
        await asyncio.sleep(dice.uniform(0, 2 * seconds / len(runs)))


async def come_late(fleet: Fleet) -> None:
    """Publish everything again that could wake a run: nobody waits any more."""
    names = fleet.connection.names
    for wait in fleet.awaited[-50:]:
        fleet.connection.post(names.wake("wait", str(wait)), b"")
        fleet.connection.post(names.wake("delay", str(wait)), b"")
    for key in list(fleet.tags)[-50:]:
        await fleet.answer(GO, key, "late")


async def test_500_sleeping_runs_end_as_undisturbed_ones_though_a_replica_is_killed_ten_times(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    seed, runs, kills = new_seed(), 500, 10
    dice = random.Random(seed)  # noqa: S311 - a scenario
    async with open_fleet(servers, dsn, tmp_path, ENGINE__MAX_WALKS=50) as fleet:
        for _ in range(2):
            await fleet.start_known()
        await fleet.talk()
        watch = Watch(fleet)
        async with answering(fleet, seed) as group:
            beginning = group.create_task(begin_all(fleet, range(runs), 24, seed))
            for _ in range(kills):
                await asyncio.sleep(dice.uniform(1, 3.5))
                await fleet.kill(dice.choice(fleet.replicas))
                await watch.look()
                await fleet.start()
            await beginning
            await fleet.until_ended(runs)
        await watch.look()
        repeated = await check_end(fleet, kills)
        print(f"{repeated} calls that were cut off were made again")  # noqa: T201
        await come_late(fleet)
        await stays(fleet, SWEEP_SECONDS)
        watch.check()


async def owns(fleet: Fleet, process: Process, least: int) -> int:
    """Count the runs that a replica walks; wait until there are so many."""
    worker = fleet.ids[process.pid]
    count = "select count(*) from runs where owner = $1"

    async def enough() -> bool:
        return bool(await fleet.value(count, worker) >= least)

    await fleet.until(enough)
    return int(await fleet.value(count, worker))


async def disowned(fleet: Fleet, process: Process) -> None:
    """Wait until a replica owns nothing."""
    worker = fleet.ids[process.pid]

    async def done() -> bool:
        return not await fleet.value("select count(*) from runs where owner = $1", worker)

    await fleet.until(done)


async def test_a_replica_that_was_stopped_while_others_took_over_changes_nothing_when_it_goes_on(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    seed, runs, stops = new_seed(), 150, 3
    async with open_fleet(servers, dsn, tmp_path, ENGINE__STALE_SECONDS=3) as fleet:
        first, _ = [await fleet.start_known() for _ in range(2)]
        await fleet.talk()
        watch = Watch(fleet)
        async with answering(fleet, seed) as group:
            beginning = group.create_task(begin_all(fleet, range(runs), 12, seed))
            for left in reversed(range(stops)):
                await owns(fleet, first, 3)
                first.send_signal(signal.SIGSTOP)
                await disowned(fleet, first)
                await watch.look()
                if left:
                    first.send_signal(signal.SIGCONT)
                    await watch.look()
            await beginning
            await fleet.until_ended(runs)
        await check_end(fleet, stops)
        first.send_signal(signal.SIGCONT)
        await beats(fleet, first)
        # A call that was about to be made when it was stopped is made now, and counts for nothing.
        await stays(fleet, SWEEP_SECONDS, but={"calls"})
        await check_end(fleet, stops)
        watch.check(stopped=True)
        assert first.returncode is None


async def beats(fleet: Fleet, process: Process) -> None:
    """Wait for a sign of life of a replica."""
    worker, since = fleet.ids[process.pid], await fleet.value("select clock_timestamp()")
    beat = "select heartbeat_at from workers where id = $1"

    async def alive() -> bool:
        return bool(await fleet.value(beat, worker) > since)

    await fleet.until(alive)


async def lose_buckets(fleet: Fleet) -> None:
    """Delete both buckets, with all keys and alarms."""
    for stream in fleet.bucket_streams:
        await fleet.ask_jetstream(f"STREAM.DELETE.{stream}")


async def lose_groups(fleet: Fleet) -> None:
    """Delete the groups that alarms of the bus are delivered to."""
    for stream in fleet.bucket_streams:
        await fleet.ask_jetstream(f"CONSUMER.DELETE.{stream}.engine")


async def lose_keys(fleet: Fleet) -> None:
    """Purge both buckets: no alarm of what sleeps now will ever come."""
    for stream in fleet.bucket_streams:
        await fleet.ask_jetstream(f"STREAM.PURGE.{stream}")


@pytest.mark.parametrize("killed", [1, 2], ids=["one is killed", "all are killed"])
@pytest.mark.parametrize("lose", [lose_buckets, lose_groups, lose_keys])
async def test_losing_the_alarms_of_the_bus_and_a_worker_with_its_timers_costs_time_only(
    servers: Servers,
    dsn: str,
    tmp_path: Path,
    lose: Callable[[Fleet], Awaitable[None]],
    killed: int,
) -> None:
    seed, runs = new_seed(), 100
    async with open_fleet(servers, dsn, tmp_path) as fleet:
        for _ in range(2):
            await fleet.start_known()
        await fleet.talk()
        async with answering(fleet, seed):
            await begin_all(fleet, range(runs), 4, seed)
            sleepers = await fleet.asleep(30)
            await lose(fleet)
            for process in fleet.replicas[:killed]:
                await fleet.kill(process)
            if not fleet.replicas:
                await fleet.start()
            late = await fleet.lateness(sleepers)
            await fleet.until_ended(runs)
        print(f"{len(sleepers)} sleepers, woken late by {late[-10:]} s")  # noqa: T201
        await check_end(fleet, killed)
        await stays(fleet, SWEEP_SECONDS)
        await fleet.start()  # whoever starts puts the bus right
        await fleet.until(fleet.has_alarms)


async def test_a_replica_that_is_shut_down_hands_over_at_once_and_nothing_is_called_twice(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    seed, runs = new_seed(), 150
    # Whoever handed nothing over would be waited for in vain: nobody is taken for dead here.
    async with open_fleet(servers, dsn, tmp_path, ENGINE__STALE_SECONDS=3600) as fleet:
        first, _ = [await fleet.start_known() for _ in range(2)]
        await fleet.talk()
        watch = Watch(fleet)
        async with answering(fleet, seed) as group:
            beginning = group.create_task(begin_all(fleet, range(runs), 6, seed))
            await fleet.asleep(30)
            await owns(fleet, first, 3)
            sleepers = await fleet.asleep(1)
            first.send_signal(signal.SIGTERM)
            async with patience():
                assert await first.wait() == 0
            await disowned(fleet, first)
            await fleet.taken_up()
            late = await fleet.lateness(sleepers)
            await watch.look()
            await beginning
            await fleet.until_ended(runs)
        print(f"{len(sleepers)} sleepers, woken late by {late[-10:]} s")  # noqa: T201
        await check_end(fleet, kills=0)
        await stays(fleet, SWEEP_SECONDS)
        watch.check()


async def test_a_replica_that_is_asked_to_stop_while_it_starts_stops_at_once(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    async with open_fleet(servers, dsn, tmp_path) as fleet:
        for attempt in range(10):
            starting = await fleet.start_known()  # its row is there: it goes on to the bus
            await asyncio.sleep(attempt * 0.003)
            starting.send_signal(signal.SIGTERM)
            async with patience():
                assert await starting.wait() == 0, f"attempt {attempt}"
