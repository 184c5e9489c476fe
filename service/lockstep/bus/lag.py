"""How far behind the consumer groups are, for operators."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from lockstep.bus import api
from lockstep.bus.api import ApiError
from lockstep.bus.connection import Connection
from lockstep.bus.names import ENGINE
from lockstep.model.errors import BusUnavailable
from lockstep.model.messages import StreamBegin, Told
from lockstep_schemas.status import QueueStatus

_NO_MESSAGE: Final = 10037  # the server's code, as in its errors.json


class Group(NamedTuple):
    """A durable consumer group of ours, and what it handles."""

    kind: Literal["events", "lane", "alarms"]
    name: str
    stream: str
    consumer: str
    subject: str


class Lag:
    """Reads what waits in the streams. Changes nothing, and reads no bodies but the oldest."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def server_version(self) -> str | None:
        """See `Connection.server_version`."""
        return self._connection.server_version

    async def queues(self) -> list[QueueStatus]:
        """Say of each consumer group what waits for it.

        Raises:
            Unavailable: JetStream gave no answer.
            ServerUnfit: It refuses to tell, or a group is missing.
        """
        return list(await asyncio.gather(*map(self._queue, groups(self._connection))))

    async def dead_letters(self) -> int:
        """Count the dead letters. Raises: as `queues`."""
        stream = self._connection.names.dead_stream
        return int((await self._call(f"STREAM.INFO.{stream}"))["state"]["messages"])

    async def begin(self) -> StreamBegin:
        """Say from where on the stream of events still has any. Raises: as `queues`."""
        stream = self._connection.names.triggers_stream
        info = await self._call(f"STREAM.INFO.{stream}")
        state = info["state"]
        oldest = datetime.fromisoformat(state["first_ts"]) if state["messages"] else None
        created = datetime.fromisoformat(info["created"])
        return StreamBegin(stream, int(state["first_seq"]), created, oldest)

    async def told(self) -> Told:
        """Ask who leads the stream of events, and what time it is there.

        Raises: as `queues`; Unavailable where another leader is elected: anybody may answer then.
        """
        stream = self._connection.names.triggers_stream
        info = await self._call(f"STREAM.INFO.{stream}")
        leader = info.get("cluster", {"leader": ""}).get("leader")
        if leader is None:
            raise BusUnavailable(f"the stream {stream} has no leader just now")
        return Told(leader, datetime.fromisoformat(info["ts"]))

    async def _queue(self, group: Group) -> QueueStatus:
        info = await self._call(f"CONSUMER.INFO.{group.stream}.{group.consumer}")
        waits = info["num_pending"] + info["num_ack_pending"]
        return QueueStatus(
            kind=group.kind,
            name=group.name,
            stream=group.stream,
            consumer=group.consumer,
            pending=info["num_pending"],
            ack_pending=info["num_ack_pending"],
            redelivered=info["num_redelivered"],
            oldest_seconds=await self._oldest(group, info) if waits else None,
        )

    async def _oldest(self, group: Group, info: dict[str, Any]) -> float | None:
        """Give the age of the first message that is not acknowledged; none if it just was."""
        after = info["ack_floor"]["stream_seq"] + 1
        try:
            answer = await api.call(
                self._connection,
                f"STREAM.MSG.GET.{group.stream}",
                {"seq": after, "next_by_subj": group.subject},
            )
        except ApiError as error:
            if error.err_code == _NO_MESSAGE:
                return None
            raise error.as_refusal() from None
        stored_at = datetime.fromisoformat(answer["message"]["time"])
        now = datetime.fromisoformat(info["ts"])  # both of the server: no clock of ours is asked
        return max(0.0, (now - stored_at).total_seconds())

    async def _call(self, what: str) -> dict[str, Any]:
        try:
            return await api.call(self._connection, what)
        except ApiError as error:
            raise error.as_refusal() from None


def groups(connection: Connection) -> list[Group]:
    """Name the consumer groups of the settings: one for all events, one for each lane, alarms."""
    names, lanes = connection.names, connection.settings.lanes
    triggers = names.triggers_stream
    delays, waits = (
        names.bucket_stream(names.delays_bucket),
        names.bucket_stream(names.waits_bucket),
    )
    return [
        Group("events", "events", triggers, names.consumer(), names.trigger(">")),
        *(
            Group("lane", lane, triggers, names.consumer(lane), names.trigger(">", lane))
            for lane in lanes
        ),
        Group("alarms", "delays", delays, ENGINE, names.wake("delay", ">")),
        Group("alarms", "waits", waits, ENGINE, names.wake("wait", ">")),
    ]


async def lag(connection: Connection) -> Mapping[str, int]:
    """Count the events that no replica has taken yet, by consumer group: cheap, for figures.

    Raises:
        Unavailable: JetStream gave no answer.
        ServerUnfit: It refuses to tell; a group may be gone.
    """
    found = {}
    for group in groups(connection):
        if group.kind != "alarms":
            try:
                state = await api.call(connection, f"CONSUMER.INFO.{group.stream}.{group.consumer}")
            except ApiError as error:
                raise error.as_refusal() from None
            found[group.consumer] = int(state["num_pending"])
    return found
