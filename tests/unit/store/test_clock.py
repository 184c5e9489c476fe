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

    def tell(self, ahead_seconds: float) -> None:
        """Let the database tell a time that is so much ahead."""
        self.clock.synchronise(self.clock.now() + timedelta(seconds=ahead_seconds), self.monotonic)

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
