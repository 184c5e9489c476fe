"""A service that provides remote actions: it answers as a test tells it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.engine_fixture import EngineFixture
from lockstep import bus
from patience import patience

Json = dict[str, Any]
SILENT = b""
Answer = Callable[[Json], bytes | Json | None]


@dataclass
class Provider:
    """What it was asked, in order."""

    asked: list[Json] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)  # the subjects where answers are awaited
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def calls(self, number: int) -> list[Json]:
        """Wait until it was asked so often."""
        async with patience():
            while len(self.asked) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.asked


@asynccontextmanager
async def provider(
    engine_fixture: EngineFixture, action: str, answer: Answer
) -> AsyncIterator[Provider]:
    """Answer an action with what `answer` makes of the request; None says nothing."""
    connection = await bus.connect(engine_fixture.settings.nats)
    made = Provider()

    def read(_subject: bytes, reply: bytes, head: bytes, body: bytes) -> None:
        request: Json = json.loads(body)
        made.asked.append(request)
        made.heads.append(head)
        made.replies.append(reply.decode())
        made._changed.set()
        given = answer(request)
        if given is not None:
            text = given if isinstance(given, bytes) else json.dumps(given).encode()
            connection.post(reply.decode(), text)

    try:
        await connection.listen(connection.names.action(action), read, "providers")
        await connection.settled()
        yield made
    finally:
        await connection.close()


async def done(engine_fixture: EngineFixture, key: str, **result: object) -> None:
    """Publish the result of work that was accepted."""
    subject = engine_fixture.connection.names.trigger("lockstep.action.done")
    body = json.dumps({"idempotency_key": key, **result}).encode()
    await bus.Publisher(engine_fixture.connection).publish(subject, body, {})
