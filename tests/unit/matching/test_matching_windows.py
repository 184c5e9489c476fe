"""Windows: how often something must happen, and within which time, before a trigger goes on."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.matching.windows import counted, lock_name
from lockstep.model.automations import Automation
from lockstep.model.decisions import Candidate, Counter
from lockstep.model.matches import TriggerMatch
from unit.fakes import Rows
from unit.moved import moved
from unit.values import automation, candidate, event, later, triggered

KEY = b"k"
COUNTER = Counter("a", "test_event", KEY)


def windowed(count: int = 3, minutes: int = 1, refire: str = "once") -> Automation:
    """An automation whose trigger counts."""
    return triggered(window={"count": count, "minutes": minutes, "refire": refire})


def at(of: Automation, *seconds: int, partition: bytes = KEY) -> list[Candidate]:
    """Matches of events that the stream stored then."""
    return [candidate(of, event(second), partition) for second in seconds]


async def passed(found: Sequence[Candidate], tx: Rows) -> list[int]:
    """The seconds of those that go on."""
    through, _ = await counted(found, tx.port)
    return [one.match.event.sequence for one in through]


@moved
async def test_once_goes_on_at_the_crossing_and_not_above_it() -> None:
    assert await passed(at(windowed(), 1, 2, 3, 4, 5), Rows()) == [3]


@moved
async def test_once_goes_on_again_after_it_has_fallen_below() -> None:
    assert await passed(at(windowed(), 1, 2, 3, 4, 70, 71, 72), Rows()) == [3, 72]


@moved
async def test_every_goes_on_at_and_above_the_count() -> None:
    assert await passed(at(windowed(refire="every"), 1, 2, 3, 4, 5, 70), Rows()) == [3, 4, 5]


@moved
async def test_a_moment_that_is_just_as_old_as_the_window_is_out_of_it() -> None:
    assert await passed(at(windowed(count=2), 1, 61), Rows()) == []
    assert await passed(at(windowed(count=2), 2, 61), Rows()) == [61]


@moved
async def test_why_an_event_went_no_further_is_told() -> None:
    _, refused = await counted(at(windowed(count=2), 1, 2, 3), Rows().port)
    assert [(judged.stage, judged.detail) for judged in refused] == [
        ("window", "1 of 2 within 1 min"),
        ("window", "2 within 1 min were reached before"),
    ]


@moved
async def test_a_count_goes_on_where_an_earlier_batch_left_it() -> None:
    tx = Rows()
    assert await passed(at(windowed(), 1, 2), tx) == []
    assert await passed(at(windowed(), 3), tx) == [3]


@moved
async def test_what_is_too_old_for_any_decision_is_not_kept() -> None:
    tx = Rows()
    await passed(at(windowed(count=3), 1, 2, 3, 3661, 3662), tx)
    assert tx.counters == {COUNTER: [later(3), later(3661), later(3662)]}
    assert tx.expires == {COUNTER: later(3722)}
    assert tx.calls == [
        "occurrences",
        "keep_occurrences",
    ]  # one statement each, for the whole batch


@moved
async def test_partitions_and_triggers_count_for_themselves() -> None:
    triggers = [{"event": "test.event", "window": {"count": 2, "minutes": 1}}] * 2
    one = automation(triggers=triggers)
    both = [
        Candidate(TriggerMatch(event(1), one, trigger), KEY) for trigger in one.program.triggers
    ]
    assert await passed(both, Rows()) == []
    mixed = [*at(windowed(2), 1, partition=b"x"), *at(windowed(2), 2, 3, partition=b"y")]
    assert await passed(mixed, Rows()) == [3]


@moved
async def test_an_event_that_is_handled_late_counts_at_its_own_time() -> None:
    tx = Rows()
    assert await passed(at(windowed(), 30, 50), tx) == []
    assert await passed(at(windowed(), 40), tx) == [40]
    assert tx.counters[COUNTER] == [later(30), later(40), later(50)]


@moved
async def test_what_lies_further_apart_than_the_span_is_not_counted_together() -> None:
    """The late one is out of the window of the newest, and is counted with its own neighbours."""
    assert await passed(at(windowed(count=2), 10, 200, 120), Rows()) == []
    assert await passed(at(windowed(count=2), 10, 200, 15), Rows()) == [15]


@pytest.mark.parametrize("minutes", [11, 20, 59])
@moved
async def test_one_that_is_handled_late_by_up_to_an_hour_finds_its_neighbours(minutes: int) -> None:
    now = 60 * minutes
    tx = Rows()
    assert await passed(at(windowed(count=2), 1, now), tx) == []
    assert await passed(at(windowed(count=2), 21), tx) == [21]
    assert await passed(at(windowed(count=2), now - 59), tx) == [now - 59]


@moved
async def test_one_that_fills_a_later_window_stands_for_it_and_no_window_that_is_full_is_lost() -> (
    None
):
    every = windowed(refire="every")
    assert await passed(at(every, 20, 30, 10), Rows()) == [10]
    assert await passed(at(every, 20, 30, 10, 35), Rows()) == [10, 35]
    assert await passed(at(windowed(), 20, 30, 10, 35), Rows()) == [10]


@moved
async def test_a_late_one_that_completes_nothing_new_is_no_crossing() -> None:
    assert await passed(at(windowed(), 30, 50, 55, 40), Rows()) == [55]
    assert await passed(at(windowed(refire="every"), 30, 50, 55, 40), Rows()) == [55, 40]


@moved
async def test_a_busy_counter_keeps_a_bounded_number_of_moments() -> None:
    tx = Rows()
    await passed(at(windowed(count=200, minutes=60), *range(1, 1000)), tx)
    assert len(tx.counters[COUNTER]) == 400
    tx = Rows()
    await passed(at(windowed(count=3, minutes=60), *range(1, 1000)), tx)
    assert len(tx.counters[COUNTER]) == 256


@given(
    seconds=st.lists(st.integers(1, 500), max_size=25, unique=True),
    count=st.integers(1, 4),
    minutes=st.integers(1, 3),
)
@moved
async def test_some_event_goes_on_exactly_where_a_window_was_full_whatever_the_order(
    seconds: list[int], count: int, minutes: int
) -> None:
    tx, one = Rows(), windowed(count, minutes)
    got = await passed(at(one, *seconds), tx)
    span = 60 * minutes
    full = any(sum(1 for s in seconds if end - span < s <= end) >= count for end in seconds)
    assert bool(got) == full


@moved
async def test_what_has_no_window_passes_and_asks_nothing() -> None:
    tx = Rows()
    assert await passed(at(triggered(), 1, 2), tx) == [1, 2]
    assert tx.calls == []


@moved
async def test_what_cancels_a_hold_is_not_counted() -> None:
    one = triggered(window={"count": 2, "minutes": 1}, **{"for": {"seconds": 5}})
    cancelling, tx = candidate(one, event(1), KEY, cancels=True), Rows()
    assert await passed([cancelling], tx) == [1]
    assert tx.calls == []
    assert await passed([cancelling, *at(one, 2)], tx) == [1]
    assert tx.counters[COUNTER] == [later(2)]


def test_the_lock_is_that_of_the_counter() -> None:
    one, other = at(windowed(), 1)[0], at(windowed(), 2, partition=b"other")[0]
    assert lock_name(one) == lock_name(at(windowed(), 3)[0])
    assert lock_name(one) != lock_name(other)


@given(
    seconds=st.lists(st.integers(1, 400), max_size=25, unique=True).map(sorted),
    cuts=st.lists(st.integers(0, 25), max_size=5).map(sorted),
    count=st.integers(1, 5),
    minutes=st.integers(1, 3),
    refire=st.sampled_from(["once", "every"]),
)
@moved
async def test_decisions_are_those_of_counting_all_that_ever_happened(
    seconds: list[int], cuts: list[int], count: int, minutes: int, refire: str
) -> None:
    """However the stream falls into batches, and though only the last moments are kept."""
    one, tx, got = windowed(count, minutes, refire), Rows(), []
    for begin, end in zip([0, *cuts], [*cuts, len(seconds)], strict=True):
        got += await passed(at(one, *seconds[begin:end]), tx)
    span = timedelta(minutes=minutes)
    wanted = []
    for second in seconds:
        seen = sum(1 for s in seconds if later(second) - span < later(s) <= later(second))
        if seen == count or (refire == "every" and seen > count):
            wanted.append(second)
    assert got == wanted
