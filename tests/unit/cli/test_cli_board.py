"""The table of runs that follows their events, and which events are wanted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer

from lockstep.cli.filters import EventFilter, key_of, statuses_of
from lockstep.cli.terminal.board import MOST, Board
from lockstep_schemas.run_events import RunEvent, RunEventData

AT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
FIRST, SECOND = "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b30209000000"


def data(**fields: Any) -> RunEventData:
    """What happened."""
    return RunEventData(
        **{
            "run_id": FIRST, "automation_id": "a1", "automation_name": "Porch", "version": 1,
            "seq": 1, "trigger_id": "t", "trigger_event_id": "door.opened", "context_key": None,
            "status": "running", "at": AT, **fields,
        }
    )  # fmt: skip


def event(what: str, run: str = FIRST, after: float = 0, **fields: Any) -> RunEvent:
    """A run event, so many seconds after the first."""
    at = AT + timedelta(seconds=after)
    return RunEvent(
        id=f"{run}:{after}",
        source="/lockstep/a1",
        type=f"lockstep.run.{what}",
        subject=run,
        time=at,
        data=data(run_id=run, at=at, **fields),
    )


def lines(board: Board, *, width: int = 80, height: int = 24, after: float = 60) -> list[str]:
    """What a terminal shows."""
    now = AT + timedelta(seconds=after)
    return board.lines(width, height, now, coloured=False)


@pytest.fixture
def board() -> Board:
    """A board of all runs."""
    return Board(EventFilter(), "watching")


def test_a_run_stands_there_once_at_the_step_where_it_is(board: Board) -> None:
    board.take(event("started"))
    path = "actions[1]"
    waits = {"path": path, "action_kind": "delay", "waiting_for": "until 12:00"}
    board.take(event("step_waiting", after=2, status="waiting", **waits))
    head, row, foot = lines(board, after=42)
    assert head.split() == ["id", "automation", "status", "age", "where"]
    assert row.split()[1:5] == ["Porch", "waiting", "42", "s"]
    assert f"{path} delay waiting" in row
    assert foot == "1 active, 0 ended; watching"


def test_a_run_that_ended_stands_below_those_that_are_active_with_its_duration(
    board: Board,
) -> None:
    board.take(event("started"))
    board.take(event("started", SECOND, 1))
    board.take(event("failed", SECOND, 3, status="failed", error="no light"))
    _, active, ended, foot = lines(board)
    assert active.split()[1:3] == ["Porch", "running"]
    assert ended.split()[1:] == ["Porch", "failed", "2.0", "s", "no", "light"]
    assert foot.startswith("1 active, 1 ended")


@pytest.mark.parametrize("width", [50, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal_and_no_row_has_two(board: Board, width: int) -> None:
    long = "actions[0].choose[1].sequence[2].parallel[3][0].sequence[4]"
    board.take(event("step_failed", path=long, error="x y " * 90, automation_name="Porch " * 9))
    board.say("the connection " * 20)
    found = lines(board, width=width)
    assert len(found) == 4
    assert max(map(len, found)) <= width


def test_there_are_no_more_rows_than_the_terminal_has_lines_and_the_rest_is_counted(
    board: Board,
) -> None:
    for number in range(30):
        board.take(event("started", f"run-{number:02}", number))
    board.say("lost")
    found = lines(board, height=14)
    assert len(found) <= 14
    assert found[1].startswith("run-29")
    assert found[-2].startswith("and 20 more; 30 active")
    assert found[-1].endswith("lost")


def test_the_runs_that_are_kept_are_bounded_and_those_that_have_ended_go_first(
    board: Board,
) -> None:
    board.take(event("started", "active"))
    for number in range(MOST + 5):
        board.take(event("succeeded", f"run-{number}", number, status="success"))
    found = lines(board, height=MOST * 2)
    assert len(found) == MOST + 2
    assert found[1].startswith("active")
    assert found[2].startswith(f"run-{MOST + 4} ")


def test_a_run_that_is_not_wanted_any_more_goes() -> None:
    board = Board(EventFilter(statuses_of(["active"])), "watching")
    board.take(event("started"))
    board.take(event("started", SECOND))
    board.take(event("succeeded", after=1, status="success"))
    assert [one.split()[2] for one in lines(board)[1:-1]] == ["running"]


def test_a_run_that_was_wanted_for_an_event_stays_with_the_next_one() -> None:
    board = Board(EventFilter(error="Light"), "watching")
    board.take(event("started"))
    assert lines(board)[-1].startswith("0 active")
    board.take(event("step_failed", after=1, path="actions[0]", error="no light"))
    board.take(event("waiting", after=2, status="waiting", waiting_for="a retry"))
    assert lines(board)[1].endswith("a retry")


def test_what_others_wrote_cannot_steer_the_terminal(board: Board) -> None:
    board.take(event("failed", status="failed", error="\x1b[2J", automation_name="a\x07\nb"))
    assert "\x1b" not in "".join(lines(board))
    assert "\x07" not in "".join(lines(board))


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (EventFilter(), True),
        (EventFilter(statuses_of(["failed"])), True),
        (EventFilter(statuses_of(["ended", "running"])), True),
        (EventFilter(statuses_of(["active"])), False),
        (EventFilter(event="door.opened"), True),
        (EventFilter(event="door"), False),
        (EventFilter(event="door.*"), True),
        (EventFilter(event="doors.*"), False),
        (EventFilter(error="LIGHT"), True),
        (EventFilter(error="lamp"), False),
        (EventFilter(text="porch"), True),
        (EventFilter(text="opened"), True),
        (EventFilter(text="garden"), False),
        (EventFilter(key=key_of("k")), True),
        (EventFilter(key=key_of("")), False),
        (EventFilter(key=key_of("k"), error="lamp"), False),
    ],
)
def test_an_event_is_wanted_where_all_that_was_asked_is_so(wanted: EventFilter, fits: bool) -> None:
    told = data(status="failed", error="no light", context_key="k")
    assert wanted.fits(told) is fits


def test_a_status_that_is_none_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(typer.BadParameter, match=r"broken: .* running, .* active, ended"):
        statuses_of(["failed", "broken"])
