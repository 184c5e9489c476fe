"""What the stream of events holds that nobody has handled yet.

It is a work queue: what is in it is not handled, also where it has been delivered. Its leader is
asked, message by message: a direct get may be answered by a server that lags.
"""

import asyncio
import time
from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from lockstep.bus import api, headers, topology
from lockstep.bus.api import ApiError, Askable
from lockstep.bus.errors import EventsUnknown
from lockstep.bus.names import Names, is_subject
from lockstep.bus.publisher import sequence_of
from lockstep.model.errors import BusUnavailable, EngineError
from lockstep.model.events import Event, Poison
from lockstep.model.messages import EPOCH, Message
from lockstep.ports.clock import Clock, StreamClock
from lockstep.ports.unhandled import HeldUp, Question
from lockstep_schemas.events import ACTION_DONE
from lockstep_schemas.remote import ActionDone
from lockstep_schemas.why import UnhandledEvent

LOOKED_AT: Final = 100  # messages of a subject: 40 ms; what lies behind so many waits anyway
AT_ONCE: Final = 32  # subjects: a round trip each at a time, which the server takes in a ms
ASK_SECONDS: Final = 2.0  # for one answer; without the right to ask there is none at all
TURN: Final = 250  # questions, a millisecond or less: others have their turn in between
KNOWN_SECONDS: Final = 5.0  # lanes and copies change when an operator changes them
NOT_PAST: Final = HeldUp(reason="its deadline is not past yet by the clock of the stream")

_NO_MESSAGE: Final = 10037  # the server's code, as in its errors.json


@dataclass(slots=True)
class Stored:
    """A message as the stream gives it back. Is a `model.messages.Message`."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    stream: str
    sequence: int
    stored_at_ns: int
    deliveries: int = 0


class _Layout(NamedTuple):
    """What is asked for rarely."""

    lanes: Sequence[str]  # with a consumer; the empty one: what has no lane
    copies: int
    at: float


@dataclass(slots=True)
class _Found:
    """What holds a question up."""

    events: int = 0
    sequence: int = 0  # of the oldest of them
    is_more: bool = False  # there are too many to look through


@dataclass(slots=True)
class _Asked:
    """The questions about one event id, by what finds them."""

    questions: list[Question] = field(default_factory=list)
    by_key: dict[str | None, list[Question]] = field(default_factory=dict)
    by_step: dict[str, list[Question]] = field(default_factory=dict)

    def add(self, question: Question) -> None:
        self.questions.append(question)
        if question.step is None:
            self.by_key.setdefault(question.context_key, []).append(question)
        else:
            self.by_step.setdefault(question.step, []).append(question)

    def about(self, event: Event | Poison) -> Iterator[Question]:
        """Give the questions that an event may answer; one that cannot be read may answer all."""
        if isinstance(event, Poison):
            yield from self.questions
            return
        yield from self.by_key.get(event.context_key, ())
        if self.by_step:
            step = _step(event)
            if step is None:
                yield from (one for one in self.questions if one.step is not None)
            else:
                yield from self.by_step.get(step, ())


class UnhandledEvents:
    """See `ports.unhandled.Unhandled`."""

    def __init__(
        self,
        connection: Askable,
        names: Names,
        clock: Clock,
        stream_clock: StreamClock,
        decode: Callable[[Message], Event | Poison],
        stamp: Callable[[Message], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stamp` may say when a message was stored, where that is not what the stream says."""
        self._connection, self._names = connection, names
        self._clock, self._stream_clock = clock, stream_clock
        self._decode, self._stamp, self._monotonic = decode, stamp, monotonic
        self._stream = names.triggers_stream
        self._known: _Layout | None = None

    async def held_up(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """See `ports.unhandled.Unhandled`; one event is enough, others are not counted."""
        return await self._ask(questions, is_counting=False)

    async def counted(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """See `ports.unhandled.Unhandled`."""
        return await self._ask(questions, is_counting=True)

    async def listed(self, event: str, limit: int) -> list[UnhandledEvent]:
        """Give the first of an event id; else those of a message id, of the first 100 of each lane.

        Raises: as `held_up`, but for the clock.
        """
        if is_subject(event) and not {"*", ">"} & set(event.split(".")):
            found = await self._listed(event, limit, lambda _: True)
            if found:
                return found
        return await self._listed(">", LOOKED_AT, lambda head: message_id_of(head) == event)

    async def _listed(
        self, event_id: str, limit: int, is_wanted: Callable[[Mapping[str, str]], bool]
    ) -> list[UnhandledEvent]:
        found = []
        for lane in (await self._layout()).lanes:
            sequence = 1
            for _ in range(limit):
                message = await self._next(self._names.trigger(event_id, lane), sequence)
                if message is None:
                    break
                sequence = message.sequence + 1
                if is_wanted(message.headers):
                    stored_at = EPOCH + timedelta(microseconds=message.stored_at_ns // 1000)
                    found.append(
                        UnhandledEvent(
                            event=self._names.event(message.subject)[1],
                            message_id=message_id_of(message.headers),
                            lane=lane,
                            sequence=message.sequence,
                            stored_at=stored_at,
                        )
                    )
        return sorted(found, key=lambda one: one.sequence)[:limit]

    async def _ask(self, questions: Sequence[Question], *, is_counting: bool) -> dict[UUID, HeldUp]:
        offset, doubt = self._stream_clock.offset, self._stream_clock.doubt
        error = timedelta() if offset is None else offset.error
        timed = [one for one in questions if one.below is None]
        if timed and (offset is None or doubt is not None):
            text = f"the clock of the stream {self._stream} is in doubt: {doubt}"
            raise EventsUnknown(text)
        now = self._clock.now()
        held = {one.id: NOT_PAST for one in timed if now < one.until + error}
        asked = defaultdict[str, _Asked](_Asked)
        for one in questions:
            if one.id not in held:
                asked[one.event_id].add(one)
        try:
            found = await self._look(asked, error, is_counting=is_counting)
        except EngineError as failure:
            calls = f"$JS.API.STREAM.MSG.GET.{self._stream}, $JS.API.CONSUMER.LIST.{self._stream}"
            hint = f"may the user of the engine publish to {calls} and {self._names.marker}?"
            text = f"the stream {self._stream} does not tell what is not handled: {failure}; {hint}"
            raise EventsUnknown(text) from failure
        for event_id, by_question in found.items():
            for name, by in by_question.items():
                if len(held) % TURN == 0:
                    await asyncio.sleep(0)
                held[name] = _held_up(event_id, by)
        return held

    async def _look(
        self, asked: Mapping[str, _Asked], error: timedelta, *, is_counting: bool
    ) -> Mapping[str, Mapping[UUID, _Found]]:
        """Walk all subjects of these event ids, some at a time."""
        found = defaultdict[str, dict[UUID, _Found]](dict)
        if not asked:
            return found
        layout = await self._layout()
        # On a replicated stream whoever leads it has all that was stored before this one.
        marker = await self._mark() if layout.copies > 1 else None
        free = asyncio.Semaphore(AT_ONCE)

        async def walk(event_id: str, lane: str) -> None:
            async with free:
                subject = self._names.trigger(event_id, lane)
                walk = _Walk(asked[event_id], error, found[event_id], is_counting)
                await self._walk(subject, walk, marker)

        try:
            async with asyncio.TaskGroup() as group:
                for one in asked:
                    for lane in layout.lanes:
                        group.create_task(walk(one, lane))
        except* EngineError as errors:
            raise _first(errors) from None
        if marker is not None:  # it is wanted for its place alone
            request = {"filter": self._names.marker, "seq": marker + 1}
            await self._call(f"STREAM.PURGE.{self._stream}", request)
        return found

    async def _walk(self, subject: str, walk: "_Walk", marker: int | None) -> None:
        """Look at what is unsettled on a subject, oldest first."""
        sequence, oldest, stored_at = 1, 0, EPOCH
        for _ in range(LOOKED_AT):
            message = await self._next(subject, sequence)
            if message is None or (marker is not None and message.sequence >= marker):
                return
            stored_at = self._stream_clock.time(message.stored_at_ns)
            if walk.is_past(message.sequence, stored_at):
                return
            sequence, oldest = message.sequence + 1, oldest or message.sequence
            if message.subject == subject:  # an event id may look like a pattern
                await walk.note(message.sequence, stored_at, self._decode(message))
            if walk.is_over:
                return
        walk.give_up(oldest, sequence, stored_at)

    async def _next(self, subject: str, sequence: int) -> Stored | None:
        """Give the first message of a subject from a sequence on."""
        request = {"next_by_subj": subject, "seq": sequence}
        try:
            found = await self._call(f"STREAM.MSG.GET.{self._stream}", request)
        except ApiError as error:
            if error.err_code == _NO_MESSAGE:
                return None
            raise
        message = _read(found["message"], self._stream)
        if self._stamp is not None:
            self._stamp(message)
        return message

    async def _layout(self) -> _Layout:
        now = self._monotonic()
        if self._known is None or now - self._known.at > KNOWN_SECONDS:
            info = await self._call(f"STREAM.INFO.{self._stream}")
            consumers = await topology.consumers(self._connection, self._stream, ASK_SECONDS)
            lanes = {self._names.lane(one["name"]) for one in consumers} - {None}
            copies = int(info["config"]["num_replicas"])
            self._known = _Layout(["", *sorted(filter(None, lanes))], copies, now)
        return self._known

    async def _mark(self) -> int:
        """Put a message behind all that the stream has, and give its sequence."""
        answer = await self._connection.ask(self._names.marker, b"", b"", ASK_SECONDS)
        return sequence_of(self._names.marker, answer.body)

    async def _call(self, what: str, request: object = None) -> dict[str, Any]:
        return await api.call(self._connection, what, request, seconds=ASK_SECONDS)


class _Walk:
    """What a walk along one subject finds."""

    def __init__(
        self, asked: _Asked, error: timedelta, found: dict[UUID, _Found], is_counting: bool
    ) -> None:
        self._asked, self._error, self._is_counting = asked, error, is_counting
        self._found = found  # walks of other lanes have it too
        timed = [one.until + error for one in asked.questions if one.below is None]
        self._latest = max(timed, default=None)
        self._below = max((one.below or 0 for one in asked.questions), default=0)

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be said."""
        return not self._is_counting and len(self._found) == len(self._asked.questions)

    def is_past(self, sequence: int, stored_at: datetime) -> bool:
        """Say whether a message is later than all that is asked for."""
        return sequence >= self._below and (self._latest is None or stored_at > self._latest)

    async def note(self, sequence: int, stored_at: datetime, event: Event | Poison) -> None:
        """Take a message into account. What is in doubt holds up."""
        for place, one in enumerate(self._asked.about(event)):
            if place % TURN == TURN - 1:
                await asyncio.sleep(0)
            if self._reaches(one, sequence, stored_at):
                found = self._found.setdefault(one.id, _Found())
                found.events += 1
                found.sequence = min(found.sequence or sequence, sequence)

    def give_up(self, oldest: int, sequence: int, stored_at: datetime) -> None:
        """Hold up whoever has no answer and asks for more than was looked at: up to these."""
        for one in self._asked.questions:
            if self._reaches(one, sequence, stored_at):
                found = self._found.setdefault(one.id, _Found())
                found.sequence, found.is_more = found.sequence or oldest, True

    def _reaches(self, question: Question, sequence: int, stored_at: datetime) -> bool:
        """Say whether a message from here on may be before the end of a question."""
        if question.below is None:
            return stored_at <= question.until + self._error
        return sequence < question.below


def message_id_of(head: Mapping[str, str]) -> str | None:
    """Give the message id of an event by its headers."""
    return head.get(headers.MESSAGE_ID) or head.get("ce-id")


def _first(errors: BaseExceptionGroup[EngineError]) -> EngineError:
    """Give one of the errors: the other walks end with it, or fail for the same reason."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _held_up(event_id: str, found: _Found) -> HeldUp:
    if found.is_more:
        reason = f"{LOOKED_AT} events of `{event_id}` and more are not handled yet"
    elif found.events == 1:
        reason = f"an event of `{event_id}` from before it is not handled yet"
    else:
        reason = f"{found.events} events of `{event_id}` from before it are not handled yet"
    return HeldUp(reason=reason, events=found.events, sequence=found.sequence)


def _step(event: Event) -> str | None:
    """Give the step that a result is for; None where it does not say so."""
    if event.id != ACTION_DONE:
        return None
    try:
        key = msgspec.convert(event.payload, ActionDone).idempotency_key
        run_id, _, path = key.partition(":")
        return f"{UUID(run_id)}:{path}"  # in whatever way it is written
    except (msgspec.ValidationError, ValueError):
        return None


def _read(found: Mapping[str, Any], stream: str) -> Stored:
    """Read what the stream gives. Raise Unavailable where that is no message."""
    try:
        stored_at = datetime.fromisoformat(found["time"]) - EPOCH
        return Stored(
            found["subject"],
            b64decode(found.get("data", "")),
            headers.unpack(b64decode(found.get("hdrs", ""))),
            stream,
            int(found["seq"]),
            stored_at // timedelta(microseconds=1) * 1000,
        )
    except (KeyError, ValueError) as error:
        raise BusUnavailable(f"{stream}: an answer that is no message: {error}") from error
