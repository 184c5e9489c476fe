"""All replicas are killed, and are back after the deadlines: what is stored in time counts."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from crash.fleet import open_fleet
from crash.invariants import Watch, check_all_over, stays
from crash.outage import Outage, automations
from lockstep.embedded import Servers

REPLICAS = 2
SECONDS = 10  # until the deadlines: everything is armed, and what is in time published, within them
CROWD_PER_SECOND = 2000  # what is published of the crowd on a busy machine
SWEEP_SECONDS = 6.0  # a sweep comes every five seconds
# `make proof-outage` has 50,000, which takes minutes on a busy machine.
CROWD = int(os.environ.get("OUTAGE_CROWD", "4000"))


@pytest.mark.parametrize(
    ("crowd", "lanes"),
    [(0, ()), (CROWD, ()), (CROWD // 4, ("fast", "slow"))],
    ids=["alone", "behind a crowd", "in two lanes"],
)
async def test_what_is_published_while_no_replica_runs_counts_by_when_it_was_stored(
    servers: Servers, dsn: str, tmp_path: Path, crowd: int, lanes: Sequence[str]
) -> None:
    seconds = SECONDS + crowd // CROWD_PER_SECOND
    settings = {"NATS__LANES": ",".join(lanes), "ENGINE__BATCH_SIZE": 256}
    async with open_fleet(servers, dsn, tmp_path, **settings) as fleet:
        for _ in range(REPLICAS):
            await fleet.start_known()
        await fleet.talk(automations(seconds))
        outage = Outage(fleet, seconds, ("", *lanes))
        await outage.arm()
        for process in [*fleet.replicas]:
            await fleet.kill(process)
        print(f"{await outage.crowd(crowd)} other events before")  # noqa: T201
        await outage.answer_in_time()
        await outage.answer_too_late()
        watch = Watch(fleet)
        await watch.look()
        for _ in range(REPLICAS):
            await fleet.start_known()
        await outage.until_over()
        await watch.look()
        await outage.check()
        await check_all_over(fleet, REPLICAS, {})
        await stays(fleet, SWEEP_SECONDS)
        watch.check()
