"""How the whole is, at a terminal."""

import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from lockstep.cli.terminal import status
from lockstep_schemas.parked import ParkedKind
from lockstep_schemas.status import ClockStatus, ServerVersions, Status
from unit.cli.test_cli_tables import Screen

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLOCK = ClockStatus(
    stream="LOCKSTEP_TRIGGERS", leader="nats-0.nats.messaging.svc", ahead_ms=-1234.5, error_ms=7.4,
    measured_at=NOW - timedelta(seconds=12), begun_at=NOW, begun_because="first",
    was_ahead_ms=None, doubt=None,
)  # fmt: skip
VERSIONS = ServerVersions(engine="1", nats=None, postgres=None, migration=None)
PARKED: dict[ParkedKind, int] = {"event": 1_000, "run": 20_000, "wait": 1, "automation": 5}
HOW = Status(
    at=NOW, answered_by="w", versions=VERSIONS, workers=None, queues=None, runs=None, waits=None,
    outbox=None, dead_letters=3, parked=PARKED, slow_automations=[], clock=CLOCK, problems=[],
)  # fmt: skip


@pytest.mark.parametrize("width", [40, 80])
def test_a_fact_that_is_wider_than_the_terminal_goes_on_below_itself(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout", screen)
    status.draw(HOW)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    told = " ".join(" ".join(lines).split())
    assert "on nats-0.nats.messaging.svc is 1234.5 ms behind PostgreSQL's (± 7.4 ms)" in told
    assert "1 wait: see `lockstep parked list`" in told


def test_into_a_pipe_a_fact_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stdout", pipe)
    status.draw(HOW)
    assert len(pipe.getvalue().splitlines()) == 8
