"""The sessions of living replicas are ended in bursts: runs end as if nothing had happened."""

import asyncio
import random
from pathlib import Path

from crash.fleet import Fleet, answering, new_seed, open_fleet
from crash.invariants import Watch, check_end, stays
from crash.test_sleepers import SWEEP_SECONDS, begin_all
from lockstep.embedded import Servers

RUNS, SECONDS = 200, 20.0
END_SOME = """
    select count(*) filter (where pg_terminate_backend(pid))
      from pg_stat_activity
     where datname = current_database() and application_name = 'lockstep' and random() < $1
"""
OWNED = "select count(*) from runs where owner is not null"


async def burst(fleet: Fleet, dice: random.Random) -> int:
    """End sessions for ever, some or all at a time; give how many when cancelled."""
    ended = 0
    try:
        while True:
            ended += await fleet.value(END_SOME, dice.choice([0.2, 0.5, 1.0]))
            await asyncio.sleep(dice.uniform(0.05, 0.6))
    except asyncio.CancelledError:
        return ended


async def test_runs_end_once_though_the_sessions_of_their_workers_are_ended_again_and_again(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    seed = new_seed()
    dice = random.Random(seed)  # noqa: S311 - a scenario
    async with open_fleet(servers, dsn, tmp_path) as fleet:
        for _ in range(2):
            await fleet.start_known()
        await fleet.talk()
        watch = Watch(fleet)
        async with answering(fleet, seed) as group:
            bursting = asyncio.create_task(burst(fleet, dice))
            beginning = group.create_task(begin_all(fleet, range(RUNS), SECONDS, seed))
            await beginning
            await watch.look()
            bursting.cancel()
            ended = await bursting
            await fleet.until_ended(RUNS)
        print(f"{ended} sessions were ended")  # noqa: T201
        assert ended
        await watch.look()
        # No worker has died: no call that succeeded or was cut off is made again.
        await check_end(fleet, kills=0)
        await stays(fleet, SWEEP_SECONDS)
        watch.check()
        assert not await fleet.value(OWNED)
