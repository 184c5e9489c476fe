"""The sessions of two replicas are ended at random while they are at work."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path

from crash.fleet import Fleet, answering, open_fleet
from crash.invariants import Watch, check_end, stays
from crash.test_sleepers import SWEEP_SECONDS, begin_all
from lockstep.embedded import Servers
from patience import briefly

END_SOME = """
    select count(pg_terminate_backend(pid))
      from pg_stat_activity
     where datname = current_database() and application_name like 'lockstep%' and random() < $1
"""


async def end_sessions(fleet: Fleet, seconds: float, dice: random.Random) -> int:
    """End some of the engine's sessions, or all, now and then for so long; give how many."""
    ended = 0
    with suppress(TimeoutError):
        async with briefly(seconds):
            while True:
                ended += await fleet.value(END_SOME, dice.choice([0.1, 0.3, 1.0]))
                await asyncio.sleep(dice.choice([0.02, 0.2, 1.0]))
    return ended


async def play_sessions(
    servers: Servers, dsn: str, folder: Path, *, runs: int, seconds: float, seed: int
) -> None:
    """End sessions for so long under so many runs: all end, none twice, none is stuck."""
    dice = random.Random(seed)  # noqa: S311 - a scenario
    async with open_fleet(servers, dsn, folder, ENGINE__MAX_WALKS=50) as fleet:
        for _ in range(2):
            await fleet.start_known()
        await fleet.talk()
        watch = Watch(fleet)
        async with answering(fleet, seed) as group:
            group.create_task(begin_all(fleet, range(runs), 0.8 * seconds, seed))
            ended = await end_sessions(fleet, seconds, dice)
            await watch.look()
            await fleet.until_ended(runs)
        print(f"{ended} sessions were ended")  # noqa: T201
        assert ended
        await watch.look()
        assert all(process.returncode is None for process in fleet.replicas)
        # No worker has died: no call that succeeded or was cut off is made again.
        await check_end(fleet, kills=0)
        await stays(fleet, SWEEP_SECONDS)
        watch.check()
