"""The figures of sleeping, in sizes that say nothing of speed: they are there, of their kind."""

import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from lockstep import bus
from lockstep.bench.deadlines import looks_at
from lockstep.bench.environment import environment
from lockstep.bench.errors import BenchFailed
from lockstep.cli.commands.bench import Sizes, bench
from patience import until

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


def test_timeouts_and_holds_have_lateness(capsys: pytest.CaptureFixture[str]) -> None:
    found = measured("timeouts", capsys)
    assert set(found) == {"timeout_p50_ms", "timeout_p99_ms", "hold_p50_ms", "hold_p99_ms"}
    assert all(value > 0 for value in found.values())
    assert found["timeout_p50_ms"] <= found["timeout_p99_ms"]
    assert found["hold_p50_ms"] <= found["hold_p99_ms"]


def test_expiry_has_the_seconds_until_the_last_has_ended_and_the_looks_at_the_stream(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = measured("expiry", capsys)
    assert set(found) == {"expiry_seconds", "expiry_looks"}
    assert found["expiry_seconds"] > 0
    assert 0 < found["expiry_looks"] <= TINY.delays


async def test_a_look_at_the_stream_is_counted_by_its_event() -> None:
    async with environment() as opened:
        await bus.apply(opened.connection)
        names = opened.connection.names
        async with looks_at(opened, "bench.wake") as looks:
            for event in ("bench.other", "bench.wake"):
                request = {"next_by_subj": names.trigger(event), "seq": 1}
                with suppress(bus.api.ApiError):  # there is no such message
                    await bus.api.call(
                        opened.connection, f"STREAM.MSG.GET.{names.triggers_stream}", request
                    )
            await until(lambda: looks.count)
    assert looks.count == 1


def test_events_beside_waits_have_a_rate_and_a_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    found = measured("armed", capsys)
    assert set(found) == {
        "unawaited_events_per_second", "armed_events_per_second", "armed_ratio",
        "looking_back_events_per_second", "looking_back_ratio",
    }  # fmt: skip
    assert all(value > 0 for value in found.values())


def test_an_engine_of_another_tree_is_measured_beside_this_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = Path(__file__).parents[2]
    bench(["latency"], 100, 20, 2, TINY, as_json=True, beside=here)
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == {"p50_ms", "p99_ms", "machine", "versions"}
    assert all(shown["p50_ms"][part] > 0 for part in ("here", "beside", "ratio"))


def test_a_folder_without_an_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchFailed, match="no tree of Lockstep"):
        bench(["latency"], 100, 20, 1, TINY, as_json=True, beside=tmp_path)
