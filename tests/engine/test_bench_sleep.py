"""The figures of sleeping, in sizes that say nothing of speed: they are there, of their kind."""

import json
import sys

import pytest

from lockstep.cli.commands.bench import Sizes, bench

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

TINY = Sizes(delays=20, spread_seconds=1, sleepers=40, iterations=30)


def measured(figure: str, capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Measure one figure; give what a program gets to see, without what describes the machine."""
    bench([figure], 100, 20, 1, TINY, as_json=True)
    shown: dict[str, float] = json.loads(capsys.readouterr().out)
    assert shown.pop("machine")
    assert shown.pop("versions")
    return shown


def test_sleepers_have_lateness_memory_restart_and_wake(capsys: pytest.CaptureFixture[str]) -> None:
    found = measured("sleepers", capsys)
    assert set(found) == {
        "lateness_p50_ms", "lateness_p99_ms", "rss_none_mb", "rss_sleepers_mb", "start_seconds",
        "restart_seconds", "wake_p50_ms", "wake_ratio",
    }  # fmt: skip
    assert all(value > 0 for value in found.values())
    assert found["lateness_p50_ms"] <= found["lateness_p99_ms"]


def test_takeover_has_the_seconds_until_runs_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    found = measured("takeover", capsys)
    assert set(found) == {"takeover_seconds"}
    assert found["takeover_seconds"] > 0


def test_a_loop_has_a_rate_and_a_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    found = measured("loop", capsys)
    assert set(found) == {"loop_iterations_per_second", "loop_ratio"}
    assert all(value > 0 for value in found.values())
