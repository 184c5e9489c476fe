"""Commits and messages are left in doubt: all ends as if nothing had happened.

`make proof-doubt` tries every point alone; here each scenario is played with some of its points,
chosen by a seed.
"""

import os
import random
from pathlib import Path
from typing import Final

import pytest

from doubt.fates import Once
from doubt.scenarios import SCENARIOS
from doubt.trials import compare, play, points
from lockstep.embedded import Servers

SEED: Final = int(os.environ.get("DOUBT_SEED", "13"))
MOST: Final = 3  # points of a scenario at once


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "sleep"])
async def test_what_is_left_in_doubt_ends_as_if_nothing_had_happened(
    servers: Servers, tmp_path: Path, name: str
) -> None:
    scenario = SCENARIOS[name]
    wanted = await play(servers, scenario, tmp_path)
    assert not scenario.reaches - wanted.seen.keys(), "it does not do what it is there for"
    there = [point for point in points() if point.scenario == name]
    dice = random.Random(f"{SEED} {name}")  # noqa: S311 - a scenario
    marks = dice.sample(sorted({point.mark for point in there}), min(MOST, len(scenario.reaches)))
    chosen = [dice.choice([one for one in there if one.mark == mark]) for mark in marks]
    print(f"DOUBT_SEED={SEED}:", *chosen)  # noqa: T201 - pytest shows it where the test fails
    found = await play(servers, scenario, tmp_path, [Once(one.mark, one.fate) for one in chosen])
    compare(wanted, found)
