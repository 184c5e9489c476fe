"""Notices: the owner of a run hears that something has fired of it, or that it was ended."""

from uuid import UUID

from structlog.testing import capture_logs

from lockstep.model.runs import Ended, Ending
from lockstep.model.waits import Firing
from lockstep.replicas import Notifier
from lockstep.replicas.notifier import AT_ONCE
from unit.fakes import Away, FreePlaces
from unit.moved import moved
from unit.values import NOW, run_state, uid

MINE, THEIRS, OTHERS = uid(1001), uid(1002), uid(1003)


class Scene:
    """Two workers that tell each other, and a third that nobody hears."""

    def __init__(self) -> None:
        self.away = Away()
        self.sent: list[tuple[UUID, bytes]] = []
        self.places, self.their_places = FreePlaces(), FreePlaces()
        self.notifier = Notifier(MINE, self.places, self._post)
        self.their_notifier = Notifier(THEIRS, self.their_places, self._post)

    def _post(self, worker_id: UUID, body: bytes) -> None:
        self.away.check()
        self.sent.append((worker_id, body))
        if worker_id == THEIRS:
            self.their_notifier.hear(body)


def fired(number: int, owner: UUID | None) -> Firing:
    """A wait of the n-th run, which has this owner."""
    return Firing(uid(100 + number), uid(number), "event", True, owner, None)


def ended(number: int, owner: UUID | None) -> Ended:
    """The n-th run, which had this owner."""
    return Ended(run_state(number), owner, [], [], Ending(status="cancelled", at=NOW))


@moved
async def test_runs_of_this_worker_hear_without_the_bus() -> None:
    scene = Scene()
    scene.notifier.fired([fired(1, MINE)])
    scene.notifier.ended([ended(2, MINE)])
    assert (scene.places.woken, scene.places.stopped, scene.sent) == ([uid(1)], [uid(2)], [])


@moved
async def test_each_other_owner_hears_of_its_own_runs_in_one_notice() -> None:
    scene = Scene()
    scene.notifier.fired([fired(1, THEIRS), fired(2, OTHERS), fired(3, THEIRS), fired(4, MINE)])
    assert [worker for worker, _ in scene.sent] == [THEIRS, OTHERS]
    assert scene.their_places.woken == [uid(1), uid(3)]
    assert (scene.their_places.stopped, scene.places.woken) == ([], [uid(4)])
    scene.notifier.ended([ended(5, THEIRS), ended(6, None)])
    assert scene.their_places.stopped == [uid(5)]
    assert len(scene.sent) == 3


@moved
async def test_a_run_without_an_owner_is_ready_for_whoever_has_a_place() -> None:
    scene = Scene()
    scene.notifier.fired([fired(1, THEIRS)])
    assert scene.places.asked == 0
    scene.notifier.fired([fired(1, None), fired(2, None)])
    assert (scene.places.asked, len(scene.sent)) == (1, 1)


@moved
async def test_of_nothing_nobody_hears() -> None:
    scene = Scene()
    scene.notifier.fired([])
    scene.notifier.ended([])
    assert (scene.sent, scene.places.asked) == ([], 0)


@moved
async def test_many_runs_are_told_in_portions_that_the_bus_takes() -> None:
    scene = Scene()
    scene.notifier.fired([fired(number, THEIRS) for number in range(2 * AT_ONCE + 1)])
    assert len(scene.sent) == 3
    assert scene.their_places.woken == [uid(number) for number in range(2 * AT_ONCE + 1)]
    assert max(len(body) for _, body in scene.sent) < 32_768


@moved
async def test_a_notice_that_is_lost_is_logged_and_the_others_are_sent() -> None:
    scene = Scene()
    scene.away.times = 1
    with capture_logs() as logs:
        scene.notifier.fired([fired(1, OTHERS), fired(2, THEIRS)])
    assert scene.their_places.woken == [uid(2)]
    assert [(line["event"], line["worker"]) for line in logs] == [("notice.lost", str(OTHERS))]


@moved
async def test_a_notice_that_nobody_can_read_is_passed_over() -> None:
    scene = Scene()
    with capture_logs() as logs:
        scene.notifier.hear(b"no JSON")
        scene.notifier.hear(b'{"woken": [5]}')
    assert (scene.places.woken, scene.places.stopped) == ([], [])
    assert [line["event"] for line in logs] == ["notice.broken"] * 2
