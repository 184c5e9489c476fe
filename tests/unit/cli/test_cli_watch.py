"""Run events in lines, and times as people type them."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
import typer
from msgspec import UNSET

from lockstep import bus
from lockstep.cli.commands.runs.list import moment, wish
from lockstep.cli.terminal import watch
from lockstep.cli.terminal.watch import event_text, is_shown
from lockstep_schemas.run_events import RunEvent, RunEventData
from patience import patience

AT = datetime(2030, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def event(what: str, **fields: Any) -> RunEvent:
    """A run event."""
    data = RunEventData(
        **{
            "run_id": "r1", "automation_id": "a1", "automation_name": "Porch", "version": 1,
            "seq": 1, "trigger_id": "t", "trigger_event_id": "e", "context_key": None,
            "status": "running", "at": AT, **fields,
        }
    )  # fmt: skip
    return RunEvent(
        id="r1:1",
        source="/lockstep/a1",
        type=f"lockstep.run.{what}",
        subject="r1",
        time=AT,
        data=data,
    )


def test_an_event_of_a_run_says_what_happened_and_why() -> None:
    text = event_text(event("failed", error="no\nlight", duration_ms=12)).plain
    assert text.endswith("run failed  12 ms  no light")


def test_among_many_runs_an_event_names_its_run_and_automation() -> None:
    text = event_text(event("started"), with_run=True).plain
    assert "r1  Porch  run started" in text


def test_an_event_of_a_step_is_indented_as_deep_as_the_step_is() -> None:
    path = "actions[0].choose[1].sequence[0]"
    deep = event_text(event("step_succeeded", path=path, action_kind="stop")).plain
    flat = event_text(event("step_succeeded", path="actions[0]", action_kind="stop")).plain
    assert deep.endswith(f"  {'  ' * 2}{path} stop  succeeded")
    assert flat.endswith("  actions[0] stop  succeeded")
    assert len(deep) - len(path) == len(flat) - len("actions[0]") + 4


def test_a_step_that_was_told_at_the_start_is_not_told_again_but_a_later_visit_is() -> None:
    told = {("actions[0]", "success")}
    done = event("step_succeeded", path="actions[0]")
    assert is_shown(done, told)
    assert not is_shown(done, told)
    assert not is_shown(event("step_failed", path="actions[1]"), told)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("15m", 900),
        ("2h", 7200),
        ("7d", 604_800),
        ("30 minutes ago", 1800),
        ("1 minute", 60),
        ("15min", 900),
        ("An  hour ago", 3600),
        ("2 weeks ago", 1_209_600),
    ],
)
def test_a_time_may_be_told_by_how_long_ago_it_was(text: str, seconds: int) -> None:
    off = datetime.now(UTC) - timedelta(seconds=seconds) - moment(text)
    assert abs(off.total_seconds()) < 5


def test_a_time_with_a_zone_is_taken_as_it_is() -> None:
    assert moment("2030-01-02T04:04:05.678+01:00") == AT


@pytest.mark.parametrize(
    "text", ["", "yesterday", "15", "m", "99999999d", "999999d", "-5m", "5 moons ago"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment(text)


def test_no_context_key_is_another_wish_than_an_empty_one() -> None:
    assert wish().context_key is UNSET
    assert wish(key="").context_key is None
    assert wish(key="k").context_key == "k"


class Quiet:
    """A feed in which nothing comes."""

    gaps = dropped = 0

    async def __anext__(self) -> bus.Note:
        """Wait."""
        return await asyncio.Event().wait()  # type: ignore[return-value]  # it never returns


class Unbroken(watch._Unbroken):
    """One that finds an event in the stream."""

    async def _missed(self) -> list[bytes]:
        return [MISSED]


MISSED = msgspec.json.encode(event("started"))


async def test_a_connection_that_is_lost_is_said_and_goes_on_with_what_was_missed() -> None:
    connection = SimpleNamespace(connected=False)
    feed, said = Quiet(), list[str]()

    def say(text: str) -> None:
        said.append(text)
        connection.connected, feed.gaps = True, 1  # the server is there again

    seen = Unbroken(
        cast("bus.Connection", connection), cast("bus.Feed", feed), "x", say, look_seconds=0.01
    )
    async with patience():
        assert await anext(aiter(seen)) == MISSED
    assert said == ["the connection to NATS is lost; waiting for it", "connected to NATS again"]
