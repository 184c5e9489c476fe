"""The primary takes no more writes and its standby does: two replicas under load go over to it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from doubt.standby import open_nodes
from doubt.test_faults import AWAY_SECONDS, Pair, harmed, open_pair
from doubt.trials import check_events
from lockstep.embedded import Servers

END = """
    select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'lockstep%'
"""


@dataclass(frozen=True)
class Way:
    """How both hosts are named, and what becomes of the old primary."""

    name: str
    dsn: str
    ends_sessions: bool = False
    is_stopped: bool = False


WAYS = [
    Way(
        "sessions stay and it is stopped",
        "postgresql://lockstep@127.0.0.1:{old},127.0.0.1:{new}/postgres",
        is_stopped=True,
    ),
    Way(
        "sessions end and it is stopped",
        "postgresql://lockstep@127.0.0.1:{new},127.0.0.1:{old}/postgres"
        "?target_session_attrs=read-write",
        ends_sessions=True,
        is_stopped=True,
    ),
    Way(
        "sessions stay and it goes on without writes",
        "postgresql://lockstep@/postgres?host=127.0.0.1,127.0.0.1&port={old},{new}",
    ),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda one: one.name)
async def test_a_standby_that_is_promoted_under_load_leaves_no_run_behind(
    servers: Servers, tmp_path: Path, way: Way
) -> None:
    async with open_nodes(tmp_path) as nodes:
        old, new = nodes.primary, nodes.standby

        async def fail_over(pair: Pair) -> None:
            await old.set("default_transaction_read_only", "on")
            if way.ends_sessions:
                await old.do(END)
            await asyncio.sleep(AWAY_SECONDS)  # in which no host takes writes
            await new.do("select pg_promote()")
            if way.is_stopped:
                await old.stop()
            # What the test looks into goes over as well.
            pair.lab.pool.set_connect_args(new.dsn)
            await pair.lab.pool.expire_connections()
            assert await pair.lab.value("select inet_server_port()") == new.port

        dsn = way.dsn.format(old=old.port, new=new.port)
        async with open_pair(servers.nats_url, dsn, tmp_path) as pair:
            await harmed(pair, fail_over)
            await check_events(pair.lab)
