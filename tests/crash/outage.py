"""What is published while no replica runs: answers and cancelling events, in time and too late.

What must come out is told by the times at which the stream has stored these, whenever they are
handled.
"""

import asyncio
import base64
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

from crash.fleet import ACTIVE, UNSENT, Fleet
from crash.sleepers import Json
from lockstep import bus
from lockstep.bus import headers
from lockstep.bus.api import ApiError
from lockstep.catalog import Recorder
from lockstep_schemas.events import HEADER_CONTEXT_KEY

ASK, ANSWER, HOLD, CROWD = "outage.ask", "outage.answer", "outage.hold", "outage.crowd"
NO_MESSAGE: Final = 10037  # the server's code, as in its errors.json
EACH: Final = 5  # of each kind for each of the times: ten are in time
AT_ONCE: Final = 256  # publishes under way
CHUNK: Final = 1000  # of the crowd, between two looks at the clock
FOREIGN: Final = 40  # one in so many of the crowd is an answer that nobody waits for
# By so much the engine's idea of a time may differ from that of the stream, on one machine. What
# comes as near as that to a deadline may be in time or not.
DOUBT: Final = timedelta(seconds=0.3)

Kind = Literal["wait", "hold", "behind"]
"""A run that waits, a hold, both armed before; a hold that is armed by an event of meanwhile."""

Came = Literal["soon", "both", "late", "never"]
"""When what is awaited comes: before the deadline, after it."""

Seen: TypeAlias = tuple[str, str]
"""How a run has ended, and its error or what it has recorded."""

WAITING = "select context_key, due_at from waits where event_id = $1 and state = 'armed'"
HANDLED = "select message_id, time from receipts where event_id = $1"
HOLDS = "select count(*) from timers where kind = 'hold'"
RUNS = """
    select id::text, convert_from(trigger_payload, 'utf8')::json ->> 'key' as key, status,
           error_message
      from runs
"""


def automations(seconds: int) -> dict[str, Json]:
    """What waits for so long, what holds for so long, and what is asked about the crowd."""
    key = "{{ trigger.payload.key }}"
    wait = {"event": ANSWER, "context_key": key, "timeout_seconds": seconds}
    hold = {
        "event": HOLD,
        "for": {"seconds": seconds},
        "filter": "trigger.payload.on",
        "cancel_filter": "not trigger.payload.on",
    }
    crowd = {"event": CROWD, "filter": "trigger.payload.wanted"}
    return {
        "asks": _definition(
            {"event": ASK}, {"wait_for_trigger": wait}, _record("wait.payload.tag")
        ),
        "holds": _definition(hold, _record("trigger.payload.tag")),
        "crowd": _definition(crowd, _record("trigger.payload.tag")),
    }


def _record(value: str) -> Json:
    return {"action": "test.record", "id": "told", "config": {"value": f"{{{{ {value} }}}}"}}


def _definition(trigger: Json, *actions: Json) -> Json:
    common = {"name": trigger["event"], "mode": "parallel", "max_runs": 1000}
    return {**common, "triggers": [trigger], "actions": list(actions)}


@dataclass(frozen=True)
class Sleeper:
    """What sleeps under a context key of its own."""

    kind: Kind
    came: Came
    number: int

    @property
    def key(self) -> str:
        """The context key."""
        return f"{self.kind} {self.came} {self.number}"

    @property
    def event(self) -> str:
        """The event that ends it."""
        return ANSWER if self.kind == "wait" else HOLD


SLEEPERS: Final = [
    Sleeper(kind, came, number)
    for kind in get_args(Kind)
    for came in get_args(Came)
    for number in range(EACH)
]


@dataclass
class Outage:
    """What is published, and when the stream has stored it.

    Attributes:
        queues: Lanes, and the queue of what goes in none (an empty text).
        begins: When a hold begins, by key.
        due: Deadlines, by key.
        came: What came for a key: tag and time.
    """

    fleet: Fleet
    seconds: int
    queues: Sequence[str]
    begins: dict[str, datetime] = field(default_factory=dict)
    due: dict[str, datetime] = field(default_factory=dict)
    came: dict[str, dict[str, datetime]] = field(default_factory=lambda: defaultdict(dict))
    published: Counter[str] = field(default_factory=Counter)  # by event

    async def arm(self) -> None:
        """Let runs wait and holds begin, and learn their deadlines."""
        before = [one for one in SLEEPERS if one.kind != "behind"]
        await asyncio.gather(*(self._publish(_begins(one), one.key, "begin", "") for one in before))
        waits = sum(one.kind == "wait" for one in before)
        holds = len(before) - waits

        async def armed() -> bool:
            waiting = await self.fleet.rows(WAITING, ANSWER)
            handled = await self.fleet.rows(HANDLED, HOLD)
            return len(waiting) == waits and len(handled) == holds

        await self.fleet.until(armed)
        for row in await self.fleet.rows(WAITING, ANSWER):
            self.due[row["context_key"]] = row["due_at"]
        for row in await self.fleet.rows(HANDLED, HOLD):
            self._holds(row["message_id"].removesuffix(" begin"), row["time"])

    async def crowd(self, count: int) -> int:
        """Publish so many other events, as far as half of the time suffices; give how many."""
        before = self.published.total()
        now, first = await self._now(), min(self.due.values())
        publisher, numbers = bus.Publisher(self.fleet.connection), iter(range(count))
        names = self.fleet.connection.names

        async def some() -> None:
            for number in numbers:
                event = CROWD if number % FOREIGN else ANSWER
                head = {HEADER_CONTEXT_KEY: f"foreign {number}"}
                await publisher.publish(names.trigger(event), b'{"wanted": false}', head)
                self.published[event] += 1
                if number % CHUNK == CHUNK - 1 and await self._now() > now + (first - now) / 2:
                    for _ in numbers:
                        pass

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        return self.published.total() - before

    async def answer_in_time(self) -> None:
        """Begin the holds that begin meanwhile, and publish what comes soon."""
        behind = [one for one in SLEEPERS if one.kind == "behind"]
        await asyncio.gather(*(self._publish(_begins(one), one.key, "begin", "") for one in behind))
        soon = [one for one in SLEEPERS if one.came in {"soon", "both"}]
        await self._end(soon, "soon")
        stored = await self._stored()
        for one in behind:
            self._holds(one.key, stored[f"{one.key} begin"])

    async def answer_too_late(self) -> None:
        """Publish what comes late, when all deadlines are over; learn when all of it came."""
        last = max(self.due.values()) + 2 * DOUBT

        async def is_over() -> bool:
            return await self._now() > last

        await self.fleet.until(is_over)
        await self._end([one for one in SLEEPERS if one.came in {"both", "late"}], "late")
        for message_id, time in (await self._stored()).items():
            key, _, tag = message_id.rpartition(" ")
            if tag != "begin":
                self.came[key][tag] = time

    async def until_over(self) -> None:
        """Wait until everything is handled, nothing holds any more and all runs have ended."""

        async def over() -> bool:
            info = await self.fleet.ask_jetstream(f"STREAM.INFO.{self._stream}")
            left = [await self.fleet.value(query) for query in (HOLDS, ACTIVE, UNSENT)]
            return not any((info["state"]["messages"], *left))

        await self.fleet.until(over)

    async def check(self) -> None:
        """I1, I7: every event was handled, each sleeper has ended by the times of its events."""
        handled = {one: len(await self.fleet.rows(HANDLED, one)) for one in self.published}
        assert handled == self.published, f"I1: {handled} of {self.published}"
        dead = await self.fleet.ask_jetstream(
            f"STREAM.INFO.{self.fleet.connection.names.dead_stream}"
        )
        assert not dead["state"]["messages"], f"I1: {dead['state']}"
        seen = await self._seen()
        wrong = {
            one.key: seen[one.key]
            for one in SLEEPERS
            if seen[one.key] not in [self._wanted(one, doubt) for doubt in (0, -1, 1)]
        }
        assert seen.keys() == {one.key for one in SLEEPERS}
        assert not wrong, f"I7: {len(wrong)} of {len(SLEEPERS)}: {wrong}"
        ends = {(one.kind, bool(self._in_time(one, 0))) for one in SLEEPERS}
        assert len(ends) == 6, f"nothing was in time on so slow a machine, or all: {ends}"

    async def _seen(self) -> dict[str, list[Seen]]:
        told: dict[str, dict[str, Any]] = defaultdict(dict)
        for call in Recorder.read(self.fleet.record_file):
            told[call.run_id][call.idempotency_key] = call.value
        seen: dict[str, list[Seen]] = {one.key: [] for one in SLEEPERS}
        for row in await self.fleet.rows(RUNS):
            said = row["error_message"] or ",".join(told[row["id"]].values())
            seen.setdefault(row["key"], []).append((row["status"], said))
        return seen

    def _wanted(self, one: Sleeper, doubt: int) -> list[Seen]:
        """Say how the runs of a sleeper end: a wait has one, a hold one that nothing cancels."""
        ended_by = self._in_time(one, doubt)
        if one.kind == "wait":
            late = ("failed", f"timed out waiting for {ANSWER}")
            return [("success", ended_by[0]) if ended_by else late]
        return [] if ended_by else [("success", "begin")]

    def _in_time(self, one: Sleeper, doubt: int) -> list[str]:
        """Give what came in time, oldest first, with deadlines that are off by the doubt."""
        due = self.due[one.key] + doubt * DOUBT
        came = sorted((time, tag) for tag, time in self.came[one.key].items())
        return [tag for time, tag in came if time <= due]

    def _holds(self, key: str, begins: datetime) -> None:
        self.due[key] = begins + timedelta(seconds=self.seconds)

    async def _end(self, some: Sequence[Sleeper], tag: str) -> None:
        """Publish what ends these, of one tag in other queues than of the other."""
        shift = int(tag == "late")
        await asyncio.gather(
            *(
                self._publish(one.event, one.key, tag, self._queue(one.number + shift))
                for one in some
            )
        )

    def _queue(self, number: int) -> str:
        return self.queues[number % len(self.queues)]

    async def _publish(self, event: str, key: str, tag: str, queue: str) -> None:
        body = {"key": key, "tag": tag, "on": tag == "begin"}
        context_key = f"of {key}" if event == ASK else key
        await self.fleet.publish(event, body, context_key, f"{key} {tag}", queue)
        self.published[event] += 1

    async def _stored(self) -> dict[str, datetime]:
        """Ask the stream when it has stored what nobody has handled; by message id."""
        found: dict[str, datetime] = {}
        for event in (ANSWER, HOLD):
            for queue in self.queues:
                found |= await self._stored_on(self.fleet.connection.names.trigger(event, queue))
        return found

    async def _stored_on(self, subject: str) -> dict[str, datetime]:
        found: dict[str, datetime] = {}
        after = 0
        while True:
            try:
                answer = await self.fleet.ask_jetstream(
                    f"STREAM.MSG.GET.{self._stream}", {"next_by_subj": subject, "seq": after + 1}
                )
            except ApiError as error:
                if error.err_code != NO_MESSAGE:
                    raise
                return found
            message = answer["message"]
            after = message["seq"]
            head = headers.unpack(base64.b64decode(message["hdrs"]))
            if headers.MESSAGE_ID in head:
                found[head[headers.MESSAGE_ID]] = msgspec.convert(message["time"], datetime)

    @property
    def _stream(self) -> str:
        return self.fleet.connection.names.triggers_stream

    async def _now(self) -> datetime:
        now: datetime = await self.fleet.value("select clock_timestamp()")
        return now


def _begins(one: Sleeper) -> str:
    return ASK if one.kind == "wait" else HOLD
