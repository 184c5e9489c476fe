"""Deadlines of waits, in whole engines: what is in time counts, whenever it is handled."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from engine.engine_fixture import EngineFixture, Seen, Stored, engine_fixture, rows, settings_of
from engine.provider import done, provider
from engine.test_doctor import nats_server
from engine.test_language import record
from engine.test_remote import registered, sending
from lockstep import telemetry
from lockstep.embedded import Servers
from lockstep.engine.parts import Seams
from lockstep.model.errors import BusUnavailable
from lockstep.model.messages import Message, Told
from lockstep.model.verdicts import Verdict
from lockstep.ports.bus import MessageSource
from lockstep.settings.structs import Settings
from patience import until

SLACK = timedelta(seconds=1)  # more than the clocks of one machine differ, as they are measured
DUE = "update waits set due_at = clock_timestamp() + $1 where state = 'armed'"


class Door:
    """Lets no event in until it is opened: it stays in the stream, as with nobody there."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    def around(self, source: MessageSource) -> MessageSource:
        """Stand before a source of events."""
        return _Behind(source, self.opened)


class _Behind:
    """A `ports.bus.MessageSource`."""

    def __init__(self, inner: MessageSource, opened: asyncio.Event) -> None:
        self._inner, self._opened = inner, opened

    async def batch(self, limit: int) -> Sequence[Message]:
        await self._opened.wait()
        return await self._inner.batch(limit)

    async def settle(self, message: Message, verdict: Verdict) -> None:
        await self._inner.settle(message, verdict)

    def pause(self) -> None:
        self._inner.pause()

    def resume(self) -> None:
        self._inner.resume()


@pytest.fixture
def settings(servers: Servers, dsn: str) -> Settings:
    """Those of replicas with a stream and a database of their own."""
    return settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")


async def asleep(dsn: str, number: int = 1) -> None:
    """Wait until so many runs sleep, whose events are acknowledged by then."""

    async def are_armed() -> bool:
        found = await rows(dsn, "select from runs where status = 'waiting'")
        return len(found) == number

    await until(are_armed)


async def held_up(opened: EngineFixture, dsn: str) -> str:
    """What the API says of the one wait that has not expired."""
    (row,) = await rows(dsn, "select run_id from waits where state = 'armed' and kind = 'event'")
    (wait,) = (await opened.call("runs.get", id=str(row["run_id"])))["waits"]
    return str(wait["held_up"])


async def end(opened: EngineFixture, stored: Stored, runs: int = 1) -> list[Seen]:
    """Look at runs that have ended."""
    return [await stored.seen(one) for one in await opened.ended(stored.id, runs)]


def answered(event: str = "e.answer", **wait: Any) -> list[Any]:
    """Waits for an answer for an hour, and records it."""
    waits = {"event": event, "timeout_seconds": 3600, **wait}
    return [{"wait_for_trigger": waits}, record("{{ wait.payload.n }}")]


async def test_an_answer_in_time_satisfies_though_it_is_handled_after_the_deadline(
    settings: Settings, dsn: str
) -> None:
    async with engine_fixture(settings) as first:
        stored = await first.automation(answered())
        await first.publish(stored.event, {})
        await asleep(dsn)
    async with engine_fixture(settings, seams=Seams(source=(door := Door()).around)) as second:
        stored = Stored(second, stored.id, stored.event)
        for n in (7, 8, 9):
            await second.publish("e.answer", {"n": n})
        await rows(dsn, DUE, timedelta())
        second.assembly.loops.wakeups.look()
        expiry = second.assembly.pipelines.expiry
        await until(lambda: expiry.figures.number == 1)
        assert await held_up(second, dsn) == (
            "past its deadline, 3 events of `e.answer` from before it are not handled yet"
        )
        await second.assembly.loops.wakeups.sweep()  # as an alarm would, or another timer
        assert second.finals(stored.id) == []
        door.opened.set()
        (seen,) = await end(second, stored)
        assert (seen.status, seen.recorded) == ("success", ["7"])
        await until(lambda: expiry.figures.number == 0)


async def test_a_later_answer_holds_nothing_up_and_satisfies_nothing(
    settings: Settings, dsn: str
) -> None:
    async with engine_fixture(settings) as first:
        stored = await first.automation(answered())
        await first.publish(stored.event, {})
        await asleep(dsn)
    await rows(dsn, DUE, -SLACK)
    async with engine_fixture(settings, seams=Seams(source=(door := Door()).around)) as second:
        stored = Stored(second, stored.id, stored.event)
        await second.publish("e.answer", {"n": 7})
        second.assembly.loops.wakeups.look()
        (seen,) = await end(second, stored)
        assert (seen.status, seen.recorded) == ("failed", [])
        assert "timed out" in seen.error
        door.opened.set()


async def test_only_events_of_its_key_hold_a_wait_up(settings: Settings, dsn: str) -> None:
    async with engine_fixture(settings) as first:
        stored = await first.automation(answered())
        for key in ("a", "b"):
            await first.publish(stored.event, {}, key=key)
        await asleep(dsn, 2)
    async with engine_fixture(settings, seams=Seams(source=(door := Door()).around)) as second:
        stored = Stored(second, stored.id, stored.event)
        await second.publish("e.answer", {"n": 7}, key="a")
        await rows(dsn, DUE, timedelta())
        second.assembly.loops.wakeups.look()
        (seen,) = await end(second, stored)
        assert (seen.status, seen.detail.run.context_key) == ("failed", "b")
        door.opened.set()
        _, seen = await end(second, stored, 2)
        assert (seen.status, seen.recorded) == ("success", ["7"])


async def test_the_result_of_accepted_work_counts_by_its_time_too(
    settings: Settings, dsn: str
) -> None:
    async with engine_fixture(settings) as first:
        action = await registered(first)
        stored = await sending(first, action)
        async with provider(first, action, lambda _: {"accepted": True}) as asked:
            for _ in range(2):
                await first.publish(stored.event, {"to": "Ann"})
            calls = await asked.calls(2)
            await asleep(dsn, 2)
    async with engine_fixture(settings, seams=Seams(source=(door := Door()).around)) as second:
        stored = Stored(second, stored.id, stored.event)
        key = calls[0]["idempotency_key"]
        await done(second, key, success=True, artifact={"number": "R-9"})
        await rows(dsn, DUE, timedelta())
        second.assembly.loops.wakeups.look()
        (seen,) = await end(second, stored)
        assert (seen.status, seen.detail.run.id) == ("failed", calls[1]["run_id"])
        door.opened.set()
        _, seen = await end(second, stored, 2)
        assert (seen.status, seen.recorded) == ("success", ["R-9"])
        assert seen.detail.run.id == calls[0]["run_id"]


async def test_while_the_clock_of_the_stream_is_in_doubt_nothing_expires_and_that_is_said(
    settings: Settings, dsn: str
) -> None:
    is_silent = True

    async def told() -> Told:
        if is_silent:
            raise BusUnavailable("no answer within 5 s")
        return Told("", None)

    async with engine_fixture(settings, seams=Seams(told=told)) as opened:
        stored = await opened.automation(answered())
        slept = await opened.automation([{"delay": {"seconds": 3600}}, record("slept")])
        for one in (stored, slept):
            await opened.publish(one.event, {})
        await asleep(dsn, 2)
        await rows(dsn, DUE, -SLACK)
        opened.assembly.loops.wakeups.look()
        (seen,) = await end(opened, slept)
        assert seen.recorded == ["slept"], "what no event can change goes on"
        expiry = opened.assembly.pipelines.expiry
        await until(lambda: bool(expiry.faults()))
        health = telemetry.Health()
        health.found("migrations")
        health.connected(opened.connection)
        health.takes_events(opened.engine, opened.assembly.loops.heartbeat)
        assert any(
            "nothing expires that an event may still change" in one for one in health.missing
        )
        assert (await opened.call("status"))["problems"][-1] == expiry.faults()[0]
        assert opened.finals(stored.id) == []
        is_silent = False
        await opened.assembly.basis.stream_clock.look()
        (seen,) = await end(opened, stored)
        assert "timed out" in seen.error
        await until(lambda: not expiry.faults())


async def test_without_the_right_to_ask_nothing_expires_and_it_is_said_which_one_is_missing(
    settings: Settings, dsn: str, tmp_path: Path
) -> None:
    prefix = settings.nats.prefix
    call = f"$JS.API.STREAM.MSG.GET.{prefix.upper()}_TRIGGERS"
    config = f"""
        jetstream {{ store_dir: "{tmp_path}/js" }}
        authorization {{ users = [
            {{ user: able, password: p }}
            {{ user: mute, password: p, permissions: {{ publish: {{ deny: ["{call}"] }} }} }}
        ] }}
    """
    async with nats_server(tmp_path, config) as (port, _):
        able, mute = (
            replace(
                settings,
                nats=replace(
                    settings.nats, servers=[f"nats://127.0.0.1:{port}"], user=user, password="p"
                ),
            )
            for user in ("able", "mute")
        )
        async with engine_fixture(mute) as opened:
            stored = await opened.automation(answered())
            await opened.publish(stored.event, {})
            await asleep(dsn)
            await rows(dsn, DUE, -SLACK)
            opened.assembly.loops.wakeups.look()
            expiry = opened.assembly.pipelines.expiry
            await until(lambda: bool(expiry.faults()))
            (fault,) = expiry.faults()
            assert f"may the user of the engine publish to {call}" in fault
            shown = await held_up(opened, dsn)
            assert shown.startswith("past its deadline; whether an event may still end it")
            assert opened.finals(stored.id) == []
        async with engine_fixture(able) as opened:
            (seen,) = await end(opened, Stored(opened, stored.id, stored.event))
            assert "timed out" in seen.error


async def test_what_one_event_holds_up_for_too_long_expires_with_a_warning(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(
        servers.nats_url, dsn, f"p{uuid4().hex[:12]}", expire_hold_max_seconds=1.0
    )
    door = Door()
    async with engine_fixture(settings) as first:
        stored = await first.automation(answered())
        await first.publish(stored.event, {})
        await asleep(dsn)
    async with engine_fixture(settings, seams=Seams(source=door.around)) as second:
        stored = Stored(second, stored.id, stored.event)
        await second.publish("e.answer", {"n": 7})
        await rows(dsn, DUE, timedelta())
        second.assembly.loops.wakeups.look()
        (seen,) = await end(second, stored)
        assert "timed out" in seen.error
        warning = await second.heard(stored.id, "warning")
        assert "an event of `e.answer` from before it is not handled yet" in str(
            warning.data.reason
        )
        door.opened.set()
        (row,) = await rows(dsn, "select id from runs")
        assert row["id"] == UUID(seen.detail.run.id), (
            "the answer comes too late, and starts nothing"
        )
