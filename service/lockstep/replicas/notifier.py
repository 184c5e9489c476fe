"""Notices: whoever fires a wait or ends a run tells the worker that executes the run.

A notice that is lost costs time only: the row says it too, and each owner looks now and then.
"""

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec
import structlog

from lockstep.model.errors import Unavailable
from lockstep.model.runs import Ended
from lockstep.model.waits import Firing
from lockstep.ports.listeners import Listener
from lockstep.ports.places import Places

AT_ONCE: Final = 500  # run ids in a notice: some 20 kB, far below what the bus takes

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode


class Notice(msgspec.Struct, omit_defaults=True):
    """What a worker is told: of these runs something has fired, those were ended from outside."""

    woken: list[UUID] = []
    stopped: list[UUID] = []


class Notifier(Listener):
    """Tells owners, and hears what others tell this worker."""

    def __init__(
        self, worker_id: UUID, places: Places, post: Callable[[UUID, bytes], None]
    ) -> None:
        self._worker_id, self._places, self._post = worker_id, places, post

    def fired(self, firings: Sequence[Firing]) -> None:
        """Let runs go on of which a wait was fired."""
        by_owner: dict[UUID, Notice] = {}
        for one in firings:
            if one.owner is not None:
                by_owner.setdefault(one.owner, Notice()).woken.append(one.run_id)
        self._tell(by_owner)
        if any(one.owner is None for one in firings):
            self._places.expect_ready()

    def ended(self, ended: Sequence[Ended]) -> None:
        """Stop what executes runs that were ended."""
        by_owner: dict[UUID, Notice] = {}
        for one in ended:
            if one.owner is not None:
                by_owner.setdefault(one.owner, Notice()).stopped.append(one.run.id)
        self._tell(by_owner)

    def hear(self, body: bytes) -> None:
        """Take a notice for this worker."""
        try:
            notice = msgspec.json.decode(body, type=Notice)
        except msgspec.DecodeError as error:
            log.warning("notice.broken", error=error)
            return
        self._take(notice)

    def _take(self, notice: Notice) -> None:
        self._places.stop(notice.stopped)
        self._places.wake(notice.woken)

    def _tell(self, by_owner: dict[UUID, Notice]) -> None:
        for owner, notice in by_owner.items():
            if owner == self._worker_id:
                self._take(notice)
                continue
            for start in range(0, max(len(notice.woken), len(notice.stopped)), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                try:
                    self._post(owner, _encode(Notice(notice.woken[part], notice.stopped[part])))
                except Unavailable as error:
                    log.info("notice.lost", worker=str(owner), error=error)
