"""The box of dead letters: what is in it, and the way back or out of it."""

import re
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from lockstep.bus import api, headers
from lockstep.bus.api import ApiError
from lockstep.bus.connection import Connection
from lockstep.bus.dead_letters import (
    ACTED_ON,
    DELIVERIES,
    DROPPED,
    ORIGINAL_ID,
    OURS,
    REASON,
    SUBJECT,
)
from lockstep.bus.errors import BadMessage, JetStreamRefused, MessageTooLarge
from lockstep.bus.headers import MESSAGE_ID
from lockstep.bus.names import Names
from lockstep.bus.reading import peek
from lockstep.bus.requests import NoResponders
from lockstep.model.errors import EngineError
from lockstep.ports.bus import Publisher
from lockstep_schemas.dead import DeadDone, DeadFault, DeadLetter, DeadPage
from lockstep_schemas.events import HEADER_ACTOR, HEADER_CONTEXT_KEY

_NO_MESSAGE: Final = frozenset({10037, 10043, 10057})
"""Not found by get, not found by delete, and not deleted, which is: not found by the store."""
_SHOWN_BYTES: Final = 512  # of a header: a page of letters must fit one reply
_REASON_BYTES: Final = 1024  # as many as `dead_letters` writes
_ID_BYTES: Final = 200  # two of them, joined, are well within the 1,024 of a message id
_IDENTITY: Final = re.compile(r"[^:]+:[0-9]{1,20}:([0-9]{1,19})(?::.+)?")
_RETRY: Final = ":retry:"
_STEP: Final = 4  # few questions to the server, and at most four times too far back
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StoredDeadLetter(msgspec.Struct, frozen=True):
    """A dead letter as it is stored."""

    shown: DeadLetter
    subject: str
    headers: Mapping[str, str]
    body: bytes


class Stuck(EngineError):
    """A dead letter cannot be published again as the event that it was; the message says why."""

    code = "bus.letter_stuck"
    category = "conflict"
    advice = "Discard it, or publish what was meant as a new event."


class DeadLetterBox:
    """Lists, gives, retries and discards what `DeadLetters` has stored.

    The id of a letter is its sequence in the stream. An event id selects the letters of that
    event, `orders.*` those of all events that begin with `orders.`, `*` all.
    """

    def __init__(self, connection: Connection, publisher: Publisher) -> None:
        self._connection, self._publisher = connection, publisher
        self._names = connection.names
        self._stream = connection.names.dead_stream

    async def page(self, event: str | None, limit: int, before: int | None) -> DeadPage:
        """Give the newest `limit` letters, of those older than the letter `before`.

        Reads at most about twice as many, however many there are: where they begin is found by
        counting.

        Raises:
            Unavailable: JetStream did not answer.
            ServerUnfit: The stream is not there, or we may not look into it.
        """
        subject = self._subject(event)
        total = await self._count(subject, 1)
        newer = await self._count(subject, before) if before is not None else 0
        older = total - newer
        if older <= 0:
            return DeadPage([], total, limit, None)
        start, amount = 1, older
        if older > 2 * limit:
            start, amount = await self._start(subject, limit, before, newer)
        seen = await peek.read(self._connection, self._stream, subject, start, amount)
        fitting = [one for one in seen if before is None or one.message.sequence < before]
        items = [self._shown(one) for one in reversed(fitting[-limit:])]
        goes_on = bool(items) and older > len(items)
        return DeadPage(items, total, limit, items[-1].id if goes_on else None)

    async def get(self, letter_id: int) -> StoredDeadLetter | None:
        """Give one letter, or None if there is none of this id.

        Raises: as `page`.
        """
        what = f"STREAM.MSG.GET.{self._stream}"
        try:
            found = (await api.call(self._connection, what, {"seq": letter_id}))["message"]
        except ApiError as error:
            if error.err_code in _NO_MESSAGE:
                return None
            raise self._refusal(error) from None
        subject: str = found["subject"]
        head = headers.unpack(b64decode(found.get("hdrs", "")))
        body = b64decode(found.get("data", ""))
        stored_at = datetime.fromisoformat(found["time"])
        shown = summary(letter_id, subject, head, stored_at, len(body), self._names)
        return StoredDeadLetter(shown, subject, head, body)

    async def end(self) -> int:
        """Give the id of the newest letter that there has ever been.

        Raises: as `page`.
        """
        try:
            info = await api.call(self._connection, f"STREAM.INFO.{self._stream}")
        except ApiError as error:
            raise self._refusal(error) from None
        return int(info["state"]["last_seq"])

    async def ids(self, event: str | None, after: int, until: int, limit: int) -> list[int]:
        """Give the ids of the oldest letters behind `after` and up to `until`.

        Raises: as `page`.
        """
        subject = self._subject(event)
        seen = await peek.read(self._connection, self._stream, subject, after + 1, limit)
        return [one.message.sequence for one in seen if one.message.sequence <= until]

    async def retry(self, ids: Iterable[int]) -> DeadDone:
        """Publish the events again as they were, oldest first, and take their letters out.

        The id of the message hangs on the letter alone, so an event that was published before
        something broke is not published again: the stream drops it, or our receipts do.

        Raises: as `page`; call again with the same ids.
        """
        return await self._each(ids, self._revive)

    async def discard(self, ids: Iterable[int]) -> DeadDone:
        """Delete letters for good.

        Raises: as `page`; call again with the same ids.
        """
        return await self._each(ids, self._delete)

    async def discard_all(self, event: str, until: int) -> int:
        """Delete all letters of an event up to the id `until` for good; say how many.

        Raises: as `page`.
        """
        request = {"filter": self._subject(event), "seq": until + 1}
        try:
            answer = await api.call(self._connection, f"STREAM.PURGE.{self._stream}", request)
        except ApiError as error:
            raise self._refusal(error) from None
        return int(answer.get("purged", 0))

    async def _each(self, ids: Iterable[int], work: Callable[[int], Awaitable[bool]]) -> DeadDone:
        done, failed = 0, []
        for letter_id in sorted(set(ids)):
            try:
                if await work(letter_id):
                    done += 1
                    continue
                code: Literal["not_found", "refused"] = "not_found"
                reason = f"dead letter '{letter_id}' not found"
            except Stuck as error:
                code, reason = "refused", str(error)
            failed.append(DeadFault(letter_id, code, reason))
        return DeadDone(done, failed)

    async def _revive(self, letter_id: int) -> bool:
        letter = await self.get(letter_id)
        if letter is None:
            return False
        subject, head = revived(letter, self._names)
        try:
            await self._publisher.publish(subject, letter.body, head)
        except (MessageTooLarge, BadMessage, NoResponders, JetStreamRefused) as error:
            raise Stuck(f"dead letter '{letter_id}': {error}") from error
        # Only now. Whoever is killed before this line leaves a letter that changes nothing when
        # it is retried. Another operator may have been quicker: the event is out all the same.
        await self._delete(letter_id)
        return True

    async def _delete(self, letter_id: int) -> bool:
        request = {"seq": letter_id, "no_erase": True}
        try:
            await api.call(self._connection, f"STREAM.MSG.DELETE.{self._stream}", request)
        except ApiError as error:
            if error.err_code in _NO_MESSAGE:
                return False
            raise self._refusal(error) from None
        return True

    async def _count(self, subject: str, start: int) -> int:
        return await peek.count(self._connection, self._stream, subject, start)

    async def _start(
        self, subject: str, limit: int, before: int | None, newer: int
    ) -> tuple[int, int]:
        """Find where to begin, to read at least `limit` letters and not many more; and how many.

        Looks back in growing steps, then halves the last step while too many are in it.
        """
        end = await self.end() + 1 if before is None else before
        near, far, span = end, end, limit
        found = 0
        while found < limit and far > 1:
            near, far = far, max(1, end - span)
            found = await self._count(subject, far) - newer
            span *= _STEP
        while found > 2 * limit and near - far > 1:
            middle = (near + far) // 2
            among = await self._count(subject, middle) - newer
            if among >= limit:
                far, found = middle, among
            else:
                near = middle
        return far, found

    def _subject(self, event: str | None) -> str:
        if event is None or event == "*":
            return f"{self._names.prefix}.dead.>"
        if event.endswith(".*"):
            return f"{self._names.dead(event[:-2])}.>"
        return self._names.dead(event)

    def _shown(self, one: peek.Glimpse) -> DeadLetter:
        message = one.message
        head, stored_at = message.headers, _moment(message.stored_at_ns)
        return summary(message.sequence, message.subject, head, stored_at, one.size, self._names)

    def _refusal(self, error: ApiError) -> EngineError:
        error.about = f"stream {self._stream}"
        return error.as_refusal()


def summary(
    letter_id: int,
    subject: str,
    head: Mapping[str, str],
    stored_at: datetime,
    size: int,
    names: Names,
) -> DeadLetter:
    """Say of a letter what a list shows; long texts are cut."""
    came_on = head.get(SUBJECT, "")
    deliveries = head.get(DELIVERIES, "")
    identity = _IDENTITY.fullmatch(head.get(MESSAGE_ID, ""))
    return DeadLetter(
        id=letter_id,
        event=_cut(names.event(came_on)[1] or subject),
        reason=headers.one_line(head.get(REASON, ""), _REASON_BYTES),
        subject=_cut(came_on),
        message_id=_kept(head, ORIGINAL_ID),
        actor=_kept(head, HEADER_ACTOR),
        context_key=_kept(head, HEADER_CONTEXT_KEY),
        published_at=_moment(int(identity[1])) if identity else None,
        died_at=stored_at,
        deliveries=int(deliveries[:9]) if deliveries.isascii() and deliveries.isdigit() else None,
        size=size,
    )


def revived(letter: StoredDeadLetter, names: Names) -> tuple[str, dict[str, str]]:
    """Give subject and headers with which the event of a letter is published again.

    Raises:
        Stuck: It would not be the same event: something of it was not kept.
    """
    subject = letter.headers.get(SUBJECT, "")
    event = names.event(subject)[1]
    # A letter that somebody else has put there must not make us publish just anywhere.
    if event == subject or names.dead(event) != letter.subject:
        raise Stuck(
            f"dead letter '{letter.shown.id}': the header {SUBJECT} is not the subject of an event "
            "that this engine takes; publish it anew, or discard it"
        )
    if DROPPED in letter.headers:
        raise Stuck(
            f"dead letter '{letter.shown.id}': its headers were too large to be kept, and "
            "without them it would be another event; publish it anew, or discard it"
        )
    head = {
        name: value
        for name, value in letter.headers.items()
        if name.lower() not in OURS and not name.lower().startswith(ACTED_ON)
    }
    identity = letter.headers.get(MESSAGE_ID, f"{names.dead_stream}:{letter.shown.id}")
    own = letter.headers.get(ORIGINAL_ID, "").partition(_RETRY)[0]
    head[MESSAGE_ID] = _RETRY.join(headers.one_line(text, _ID_BYTES) for text in (own, identity))
    return subject, head


def _moment(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)


def _kept(head: Mapping[str, str], name: str) -> str | None:
    return _cut(head[name]) if name in head else None


def _cut(text: str) -> str:
    return headers.one_line(text, _SHOWN_BYTES)
