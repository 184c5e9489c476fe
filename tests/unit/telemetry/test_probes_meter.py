"""Health and meter by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from lockstep.telemetry import Health
from lockstep.telemetry.health import LONGEST_BEAT_SECONDS
from lockstep.telemetry.meter import EndsByAutomation, Histogram, Measures


@dataclass
class Nats:
    """A connection that may be lost."""

    healthy: bool = True


@dataclass
class Beats:
    """Heartbeats, of some age."""

    is_fresh: bool = True
    seconds_since_try: float = 0.0
    seconds_since_answer: float = 0.0


@dataclass
class Serving:
    """A replica that takes events."""

    running: Mapping[str, bool] = field(default_factory=dict)
    is_stopping: bool = False
    gone: Sequence[str] = ()

    def lacking(self) -> Sequence[str]:
        """See `telemetry.health.Serving`."""
        return self.gone

    def services(self) -> Mapping[str, bool]:
        """See `telemetry.health.Serving`."""
        return self.running


def test_a_value_counts_in_the_bucket_that_it_equals() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.add(value)
    assert histogram.buckets() == [("1.0", 2.0), ("2.0", 4.0), ("+Inf", 5.0)]
    assert histogram.total == 14.0


def test_of_more_automations_than_there_is_room_for_the_others_are_one() -> None:
    measures = Measures(automations=2)
    for automation in ("a", "b", "c", "d", "a"):
        measures.run_ended(automation, "failed", 1.0)
    own = measures.automations.known(["a", "b", "c", "d"])
    assert {name: ends.statuses["failed"] for name, ends in own.items()} == {"a": 2, "b": 1}
    assert measures.automations.others.statuses["failed"] == 2
    assert measures.runs_ended["failed"] == 5


def test_with_no_room_at_all_no_automation_has_figures() -> None:
    found = EndsByAutomation(0)
    assert found.of("a") is found.others
    assert found.known(["a"]) == {}


def test_an_automation_has_figures_before_its_first_run_ends_the_oldest_first() -> None:
    found = EndsByAutomation(2)
    assert [*found.known(["z", "b", "a"])] == ["z", "b"]
    assert found.known(["z", "b", "a"])["z"].statuses == {
        "success": 0, "failed": 0, "cancelled": 0, "skipped": 0
    }  # fmt: skip
    assert found.of("a") is found.others


def test_one_that_is_gone_makes_room_only_where_it_is_needed() -> None:
    found = EndsByAutomation(3)
    for automation in ("a", "b"):
        found.of(automation).statuses["failed"] += 1
    assert found.known(["b", "c"])["a"].statuses["failed"] == 1, "its last runs are still counted"
    kept = found.known(["b", "c", "d"])
    assert {name: ends.statuses["failed"] for name, ends in kept.items()} == {
        "b": 1,
        "c": 0,
        "d": 0,
    }
    assert [*found.known(["b", "c", "d", "e"])] == ["b", "c", "d"], "the others are not pushed out"
    assert found.of("a") is found.others


def test_health_names_what_is_missing_in_the_order_in_which_it_comes() -> None:
    health = Health()
    assert health.missing == ["nats", "postgres", "migrations", "intake"]
    health.found("postgres")
    health.connected(Nats())
    assert health.missing == ["migrations", "intake"]
    health.found("migrations")
    health.takes_events(Serving(), Beats())
    assert health.state() == {"ready": True, "missing": []}


def test_health_asks_anew_at_each_look_what_can_go_again() -> None:
    health, nats, beats = Health(), Nats(), Beats()
    health.found("postgres")
    health.found("migrations")
    health.connected(nats)
    nats.healthy = False
    assert health.missing == ["nats", "intake"], "while it starts, too"
    serving = Serving({"outbox": True, "intake": False})
    health.takes_events(serving, beats)
    beats.is_fresh = False
    assert health.missing == ["nats", "postgres", "intake"]
    serving.gone = ["stream RUNS"]
    assert health.missing == ["nats", "postgres", "intake", "stream RUNS"]
    serving.is_stopping = True
    assert health.missing == ["nats", "postgres", "stopping"]


@pytest.mark.parametrize(("age", "lives"), [(0.0, True), (LONGEST_BEAT_SECONDS + 1, False)])
def test_a_replica_whose_heartbeats_hang_does_not_live(age: float, lives: bool) -> None:
    health = Health()
    assert health.fault is None, "before the engine runs there are no heartbeats"
    health.takes_events(Serving(), Beats(seconds_since_try=age))
    assert (health.fault is None) == lives


@pytest.mark.parametrize(
    ("silent", "is_nats_there", "lives"),
    [
        pytest.param(301.0, True, False, id="only the store is of no use"),
        pytest.param(299.0, True, True, id="not for long enough"),
        pytest.param(301.0, False, True, id="a new process would find neither"),
    ],
)
def test_a_replica_without_its_store_for_long_does_not_live_while_nats_is_there(
    silent: float, is_nats_there: bool, lives: bool
) -> None:
    health = Health(stuck_seconds=300.0)
    health.connected(Nats(healthy=is_nats_there))
    assert health.fault is None
    health.takes_events(Serving(), Beats(seconds_since_answer=silent))
    assert (health.fault is None) == lives
