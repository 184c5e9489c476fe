"""Replicas are killed, stopped and shut down while runs sleep: each run ends once, undisturbed."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from crash.invariants import Watch, check_end, stays
from crash.scene import Process, Scene, answering, new_seed, open_scene
from crash.sleepers import GO, name_of
from lockstep.embedded import Servers

SWEEP_SECONDS = 6.0  # a sweep comes every five seconds
LATEST_SECONDS = 12.0  # overdue after five seconds, and a sweep every five seconds


async def begin_all(scene: Scene, runs: range, seconds: float, seed: int) -> None:
    """Publish the events of runs, spread over some time; some answers come early or at once."""
    dice = random.Random(seed)  # noqa: S311 - a scenario
    asked = [n for n in runs if name_of(n) == "answers"]
    await scene.answer_early([f"key {n}" for n in asked[::4]])
    for n in runs:
        await scene.begin(n)
        if name_of(n) == "answers" and dice.random() < 0.3:
            await scene.answer(GO, f"key {n}", "eager")
        await asyncio.sleep(dice.uniform(0, 2 * seconds / len(runs)))


async def come_late(scene: Scene) -> None:
    """Publish everything again that could wake a run: nobody waits any more."""
    names = scene.connection.names
    for wait in scene.awaited[-50:]:
        scene.connection.post(names.wake("wait", str(wait)), b"")
        scene.connection.post(names.wake("delay", str(wait)), b"")
    for key in list(scene.tags)[-50:]:
        await scene.answer(GO, key, "late")


async def test_500_sleeping_runs_end_as_undisturbed_ones_though_a_replica_is_killed_ten_times(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    seed, runs, kills = new_seed(), 500, 10
    dice = random.Random(seed)  # noqa: S311 - a scenario
    async with open_scene(servers, dsn, tmp_path, ENGINE__MAX_WALKS=50) as scene:
        for _ in range(2):
            await scene.start_known()
        await scene.talk()
        watch = Watch(scene)
        async with answering(scene, seed) as group:
            beginning = group.create_task(begin_all(scene, range(runs), 24, seed))
            for _ in range(kills):
                await asyncio.sleep(dice.uniform(1, 3.5))
                await scene.kill(dice.choice(scene.replicas))
                await watch.look()
                await scene.start()
            await beginning
            await scene.until_ended(runs, 60)
        await watch.look()
        repeated = await check_end(scene, kills)
        print(f"{repeated} calls that were cut off were made again")  # noqa: T201
        await come_late(scene)
        await stays(scene, SWEEP_SECONDS)
        watch.check()


async def owns(scene: Scene, process: Process, least: int) -> int:
    """Count the runs that a replica walks; wait until there are so many."""
    worker = scene.ids[process.pid]
    count = "select count(*) from runs where owner = $1"

    async def enough() -> bool:
        return bool(await scene.value(count, worker) >= least)

    await scene.until(enough, 30)
    return int(await scene.value(count, worker))


async def disowned(scene: Scene, process: Process, seconds: float) -> None:
    """Wait until a replica owns nothing."""
    worker = scene.ids[process.pid]

    async def done() -> bool:
        return not await scene.value("select count(*) from runs where owner = $1", worker)

    await scene.until(done, seconds)


async def test_a_replica_that_was_stopped_while_others_took_over_changes_nothing_when_it_goes_on(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    seed, runs, stops = new_seed(), 150, 3
    async with open_scene(servers, dsn, tmp_path, ENGINE__STALE_SECONDS=1.2) as scene:
        first, _ = [await scene.start_known() for _ in range(2)]
        await scene.talk()
        watch = Watch(scene)
        async with answering(scene, seed) as group:
            beginning = group.create_task(begin_all(scene, range(runs), 12, seed))
            for left in reversed(range(stops)):
                await owns(scene, first, 3)
                first.send_signal(signal.SIGSTOP)
                await disowned(scene, first, 20)
                await watch.look()
                if left:
                    first.send_signal(signal.SIGCONT)
                    await watch.look()
            await beginning
            await scene.until_ended(runs, 60)
        await check_end(scene, stops)
        first.send_signal(signal.SIGCONT)
        await beats(scene, first)
        # A call that was about to be made when it was stopped is made now, and counts for nothing.
        await stays(scene, SWEEP_SECONDS, but={"calls"})
        await check_end(scene, stops)
        watch.check(stopped=True)
        assert first.returncode is None


async def beats(scene: Scene, process: Process) -> None:
    """Wait for a sign of life of a replica."""
    worker, since = scene.ids[process.pid], await scene.value("select clock_timestamp()")
    beat = "select heartbeat_at from workers where id = $1"

    async def alive() -> bool:
        return bool(await scene.value(beat, worker) > since)

    await scene.until(alive, 20)


async def lose_buckets(scene: Scene) -> None:
    """Delete both buckets, with all keys and alarms."""
    for stream in scene.bucket_streams:
        await scene.ask_jetstream(f"STREAM.DELETE.{stream}")


async def lose_groups(scene: Scene) -> None:
    """Delete the groups that alarms of the bus are delivered to."""
    for stream in scene.bucket_streams:
        await scene.ask_jetstream(f"CONSUMER.DELETE.{stream}.engine")


async def lose_keys(scene: Scene) -> None:
    """Purge both buckets: no alarm of what sleeps now will ever come."""
    for stream in scene.bucket_streams:
        await scene.ask_jetstream(f"STREAM.PURGE.{stream}")


@pytest.mark.parametrize("killed", [1, 2], ids=["one is killed", "all are killed"])
@pytest.mark.parametrize("lose", [lose_buckets, lose_groups, lose_keys])
async def test_losing_the_alarms_of_the_bus_and_a_worker_with_its_timers_costs_time_only(
    servers: Servers,
    dsn: str,
    tmp_path: Path,
    lose: Callable[[Scene], Awaitable[None]],
    killed: int,
) -> None:
    seed, runs = new_seed(), 100
    async with open_scene(servers, dsn, tmp_path) as scene:
        for _ in range(2):
            await scene.start_known()
        await scene.talk()
        async with answering(scene, seed):
            await begin_all(scene, range(runs), 4, seed)
            sleepers = await scene.asleep(30)
            await lose(scene)
            for process in scene.replicas[:killed]:
                await scene.kill(process)
            if not scene.replicas:
                await scene.start()
            late = await scene.lateness(sleepers, 40)
            await scene.until_ended(runs, 60)
        print(f"{len(sleepers)} sleepers, woken late by {late[-10:]} s")  # noqa: T201
        await check_end(scene, killed)
        await stays(scene, SWEEP_SECONDS)
        await scene.start()  # whoever starts puts the bus right
        await scene.until(scene.has_alarms, 20)
        assert late[-1] < LATEST_SECONDS


async def test_a_replica_that_is_shut_down_hands_over_at_once_and_nothing_is_called_twice(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    seed, runs = new_seed(), 150
    async with open_scene(servers, dsn, tmp_path) as scene:
        first, _ = [await scene.start_known() for _ in range(2)]
        await scene.talk()
        watch = Watch(scene)
        async with answering(scene, seed) as group:
            beginning = group.create_task(begin_all(scene, range(runs), 6, seed))
            await scene.asleep(30)
            await owns(scene, first, 3)
            sleepers = await scene.asleep(1)
            first.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await first.wait() == 0
            await disowned(scene, first, 0.5)
            await scene.taken_up(3)
            late = await scene.lateness(sleepers, 40)
            await watch.look()
            await beginning
            await scene.until_ended(runs, 60)
        print(f"{len(sleepers)} sleepers, woken late by {late[-10:]} s")  # noqa: T201
        await check_end(scene, kills=0)
        await stays(scene, SWEEP_SECONDS)
        watch.check()
        assert late[-1] < LATEST_SECONDS


async def test_a_replica_that_is_asked_to_stop_while_it_starts_stops_at_once(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    async with open_scene(servers, dsn, tmp_path) as scene:
        for attempt in range(10):
            starting = await scene.start_known()  # its row is there: it goes on to the bus
            await asyncio.sleep(attempt * 0.003)
            starting.send_signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                assert await starting.wait() == 0, f"attempt {attempt}"
