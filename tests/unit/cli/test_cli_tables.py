"""Tables: whole in a pipe, readable on a narrow terminal, with ids that commands take."""

import io

import pytest

from lockstep.cli.terminal import output
from lockstep.cli.terminal.table import SHORT_ID, Table, cells, cut, short_ids, width_of
from lockstep.model.ids import uuid7

LONG = "the template could not be rendered because a name in it is not known here: trigger.payloda"
COLUMNS = ("id", "automation", "status", "started", "took", "event", "why")


def runs(*ids: str) -> Table:
    """A table of runs with all that is long."""
    name = "Escalate an order that nobody has looked at"
    rows = [
        (one, name, output.status("cancelled"), "12-31 23:59", "23 h 59 min", "sensors.doors.open")
        for one in ids
    ]
    return output.table(COLUMNS, [(*row, LONG) for row in rows])


@pytest.mark.parametrize("width", [40, 80, 100])
def test_no_line_is_wider_than_the_terminal_and_no_long_text_is_lost(width: int) -> None:
    ids = [str(uuid7()) for _ in range(3)]
    lines = list(runs(*ids).lines(max(width, 66), coloured=False))
    assert max(map(cells, lines)) <= max(width, 66)
    text = " ".join(" ".join(lines).split())
    assert text.count(LONG) == 3
    for one in ids:
        assert any(line.startswith(one[:SHORT_ID]) for line in lines)
        assert not any(one in line for line in lines)


def test_a_table_of_eighty_columns_keeps_a_run_in_one_line_and_its_reason_below() -> None:
    lines = list(runs(str(uuid7())).lines(80, coloured=False))
    assert "cancelled" in lines[1]
    assert "12-31 23:59" in lines[1]
    assert lines[2].startswith("  why: the template")


def test_what_fits_stands_as_it_is_with_whole_ids() -> None:
    one = str(uuid7())
    lines = list(output.table(("id", "name"), [(one, "a"), ("x", "")]).lines(80, coloured=False))
    assert lines == [f"id{' ' * 36}name", f"{one}  a", "x"]


def test_without_a_terminal_nothing_is_cut() -> None:
    one = str(uuid7())
    (_, line) = runs(one).lines(None, coloured=False)
    assert line.startswith(one)
    assert line.endswith(LONG)


def test_an_empty_text_has_no_line_below_its_row() -> None:
    table = output.table(("id", "why"), [("1", LONG), ("2", "")])
    assert [line[:5] for line in table.lines(60, coloured=False)][-1] == "2"


def test_ids_are_shortened_to_what_tells_them_apart() -> None:
    first = "0197c5f0-8f1e-7d3a-9c55-3f6f0d3e9b11"
    same = "0197c5f0-8f1e-7d3a-9c57-3f6f0d3e9b11"
    other = "run:0197c5f1-8f1e-7d3a-9c57-3f6f0d3e9b11"
    made = short_ids([first, same, other, "sample-orders"])
    assert made == {
        first: "0197c5f0-8f1e-7d3a-9c55",
        same: "0197c5f0-8f1e-7d3a-9c57",
        other: "run:0197c5f1-8f1e-7d3a",
    }


def test_ids_of_the_same_moment_stay_apart() -> None:
    ids = [f"0197c5f0-8f1e-7d3a-9c55-3f6f0d3e9{n:03x}" for n in range(300)]
    assert len({*short_ids(ids).values()}) == 300


def test_wide_characters_count_as_two_columns() -> None:
    assert [cells("ab"), cells("数据"), cells("e\u0301")] == [2, 4, 1]
    assert cut("数据库的名字", 7) == "数据库…"
    table = output.table(("a", "b"), [("数据", "x"), ("ab", "y")])
    assert [*table.lines(None, coloured=False)] == ["a     b", "数据  x", "ab    y"]


def test_colours_take_no_room() -> None:
    table = output.table(("a", "b"), [(output.status("failed"), "x")])
    header, row = table.lines(80, coloured=True)
    assert row == "\x1b[31mfailed\x1b[0m  x"
    assert header == "\x1b[1ma\x1b[0m       \x1b[1mb\x1b[0m"


def test_a_terminal_is_told_that_a_table_has_no_row_and_a_program_is_not() -> None:
    table = output.table(COLUMNS, [])
    assert [*table.lines(80, coloured=False)][1:] == ["(none)"]
    assert len([*table.lines(None, coloured=False)]) == 1


class Screen(io.StringIO):
    """A terminal without a size of its own."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def test_the_width_is_that_of_a_terminal_and_none_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert width_of(io.StringIO()) is None
    assert width_of(Screen()) == 80
    for odd in ("wide", "", "0"):
        monkeypatch.setenv("COLUMNS", odd)
        assert width_of(Screen()) is None


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(1, "run", "1 run"), (0, "run", "0 runs"), (2, "entry", "2 entries"), (3, "day", "3 days")],
)
def test_several_things_are_told_in_the_plural(number: int, noun: str, text: str) -> None:
    assert output.count(number, noun) == text
