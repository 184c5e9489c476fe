"""The row of the clock of a stream: one for all replicas; who has not seen the last one waits."""

from datetime import UTC, datetime, timedelta

from lockstep import store
from lockstep.model.messages import Offset
from lockstep.store.pool import Store

MS = timedelta(milliseconds=1)
PAST = [
    (datetime(2030, 1, 1, tzinfo=UTC), Offset(5 * MS, MS)),
    (datetime(2030, 1, 2, tzinfo=UTC), Offset(-5 * MS, 0 * MS)),
]


async def test_what_one_replica_has_measured_the_other_one_reads(dsn: str) -> None:
    one, other = await Store.connect(dsn, 1), await Store.connect(dsn, 1)
    try:
        rows, others = store.StreamClockStore(one), store.StreamClockStore(other)
        assert await rows.read("S") is None
        assert await rows.renew("S", "n1", Offset(-3 * MS, MS), "first", (), None)
        known = await others.read("S")
        assert known is not None
        assert (known.leader, known.offset) == ("n1", Offset(-3 * MS, MS))
        assert (known.begun_because, known.was_ahead) == ("first", None)
        assert 0 <= known.age_seconds < 60
        assert await rows.read("T") is None
    finally:
        await one.close()
        await other.close()


async def test_what_was_not_seen_is_not_overwritten(dsn: str) -> None:
    database = await Store.connect(dsn, 1)
    try:
        rows = store.StreamClockStore(database)
        assert await rows.renew("S", "", Offset(5 * MS, MS), "first", (), None)
        first = await rows.read("S")
        assert first is not None
        assert first.past == []
        assert not await rows.renew("S", "", Offset(7 * MS, MS), None, PAST, None)
        assert await rows.renew("S", "", Offset(6 * MS, 0 * MS), None, PAST, first.measured_at)
        assert not await rows.renew("S", "", Offset(7 * MS, MS), "jump", (), first.measured_at)
        second = await rows.read("S")
        assert second is not None
        assert second.offset.ahead == 6 * MS
        assert second.past == PAST
        assert (second.begun_at, second.begun_because) == (first.begun_at, "first")
        assert await rows.renew("S", "n2", Offset(90 * MS, MS), "leader", (), second.measured_at)
        third = await rows.read("S")
        assert third is not None
        assert third.begun_at > first.begun_at
        assert third.past == [], "it is another clock"
        assert (third.begun_because, third.was_ahead) == ("leader", 6 * MS)
    finally:
        await database.close()
