"""What crons of others say: the hint is itself a pattern, and means the same."""

import pytest

from lockstep.schedule.pattern import judged, read


def proposed(text: str) -> list[str]:
    """Give what is to be written, between backticks behind `write`, of all that is wrong."""
    hints = [wrong.partition("write `")[2].partition("`")[0] for wrong in judged(text)]
    return [hint for hint in hints if hint]


@pytest.mark.parametrize(
    ("written", "own"),
    [
        ("cron(0 12 * * ? *)", "0 12 * * *"),
        ("CRON(0 12 ? * MON-FRI *)", "0 12 * * MON-FRI"),
        ("cron(0 0 ? * 2#1 *)", "0 0 * * 1#1"),
        ("cron(0 0 ? * 1,7 *)", "0 0 * * 0,6"),
        ("cron(0 0 ? * 6L *)", "0 0 * * 5L"),
        ("0 0 12 * * ? 2026", "0 0 12 * * *"),
        ("0 0 12 ? * MON *", "0 0 12 * * MON"),
        ("CRON_TZ=Europe/Berlin 0 9 * * *", "0 9 * * *"),
        ("tz=UTC @daily", "@daily"),
    ],
)
def test_a_pattern_of_another_cron_is_told_as_ours(written: str, own: str) -> None:
    assert proposed(written) == [own]
    assert judged(own) == []


@pytest.mark.parametrize("written", ["cron()", "cron(0 12)", "cron(0 12 W * ? *)", "TZ=UTC"])
def test_nothing_is_proposed_that_is_no_pattern(written: str) -> None:
    assert proposed(written) == []
    assert len(judged(written)) == 1


@pytest.mark.parametrize(
    ("day", "own"), [("15W", "15"), ("0W", "LW"), ("32W", "LW"), ("L/2", "L"), ("LW/3", "LW")]
)
def test_a_day_of_the_month_is_told_with_one_that_there_is(day: str, own: str) -> None:
    assert proposed(f"0 9 {day} * *") == [own]
    assert judged(f"0 9 {own} * *") == []


@pytest.mark.parametrize("days", ["*/7", "0-7/7", "0/7", "SUN-7/7"])
def test_a_step_of_a_week_leaves_sunday_alone_and_is_refused(days: str) -> None:
    assert proposed(f"0 9 * * {days}") == ["0"]


@pytest.mark.parametrize("days", ["*/6", "*/2", "1-7/6"])
def test_a_step_within_the_week_is_taken(days: str) -> None:
    assert judged(f"0 9 * * {days}") == []


@pytest.mark.parametrize("minutes", ["1,,2", ",1", "1,,,", "5,5,70,70"])
def test_what_is_wrong_twice_in_a_field_is_told_once(minutes: str) -> None:
    assert len(judged(f"{minutes} * * * *")) == 1


@pytest.mark.parametrize(
    ("written", "is_counted"),
    [("0 0 12 ? * 2", True), ("0 0 12 ? * 2 2026", True), ("0 0 12 ? * MON#2", False)],
)
def test_who_may_count_days_from_one_is_told_how_they_are_counted(
    written: str, is_counted: bool
) -> None:
    assert ["0 is Sunday here" in wrong for wrong in judged(written)] == [is_counted]


@pytest.mark.parametrize("days", ["L/2 * *", "* * */7"])
def test_what_was_taken_once_ticks_on_where_it_is_stored(days: str) -> None:
    assert judged(f"0 9 {days}") != []
    assert read(f"0 9 {days}") is not None
