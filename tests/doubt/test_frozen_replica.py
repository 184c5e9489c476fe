"""A replica that is frozen between the preparing of a statement and its execution stops nobody."""

import signal
from pathlib import Path

from crash.fleet import answering, new_seed, open_fleet
from crash.invariants import check_end
from doubt.fates import WITHHELD, Once
from doubt.proxy_postgres import PostgresProxy
from lockstep.embedded import Servers
from patience import until

RUNS = 6
IN_TRANSACTION = """
    select count(*) from pg_stat_activity
     where datname = current_database() and state = 'active' and wait_event_type = 'Client'
       and backend_xid is not null
"""


async def test_events_that_it_has_locked_are_taken_by_the_others_while_it_is_frozen(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    async with (
        PostgresProxy(dsn).opened() as proxy,
        open_fleet(servers, dsn, tmp_path, ENGINE__STALE_SECONDS=3) as fleet,
    ):
        direct, fleet.env["LOCKSTEP_POSTGRES__DSN"] = (
            fleet.env["LOCKSTEP_POSTGRES__DSN"],
            proxy.dsn,
        )
        first = await fleet.start_known()
        await fleet.talk()
        proxy.arbiter = once = Once("automations/lock_many", WITHHELD, durable=False)
        async with answering(fleet, new_seed()):
            for n in range(RUNS):
                await fleet.begin(n)
            await until(lambda: once.struck)
            first.send_signal(signal.SIGSTOP)
            # No time-out of the server acts here; the others would wait for as long as it sleeps.
            assert await fleet.value(IN_TRANSACTION), "the server waits for what was withheld"
            fleet.env["LOCKSTEP_POSTGRES__DSN"] = direct
            await fleet.start_known()
            await fleet.until_ended(RUNS)
        await check_end(fleet, kills=1)
        first.send_signal(signal.SIGCONT)
