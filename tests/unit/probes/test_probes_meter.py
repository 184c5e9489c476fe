"""Health and meter by themselves."""

import pytest

from lockstep.probes import Health, yes
from lockstep.probes.health import LONGEST_BEAT_SECONDS
from lockstep.probes.meter import Histogram


def test_a_value_counts_in_the_bucket_that_it_equals() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.add(value)
    assert histogram.buckets() == [("1.0", 2.0), ("2.0", 4.0), ("+Inf", 5.0)]
    assert histogram.total == 14.0


def test_health_names_what_is_missing_in_the_order_in_which_it_comes() -> None:
    health = Health()
    assert health.missing == ["nats", "postgres", "migrations", "intake"]
    health.tell(postgres=yes, nats=yes)
    assert health.missing == ["migrations", "intake"]
    health.tell(migrations=yes, intake=yes)
    assert health.state() == {"ready": True, "missing": []}
    health.stopping = yes
    assert health.missing == ["stopping"]


@pytest.mark.parametrize(("age", "lives"), [(0.0, True), (LONGEST_BEAT_SECONDS + 1, False)])
def test_a_replica_whose_heartbeats_hang_does_not_live(age: float, lives: bool) -> None:
    health = Health()
    assert health.fault is None, "before the engine runs there are no heartbeats"
    health.beats(lambda: age)
    assert (health.fault is None) == lives
