"""The endpoints `dead.*`."""

import re
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import structlog
from msgspec import UNSET

from lockstep.control.errors import InvalidRequest, LetterNotFound, bad_field
from lockstep_schemas.dead import (
    DeadById,
    DeadDetail,
    DeadDone,
    DeadFault,
    DeadFilter,
    DeadLetter,
    DeadList,
    DeadPage,
    DeadSelect,
)
from lockstep_schemas.events import Actor

BODY_BYTES: Final = 128 * 1024
"""Of a larger body `dead.show` gives the beginning: escaped, it has to fit into a reply."""
PORTION: Final = 100  # letters until the clock is looked at again: each takes a few round trips
PAGE: Final = 200  # letters that are read at once, to be looked through
LOOKED_THROUGH: Final = 2_000  # for a page: some tenths of a second
FAULTS: Final = 500  # a reply has to hold them; at some 200 bytes each they are 100 KiB
RETRY_SECONDS: Final = 5.0  # of one request: who asks waits some 15 s for an answer

_LONGEST_CHARACTER: Final = 4  # bytes, in UTF-8
_CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")

log = structlog.get_logger()


class StoredDeadLetter(Protocol):
    """A dead letter as it is stored."""

    @property
    def shown(self) -> DeadLetter:
        """What a list shows of it."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """All of them, those of the event and those of the engine."""
        ...

    @property
    def body(self) -> bytes:
        """The body of the event, untouched."""
        ...


class Box(Protocol):
    """Dead letters; an event is an id, `orders.*` or `*`."""

    async def page(self, event: str | None, limit: int, before: int | None) -> DeadPage:
        """Give the newest, or the newest of those older than `before`."""
        ...

    async def get(self, letter_id: int) -> StoredDeadLetter | None:
        """Give one."""
        ...

    async def end(self) -> int:
        """Give the id of the newest that there has ever been."""
        ...

    async def ids(self, event: str | None, after: int, until: int, limit: int) -> list[int]:
        """Give the ids of the oldest behind `after` and up to `until`."""
        ...

    async def retry(self, ids: Iterable[int]) -> DeadDone:
        """Publish the events again, oldest first, and take them out."""
        ...

    async def discard(self, ids: Iterable[int]) -> DeadDone:
        """Delete some for good."""
        ...

    async def discard_all(self, event: str, until: int) -> int:
        """Delete all of an event up to an id for good; say how many."""
        ...


class DeadEndpoints:
    """Lists and shows dead letters, sends their events back or throws them away.

    One request retries for `retry_seconds`, by so many letters at once; the next one goes on.
    """

    def __init__(
        self, box: Box, *, portion: int = PORTION, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._box, self._portion, self._retry_seconds = box, portion, retry_seconds

    async def list(self, request: DeadList, _: Actor | None) -> DeadPage:
        """Newest first."""
        if not _looks(request):
            return await self._box.page(request.event, request.limit, request.before)
        items, before, looked = list[DeadLetter](), request.before, 0
        while True:
            page = await self._box.page(request.event, PAGE, before)
            for number, letter in enumerate(page.items):
                if not _fits(letter, request):
                    continue
                items.append(letter)
                if len(items) == request.limit:
                    goes_on = page.next_before is not None or number + 1 < len(page.items)
                    return _found(items, page, request, letter.id if goes_on else None)
            looked, before = looked + len(page.items), page.next_before
            if before is None or looked >= LOOKED_THROUGH:
                return _found(items, page, request, before)

    async def show(self, request: DeadById, _: Actor | None) -> DeadDetail:
        """One of them, with headers and body."""
        letter = await self._box.get(request.id)
        if letter is None:
            raise LetterNotFound(str(request.id))
        text, is_base64 = _readable(letter.body)
        return DeadDetail(
            letter=letter.shown,
            headers=dict(letter.headers),
            body=UNSET if is_base64 else text,
            body_base64=text if is_base64 else UNSET,
            body_cut=len(letter.body) > BODY_BYTES,
        )

    async def retry(self, request: DeadSelect, actor: Actor | None) -> DeadDone:
        """Publish events again; of all of an event as many as there is time for, then a cursor."""
        _check(request)
        if request.ids is not None:
            done = _known(await self._box.retry(request.ids))
        elif _looks(request):
            done = await self._all_found(request, self._box.retry)
        else:
            done = await self._retry_all(request.event or "", request.cursor)
        log.info("letters.retried", **_about(request, done, actor))
        return done

    async def discard(self, request: DeadSelect, actor: Actor | None) -> DeadDone:
        """Delete for good."""
        _check(request)
        if request.ids is not None:
            done = _known(await self._box.discard(request.ids))
        elif _looks(request):
            done = await self._all_found(request, self._box.discard)
        else:
            until = await self._box.end()
            done = DeadDone(await self._box.discard_all(request.event or "", until), [])
        log.info("letters.discarded", **_about(request, done, actor))
        return done

    async def _all_found(
        self, request: DeadSelect, act: Callable[[Iterable[int]], Awaitable[DeadDone]]
    ) -> DeadDone:
        """Act on the letters of a filter, newest first, so that those that arrive are not met."""
        before = None if request.cursor is None else _place(request.cursor)[0]
        done, failed = 0, list[DeadFault]()
        deadline = time.monotonic() + self._retry_seconds
        while True:
            page = await self.list(_listed(request, self._portion, before), None)
            part = await act([one.id for one in page.items])
            done += part.done
            failed += (one for one in part.failed if one.code != "not_found")
            before = page.next_before
            if before is None:
                return DeadDone(done, failed)
            if time.monotonic() > deadline or len(failed) >= FAULTS:
                return DeadDone(done, failed, f"{before}-0")

    async def _retry_all(self, event: str, cursor: str | None) -> DeadDone:
        # Not those that arrive meanwhile: an event that dies again would be retried for ever.
        after, until = (0, await self._box.end()) if cursor is None else _place(cursor)
        done, failed = 0, list[DeadFault]()
        deadline = time.monotonic() + self._retry_seconds
        while ids := await self._box.ids(event, after, until, self._portion):
            part = await self._box.retry(ids)
            done += part.done
            failed += (one for one in part.failed if one.code != "not_found")  # retried by another
            after = ids[-1]
            if time.monotonic() > deadline or len(failed) >= FAULTS:
                return DeadDone(done, failed, f"{after}-{until}")
        return DeadDone(done, failed)


def _looks(wanted: DeadFilter) -> bool:
    """Tell whether each letter must be looked at: their subjects tell the events only."""
    return (wanted.context_key, wanted.error, wanted.text) != (UNSET, None, None)


def _listed(wanted: DeadFilter, limit: int, before: int | None) -> DeadList:
    """Make the request for a page of a filter."""
    given = {name: getattr(wanted, name) for name in DeadFilter.__struct_fields__}
    return DeadList(**given, limit=limit, before=before)


def _fits(letter: DeadLetter, wanted: DeadFilter) -> bool:
    """Tell whether a letter is one of those that are asked for, by what a list shows of it."""
    if wanted.context_key is not UNSET and (letter.context_key or None) != wanted.context_key:
        return False
    if wanted.error is not None and wanted.error.casefold() not in letter.reason.casefold():
        return False
    if wanted.text is None:
        return True
    texts = (letter.event, letter.message_id, letter.actor, letter.context_key, letter.reason)
    return any(wanted.text.casefold() in text.casefold() for text in texts if text is not None)


def _found(
    items: Sequence[DeadLetter], page: DeadPage, request: DeadList, next_before: int | None
) -> DeadPage:
    total = len(items) if next_before is None and request.before is None else page.total
    return DeadPage([*items], total, request.limit, next_before, total != len(items))


def _check(request: DeadSelect) -> None:
    """See to it that letters are named in one way: by ids, or by a filter."""
    if (request.ids is None) == (request.event is None and not _looks(request)):
        raise InvalidRequest("name either ids or an event")


def _known(done: DeadDone) -> DeadDone:
    """Refuse ids of which there is none; where some are there, the others are told beside them."""
    if not done.done and done.failed and all(one.code == "not_found" for one in done.failed):
        raise LetterNotFound(", ".join(str(one.id) for one in done.failed))
    return done


def _place(cursor: str) -> tuple[int, int]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise bad_field(f"cursor '{cursor[:40]}' is not one of ours", "cursor")
    return int(found[1]), int(found[2])


def _readable(body: bytes) -> tuple[str, bool]:
    """Give the beginning of a body as text, or in base64 where it is none; and which it is."""
    part = body[:BODY_BYTES]
    try:
        return part.decode(), False
    except UnicodeDecodeError as error:
        if len(part) < len(body) and error.start > len(part) - _LONGEST_CHARACTER:
            return part[: error.start].decode(), False  # cut in the middle of a character
    return b64encode(part).decode(), True


def _about(request: DeadSelect, done: DeadDone, actor: Actor | None) -> dict[str, object]:
    return {
        "event_id": request.event,
        "ids": request.ids,
        "done": done.done,
        "failed": len(done.failed),
        "actor": None if actor is None else actor.name or actor.id or actor.type,
    }
