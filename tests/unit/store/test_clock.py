"""The clock of the database, as a replica keeps it."""

from datetime import timedelta

import pytest

from lockstep.store import DatabaseClock


class Told:
    """A clock that goes only when it is moved, and is told times that are off."""

    def __init__(self) -> None:
        self.monotonic = 100.0
        self.clock = DatabaseClock(lambda: self.monotonic)
        self.begun = self.clock.now()

    def tell(self, ahead_seconds: float, error_seconds: float = 0.0) -> None:
        """Let the database tell a time that is so much ahead, give or take something."""
        now = self.clock.now() + timedelta(seconds=ahead_seconds)
        self.clock.synchronise(now, self.monotonic, error_seconds)

    def passed(self, seconds: float = 0.0) -> float:
        """Let some time pass; give how many seconds the clock has gone since it began."""
        self.monotonic += seconds
        return (self.clock.now() - self.begun).total_seconds()


@pytest.mark.parametrize("back_seconds", [0.001, 0.02, 0.9])
def test_what_comes_later_is_not_dated_earlier_because_an_answer_was_slow(
    back_seconds: float,
) -> None:
    told = Told()
    told.passed(5)
    told.tell(-back_seconds)
    assert told.passed() == pytest.approx(5)
    assert told.passed(back_seconds / 2) == pytest.approx(5)
    assert told.passed(back_seconds) == pytest.approx(5 + back_seconds / 2)


@pytest.mark.parametrize("ahead_seconds", [0.5, 3600, -3600, -2])
def test_a_clock_that_was_set_is_followed(ahead_seconds: float) -> None:
    told = Told()
    told.tell(ahead_seconds)
    assert told.passed() == pytest.approx(ahead_seconds)
    assert told.passed(1) == pytest.approx(ahead_seconds + 1)


def test_what_is_told_better_counts_and_what_is_told_worse_does_not() -> None:
    told = Told()
    told.tell(0.060, error_seconds=0.060)  # with the opening of a connection
    assert told.clock.error == timedelta(milliseconds=60)
    told.tell(-0.058, error_seconds=0.002)
    told.passed(1)
    assert told.passed() == pytest.approx(1 + 0.002)
    told.tell(0.3, error_seconds=0.4)  # a slow beat
    assert told.passed() == pytest.approx(1 + 0.002)
    assert told.clock.error == timedelta(milliseconds=2.2)


def test_what_was_told_long_ago_is_worth_less() -> None:
    told = Told()
    told.tell(0, error_seconds=0.001)
    told.passed(3600)
    assert told.clock.error == timedelta(milliseconds=721)
    told.tell(0.5, error_seconds=0.1)
    assert told.passed() == pytest.approx(3600.5)
    assert told.clock.error == timedelta(milliseconds=100)


@pytest.mark.parametrize("ahead_seconds", [0.02, -0.02])
def test_what_both_cannot_mean_is_a_clock_that_was_set(ahead_seconds: float) -> None:
    told = Told()
    told.tell(0, error_seconds=0.001)
    told.tell(ahead_seconds, error_seconds=0.005)
    assert told.clock.error == timedelta(milliseconds=5)
    assert told.passed(1) == pytest.approx(1 + ahead_seconds)
