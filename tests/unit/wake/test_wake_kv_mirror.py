"""The mirror: keys on the bus for what sleeps; the rows are the truth, and both are compared."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs

from lockstep.model.errors import DataRefused, ServerUnfit, Unavailable
from lockstep.model.runs import Ended, Ending
from lockstep.model.timers import Hold, Holder
from lockstep.model.waits import KEY_SECONDS, Firing, MirroredWait, WaitRow
from lockstep.wake import KvMirror
from lockstep.wake.kv_mirror import IN_FLIGHT, MOST, SETTLED_SECONDS, holding, sleeper
from lockstep_schemas.run_events import WaitKind
from unit.fakes import Away
from unit.moved import Background, moved, turns
from unit.values import NOW, checkpoint, event, later, run_state, uid

OLD = later(-SETTLED_SECONDS - 1)


def made_at(at: datetime, number: int = 1) -> UUID:
    """An id that was made at a time."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0x2 << 62 | number)


def wait_row(
    number: int = 1, kind: WaitKind = "delay", armed_at: datetime = OLD, **fields: Any
) -> WaitRow:
    """The n-th wait, as it is stored."""
    return WaitRow(
        id=made_at(armed_at, number),
        kind=kind,
        path="actions[0]",
        waiting_for="a while",
        armed_at=armed_at,
        **{"due_at": later(minutes=number), **fields},
    )


def asleep(number: int = 1, kind: WaitKind = "delay", armed_at: datetime = OLD) -> MirroredWait:
    """The n-th wait, as the bus shows it."""
    return sleeper(run_state(number), wait_row(number, kind, armed_at))


def hold(number: int = 1, due_at: datetime | None = None) -> Hold:
    """The n-th trigger that holds."""
    return Hold(
        id=made_at(OLD, number),
        holder=Holder("a", "t", "k"),
        event_id="test.event",
        by=(OLD, 1),
        event=event() if number % 2 else None,
        armed_at=OLD,
        due_at=due_at or later(60),
    )


def firing(number: int = 1, kind: WaitKind = "delay", *, has_key: bool = True) -> Firing:
    """The n-th wait, over."""
    return Firing(made_at(OLD, number), uid(number), kind, has_key, None, later(minutes=number))


class Keys:
    """A bucket, in a dictionary."""

    def __init__(self) -> None:
        self.away = Away()
        self.unfit = False
        self.refused: set[str] = set()
        self.broken: set[str] = set()
        self.stored: dict[str, bytes] = {}
        self.alarms: dict[str, datetime | None] = {}
        self.written: list[str] = []
        self.at_once = self.most_at_once = 0

    async def put(self, key: str, body: bytes, due_at: datetime | None) -> None:
        """See `Bucket`."""
        await self._written(key)
        if key in self.refused:
            raise DataRefused("too large")
        if key in self.broken:
            raise LookupError("a fault of ours")
        self.stored[key], self.alarms[key] = body, due_at

    async def remove(self, key: str) -> None:
        """See `Bucket`."""
        await self._written(f"-{key}")
        self.stored.pop(key, None)

    async def keys(self) -> set[UUID]:
        """See `Bucket`."""
        if self.unfit:
            raise ServerUnfit("no bucket")
        self.away.check()
        return {UUID(key) for key in self.stored}

    async def _written(self, what: str) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        self.away.check()
        self.written.append(what)

    def hold(self, *sleepers: MirroredWait) -> None:
        """Have keys already."""
        self.stored |= {str(one.wait_id): b"" for one in sleepers}


class Scene:
    """A mirror between its rows and its buckets."""

    def __init__(self, page: int = 2) -> None:
        self.delays, self.waits, self.rows = Keys(), Keys(), list[MirroredWait]()
        self.page, self.repairs = page, 0
        self.stored_at_pages: list[int] = []
        self.mirror = KvMirror(self.delays, self.waits, self._sleepers, self._repair)

    async def _sleepers(self, after: UUID) -> Sequence[MirroredWait]:
        self.stored_at_pages.append(len(self.delays.stored))
        ordered = sorted(self.rows, key=lambda one: one.wait_id)
        return [one for one in ordered if one.wait_id > after][: self.page]

    async def _repair(self) -> None:
        self.repairs += 1
        if self.delays.away.times or self.waits.away.times:
            raise Unavailable("away")

    def show(self, *rows: WaitRow) -> None:
        """Have walks store waits, each of its run."""
        for number, one in enumerate(rows, 1):
            done = checkpoint(number)
            done.waits.append(one)
            self.mirror.checkpointed([done])

    async def written(self) -> None:
        """Write all changes."""
        async with Background(self.mirror.run()):
            await self.mirror.settled()

    async def reconciled(self) -> None:
        """Compare, and write what has changed by it."""
        async with Background(self.mirror.run()):
            await self.mirror.reconcile(NOW)
            await self.mirror.settled()


@pytest.mark.parametrize(
    ("kind", "is_time"),
    [
        *((kind, True) for kind in ("delay", "retry", "deadline")),
        *((kind, False) for kind in ("event", "remote", "child")),
    ],
)
@moved
async def test_what_sleeps_has_a_key_in_the_bucket_of_its_kind(
    kind: WaitKind, is_time: bool
) -> None:
    scene, one = Scene(), asleep(kind=kind)
    key = str(one.wait_id)
    scene.show(wait_row(kind=kind))
    await scene.written()
    home, other = (scene.delays, scene.waits) if is_time else (scene.waits, scene.delays)
    assert msgspec.json.decode(home.stored[key], type=MirroredWait) == one
    assert home.alarms[key] == one.due_at
    assert other.stored == {}
    scene.mirror.fired([firing(kind=kind)])
    await scene.written()
    assert home.stored == {}


@moved
async def test_a_trigger_that_holds_has_a_key_until_it_is_disarmed() -> None:
    scene, one = Scene(), hold()
    scene.mirror.armed([one], [], [])
    await scene.written()
    shown = msgspec.json.decode(scene.delays.stored[str(one.id)], type=MirroredWait)
    assert shown == holding(one)
    scene.mirror.armed([], [one.id], [])
    await scene.written()
    assert (scene.delays.stored, scene.waits.stored) == ({}, {})


@moved
async def test_what_is_over_at_once_or_not_shown_to_people_has_no_key() -> None:
    scene, soon = Scene(), OLD + timedelta(seconds=KEY_SECONDS)
    scene.show(wait_row(1, due_at=soon), wait_row(2, is_shown=False))
    scene.mirror.armed([hold(3, soon)], [], [])
    scene.mirror.fired([firing(4, has_key=False)])
    await scene.written()
    assert (scene.delays.written, scene.waits.written) == ([], [])


@moved
async def test_a_run_that_was_ended_leaves_no_keys_and_one_that_ends_none_of_its_deadline() -> None:
    scene = Scene()
    rows = [wait_row(1), wait_row(2, "event"), wait_row(3, "deadline"), wait_row(4, "deadline")]
    scene.show(*rows)
    await scene.written()
    ending = Ending(status="cancelled", at=NOW)
    scene.mirror.ended([Ended(run_state(), None, [rows[0].id], [rows[1].id], ending)])
    goes_on, ends = checkpoint(3), checkpoint(4)
    goes_on.deadline, ends.deadline, ends.status = rows[2].id, rows[3].id, "success"
    scene.mirror.checkpointed([goes_on, ends])
    await scene.written()
    assert (set(scene.delays.stored), set(scene.waits.stored)) == ({str(rows[2].id)}, set())


@moved
async def test_of_the_changes_of_a_key_the_last_one_stands() -> None:
    scene, one = Scene(), wait_row()
    async with Background(scene.mirror.run()):
        scene.show(one)
        scene.mirror.fired([firing()])
        await scene.mirror.settled()
        assert scene.delays.stored == {}
        scene.show(one)
        await turns()  # it is on its way
        scene.mirror.fired([firing()])
        await scene.mirror.settled()
    assert scene.delays.stored == {}
    assert scene.delays.written[-1] == f"-{one.id}"


@moved
async def test_not_more_than_so_many_are_written_at_once() -> None:
    scene = Scene()
    scene.show(*(wait_row(number) for number in range(3 * IN_FLIGHT)))
    await scene.written()
    assert scene.delays.most_at_once == IN_FLIGHT
    assert len(scene.delays.stored) == 3 * IN_FLIGHT


@moved
async def test_of_very_many_that_wait_only_those_that_take_keys_away_are_still_taken() -> None:
    """What lacks is written by the next comparison; a key that stays would ring."""
    scene = Scene()
    scene.delays.hold(asleep(1))
    done = checkpoint()
    done.waits += [wait_row(number) for number in range(2, MOST + 12)]
    scene.mirror.checkpointed([done])
    scene.mirror.fired([firing(1)])
    await scene.written()
    assert len(scene.delays.stored) == MOST
    assert str(asleep(1).wait_id) not in scene.delays.stored


@moved
async def test_while_the_bus_is_away_changes_wait_and_it_is_put_right() -> None:
    scene = Scene()
    scene.delays.away.times = 5
    scene.show(wait_row(1), wait_row(2))
    with capture_logs() as logs:
        await scene.written()
    assert len(scene.delays.stored) == 2
    assert scene.repairs == 3
    assert {line["event"] for line in logs} == {"mirror.delayed"}


@moved
async def test_a_change_that_came_meanwhile_is_not_undone_by_the_one_that_failed() -> None:
    scene, one = Scene(), wait_row()
    async with Background(scene.mirror.run()):
        scene.delays.away.times = 1
        scene.show(one)
        await asyncio.sleep(0.5)  # it has failed, and the mirror waits for the bus
        scene.mirror.fired([firing()])
        await scene.mirror.settled()
    assert scene.delays.stored == {}


@moved
async def test_a_key_that_the_bus_refuses_does_not_stop_the_others() -> None:
    scene = Scene()
    scene.delays.refused = {str(asleep(1).wait_id)}
    scene.show(wait_row(1), wait_row(2))
    with capture_logs() as logs:
        await scene.written()
    assert [*scene.delays.stored] == [str(asleep(2).wait_id)]
    assert [line["event"] for line in logs] == ["mirror.refused"]


@moved
async def test_a_comparison_takes_orphans_away_and_writes_what_is_missing() -> None:
    scene = Scene()
    rows = [asleep(number, "delay") for number in range(1, 6)]
    scene.rows = [*rows, asleep(6, "event"), asleep(7, "event")]
    scene.delays.hold(rows[0], asleep(50))
    scene.waits.hold(scene.rows[-1], asleep(51, "event"))
    with capture_logs() as logs:
        await scene.reconciled()
        await scene.reconciled()
    assert set(scene.delays.stored) == {str(one.wait_id) for one in rows}
    assert set(scene.waits.stored) == {str(one.wait_id) for one in scene.rows[5:]}
    # What was right is left alone.
    assert str(rows[0].wait_id) not in scene.delays.written
    assert [(line["missing"], line["orphans"]) for line in logs] == [(5, 0), (0, 2)]


@moved
async def test_a_comparison_leaves_the_marks_of_removed_keys_to_themselves() -> None:
    """They are listed for a while, and looked for again only when they are gone."""
    scene, removed = Scene(), [asleep(1), asleep(2, "event"), asleep(3)]
    for keys, one in zip((scene.delays, scene.waits, scene.delays), removed, strict=True):
        keys.hold(one)
        with capture_logs() as logs:
            await scene.reconciled()
        keys.stored.clear()
        assert (scene.delays.written, scene.waits.written, logs) == ([], [], [])


@moved
async def test_a_comparison_has_never_more_on_its_way_than_a_page() -> None:
    scene = Scene(page=3)
    scene.rows = [asleep(number) for number in range(1, 10)]
    await scene.reconciled()
    assert scene.stored_at_pages == [0, 3, 6, 9]


@moved
async def test_a_comparison_leaves_what_is_so_young_that_it_is_on_its_way() -> None:
    scene = Scene()
    young = later(-SETTLED_SECONDS + 1)
    scene.rows = [asleep(1, armed_at=young)]  # its key is being written
    orphan = asleep(2, armed_at=young)  # its row was committed after the rows were read
    scene.delays.hold(orphan)
    await scene.reconciled()
    await scene.reconciled()
    assert set(scene.delays.stored) == {str(orphan.wait_id)}
    assert scene.delays.written == []


@moved
async def test_a_comparison_of_what_is_alike_writes_nothing() -> None:
    scene = Scene()
    scene.rows = [asleep(1), asleep(2, "event")]
    scene.delays.hold(scene.rows[0])
    scene.waits.hold(scene.rows[1])
    with capture_logs() as logs:
        await scene.reconciled()
    assert (scene.delays.written, scene.waits.written, logs) == ([], [], [])


@moved
async def test_where_the_buckets_are_gone_all_is_written_anew() -> None:
    scene = Scene()
    scene.rows = [asleep(number) for number in range(1, 6)]
    scene.delays.away.times = 1
    await scene.reconciled()
    assert len(scene.delays.stored) == 5
    assert scene.repairs == 1


@moved
async def test_a_server_that_has_no_buckets_is_left_alone() -> None:
    scene = Scene()
    scene.rows = [asleep(1)]
    scene.waits.unfit = True
    with capture_logs() as logs:
        await scene.reconciled()
    assert scene.delays.written == []
    assert [line["event"] for line in logs] == ["mirror.delayed"]


def test_the_bus_shows_of_a_wait_who_sleeps_and_what_for() -> None:
    row = WaitRow(
        id=uid(5),
        kind="event",
        path="actions[2]",
        waiting_for="event x",
        armed_at=NOW,
        due_at=later(60),
        event_id="test.event",
        context_key="k",
        filter="a secret of the automation",
    )
    shown = sleeper(run_state(3), row)
    assert (shown.wait_id, shown.run_id, shown.kind) == (uid(5), uid(3), "event")
    assert (shown.automation_id, shown.automation_name) == ("a", "name of a")
    assert (shown.path, shown.waiting_for) == ("actions[2]", "event x")
    assert (shown.event, shown.context_key) == ("test.event", "k")
    assert (shown.armed_at, shown.due_at) == (NOW, later(60))


def test_the_bus_shows_of_a_hold_which_trigger_holds_and_until_when() -> None:
    held = hold(5)
    shown = holding(held)
    assert (shown.wait_id, shown.run_id, shown.kind) == (held.id, None, "hold")
    assert shown.waiting_for == "trigger t holds until 2026-05-30T12:01:00.000Z"
    assert (shown.event, shown.context_key, shown.due_at) == ("test.event", "k", later(60))


@moved
async def test_keys_on_their_way_when_the_loop_is_cut_off_are_written_by_the_next() -> None:
    scene = Scene()
    scene.show(wait_row(1), wait_row(2))
    writing = asyncio.create_task(scene.mirror.run())
    await turns()
    writing.cancel()
    await asyncio.wait({writing})
    assert scene.delays.stored == {}
    async with Background(scene.mirror.run()):
        await scene.mirror.settled()
    assert len(scene.delays.stored) == 2


@moved
async def test_what_cannot_be_written_at_all_holds_up_no_other_key() -> None:
    scene = Scene()
    scene.delays.broken = {str(wait_row(1).id)}
    with capture_logs() as logs:
        async with Background(scene.mirror.run()):
            scene.show(*(wait_row(number) for number in range(1, 4)))
            await scene.mirror.settled()
    assert len(scene.delays.stored) == 2
    assert [line["event"] for line in logs] == ["mirror.refused"]


@moved
async def test_a_key_that_changes_while_it_is_written_is_written_anew() -> None:
    scene = Scene()
    async with Background(scene.mirror.run()):
        scene.show(wait_row(1))
        await turns()
        scene.mirror.fired([firing(1)])
        await scene.mirror.settled()
    assert scene.delays.stored == {}
