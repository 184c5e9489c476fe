"""Every point alone: `make proof-doubt`, which ends with a table of the points and how it went."""

from pathlib import Path

import pytest

from doubt.fates import Once
from doubt.scenarios import SCENARIOS
from doubt.sessions import play_sessions
from doubt.test_doubt import SEED
from doubt.trials import Outcome, Point, compare, play, points
from lockstep.embedded import Servers

_undisturbed: dict[str, Outcome] = {}


@pytest.mark.parametrize(
    "point", points(), ids=lambda one: f"{one.scenario}: {one.mark} {one.side}"
)
async def test_point(servers: Servers, tmp_path: Path, point: Point) -> None:
    scenario = SCENARIOS[point.scenario]
    if point.scenario not in _undisturbed:
        _undisturbed[point.scenario] = await play(servers, scenario, tmp_path)
    found = await play(servers, scenario, tmp_path, [Once(point.mark, point.fate)])
    compare(_undisturbed[point.scenario], found)


async def test_500_runs_end_once_though_sessions_are_ended_at_random_for_a_minute(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    await play_sessions(servers, dsn, tmp_path, runs=500, seconds=60, seed=SEED)
