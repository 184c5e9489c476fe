"""The sessions of living replicas are ended in bursts: runs end as if nothing had happened."""

from pathlib import Path

from crash.fleet import new_seed
from doubt.sessions import play_sessions
from lockstep.embedded import Servers


async def test_runs_end_once_though_the_sessions_of_their_workers_are_ended_again_and_again(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    await play_sessions(servers, dsn, tmp_path, runs=100, seconds=10, seed=new_seed())
