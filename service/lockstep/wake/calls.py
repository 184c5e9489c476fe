"""Calls: whoever fires a wait or ends a run tells the worker that executes the run.

A word that is lost costs time only: the row says it too, and each owner looks now and then.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from lockstep.model.errors import Unavailable
from lockstep.model.runs import Ended, Firing

AT_ONCE = 500
ROUND = frozenset({"event", "remote", "child"})  # what sleeps in the bucket of waits

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode


class Word(msgspec.Struct, omit_defaults=True):
    """What a worker is told: of these runs something has fired, those were ended from outside."""

    woken: list[UUID] = []
    stopped: list[UUID] = []


class Walkers(Protocol):
    """The walks of this worker."""

    def wake(self, run_ids: Iterable[UUID]) -> None:
        """Something has fired of runs."""
        ...

    def stop(self, run_ids: Iterable[UUID]) -> None:
        """Runs were ended from outside."""
        ...

    def expect_ready(self) -> None:
        """There are ready runs without an owner."""
        ...


class Shown(Protocol):
    """What the bus shows of waits."""

    def hide(self, delays: Iterable[UUID], awaited: Iterable[UUID]) -> None:
        """They are over."""
        ...


class Calls:
    """Tells owners, and hears what others tell this worker."""

    def __init__(
        self, worker_id: UUID, walkers: Walkers, shown: Shown, post: Callable[[UUID, bytes], None]
    ) -> None:
        self._worker_id, self._walkers, self._shown, self._post = worker_id, walkers, shown, post

    def woken(self, firings: Sequence[Firing]) -> None:
        """Let runs go on of which a wait was fired; that is committed."""
        by_owner: dict[UUID, Word] = {}
        for one in firings:
            if one.owner is not None:
                by_owner.setdefault(one.owner, Word()).woken.append(one.run_id)
        self._tell(by_owner)
        if any(one.owner is None for one in firings):
            self._walkers.expect_ready()
        self._shown.hide(
            [one.id for one in firings if one.has_key and one.kind in {"delay", "retry"}],
            [one.id for one in firings if one.has_key and one.kind in ROUND],
        )

    def ended(self, some: Sequence[Ended]) -> None:
        """Stop what executes runs that were ended; that is committed."""
        by_owner: dict[UUID, Word] = {}
        for one in some:
            if one.owner is not None:
                by_owner.setdefault(one.owner, Word()).stopped.append(one.run.id)
        self._tell(by_owner)
        for one in some:
            self._shown.hide(one.delays, one.awaited)

    def hear(self, body: bytes) -> None:
        """Take a word for this worker."""
        try:
            word = msgspec.json.decode(body, type=Word)
        except msgspec.DecodeError as error:
            log.warning("word.broken", error=str(error))
            return
        self._take(word)

    def _take(self, word: Word) -> None:
        self._walkers.stop(word.stopped)
        self._walkers.wake(word.woken)

    def _tell(self, by_owner: dict[UUID, Word]) -> None:
        for owner, word in by_owner.items():
            if owner == self._worker_id:
                self._take(word)
                continue
            for start in range(0, max(len(word.woken), len(word.stopped)), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                try:
                    self._post(owner, _encode(Word(word.woken[part], word.stopped[part])))
                except Unavailable as error:
                    log.info("word.lost", worker=str(owner), error=str(error))
