"""The roster: who is dead is told by beats that do not change, and by no clock but ours."""

from datetime import timedelta

import pytest

from lockstep.replicas import Roster
from unit.values import NOW, uid

STALE = 4.0
LATER = NOW + timedelta(seconds=1)
DAY = timedelta(days=1)
ONE, OTHER = uid(1), uid(2)


def test_a_worker_is_dead_whose_beat_has_not_changed_for_long_enough() -> None:
    roster = Roster(STALE)
    for at in (10.0, 11.0, 13.9):
        roster.look({ONE: NOW}, at, at)
        assert roster.stale() == ()
    roster.look({ONE: NOW}, 14.0, 14.0)
    assert roster.stale() == ((ONE, NOW),)


def test_what_counts_is_from_the_answer_that_showed_it_to_a_question_that_shows_it_again() -> None:
    roster = Roster(STALE)
    roster.look({ONE: NOW}, 10.0, 12.0)
    roster.look({ONE: NOW}, 15.9, 19.0)
    assert roster.stale() == ()
    roster.look({ONE: NOW}, 16.0, 16.0)
    assert roster.stale() == ((ONE, NOW),)


def test_a_worker_that_beats_lives_and_one_that_beats_again_lives_again() -> None:
    roster = Roster(STALE)
    roster.look({ONE: NOW, OTHER: NOW}, 0.0, 0.0)
    roster.look({ONE: LATER, OTHER: NOW}, 4.0, 4.0)
    assert roster.stale() == ((OTHER, NOW),)
    roster.look({ONE: LATER, OTHER: LATER}, 5.0, 5.0)
    assert roster.stale() == ()


@pytest.mark.parametrize("step", [-DAY, DAY])
def test_a_clock_of_the_database_that_is_set_lets_nobody_look_dead(step: timedelta) -> None:
    roster = Roster(STALE)
    for second in range(20):
        beat = NOW + timedelta(seconds=second) + (step if second > 10 else timedelta())
        roster.look({ONE: beat}, float(second), float(second))
        assert roster.stale() == ()


def test_who_has_just_started_waits_before_it_takes_anybody_for_dead() -> None:
    roster = Roster(STALE)
    roster.look({ONE: NOW - DAY}, 100.0, 100.0)
    assert roster.stale() == ()
    roster.look({ONE: NOW - DAY}, 104.0, 104.0)
    assert roster.stale() == ((ONE, NOW - DAY),)


def test_who_could_not_look_for_a_while_sees_all_as_if_for_the_first_time() -> None:
    roster = Roster(STALE)
    roster.look({ONE: NOW}, 0.0, 0.0)
    roster.lose_sight()
    roster.look({ONE: NOW}, 100.0, 100.0)
    assert roster.stale() == ()


def test_one_whose_row_is_gone_is_not_named_and_forgotten() -> None:
    roster = Roster(STALE)
    roster.look({ONE: NOW}, 0.0, 0.0)
    roster.look({ONE: NOW}, 4.0, 4.0)
    roster.look({}, 5.0, 5.0)
    assert roster.stale() == ()
    roster.look({ONE: NOW}, 6.0, 6.0)
    assert roster.stale() == ()


def test_time_that_a_case_lets_pass_counts_at_the_next_look_for_those_who_did_not_beat() -> None:
    roster = Roster(STALE)
    roster.look({ONE: NOW, OTHER: NOW}, 0.0, 0.0)
    roster.age(600.0)
    assert roster.stale() == ()
    roster.look({ONE: LATER, OTHER: NOW}, 0.1, 0.1)
    assert roster.stale() == ((OTHER, NOW),)
