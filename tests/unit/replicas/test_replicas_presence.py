"""Presence: the key of a worker on the bus, and what is done when that of another one goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from lockstep.model.errors import EngineError, ServerUnfit, Unavailable
from lockstep.replicas import Presence
from lockstep.replicas.presence import AGAIN_SECONDS
from unit.fakes import Away
from unit.moved import Background, moved, turns
from unit.values import uid


class Keys:
    """The bucket of keys that expire."""

    def __init__(self) -> None:
        self.away = Away()
        self.faults: list[EngineError] = []  # of the watches to come
        self.there: dict[UUID, tuple[bytes, int]] = {}
        self.gone: asyncio.Queue[UUID | EngineError] = asyncio.Queue()
        self.watched_at: list[float] = []

    async def renew(self, worker_id: UUID, body: bytes, ttl_seconds: int) -> None:
        """See `WorkerKeys`."""
        self.away.check()
        self.there[worker_id] = (body, ttl_seconds)

    async def drop(self, worker_id: UUID) -> None:
        """See `WorkerKeys`."""
        self.away.check()
        del self.there[worker_id]

    @asynccontextmanager
    async def expiries(self) -> AsyncIterator[AsyncIterator[UUID]]:
        """See `WorkerKeys`."""
        self.watched_at.append(asyncio.get_running_loop().time())
        if self.faults:
            raise self.faults.pop(0)
        yield self._gone()

    async def _gone(self) -> AsyncIterator[UUID]:
        while True:
            found = await self.gone.get()
            if isinstance(found, EngineError):
                raise found
            yield found


class Looks:
    """Has more to do when a worker is gone."""

    def __init__(self) -> None:
        self.looks = 0

    def look(self) -> None:
        """See `Successor`."""
        self.looks += 1


class Scene:
    """A worker that shows itself, and two who look when another one is gone."""

    def __init__(self) -> None:
        self.keys, self.successors = Keys(), [Looks(), Looks()]
        self.presence = Presence(uid(1), self.keys, b"{}", 4, self.successors)


@moved
async def test_a_worker_is_there_until_its_key_is_dropped() -> None:
    scene = Scene()
    await scene.presence.renew()
    await scene.presence.renew()
    assert scene.keys.there == {uid(1): (b"{}", 4)}
    await scene.presence.drop()
    assert scene.keys.there == {}


@moved
async def test_whoever_shows_itself_hears_that_the_bus_is_away() -> None:
    scene = Scene()
    scene.keys.away.times = 2
    for call in (scene.presence.renew, scene.presence.drop):
        with pytest.raises(Unavailable):
            await call()


@moved
async def test_all_successors_look_once_for_each_worker_that_is_gone() -> None:
    scene = Scene()
    async with Background(scene.presence.watch()):
        await turns()
        assert [one.looks for one in scene.successors] == [0, 0]
        scene.keys.gone.put_nowait(uid(2))
        scene.keys.gone.put_nowait(uid(3))
        await turns()
        assert [one.looks for one in scene.successors] == [2, 2]


@pytest.mark.parametrize("fault", [Unavailable("away"), ServerUnfit("no bucket")])
@moved
async def test_a_watch_that_ends_is_begun_again_after_a_while(fault: EngineError) -> None:
    scene = Scene()
    scene.keys.faults = [fault]
    with capture_logs() as logs:
        async with Background(scene.presence.watch()):
            await turns()
            scene.keys.gone.put_nowait(uid(2))
            await asyncio.sleep(AGAIN_SECONDS + 0.1)
            scene.keys.gone.put_nowait(fault)
            await asyncio.sleep(AGAIN_SECONDS + 0.1)
    assert scene.keys.watched_at == pytest.approx([0, AGAIN_SECONDS, 2 * AGAIN_SECONDS], abs=0.5)
    assert [one.looks for one in scene.successors] == [1, 1]
    assert [line["event"] for line in logs] == ["bus.unreachable"] * 2
