"""When NATS is given up for good: after what the client has tried, not after any time."""

import asyncio

from lockstep.bus import liveness
from lockstep.bus.settings import BusSettings
from lockstep.model.errors import BusUnavailable
from unit.moved import Background, moved

GIVE_UP_SECONDS = 60.0


class Wire:
    """A client that asks in vain: it is connected, and nothing comes."""

    def __init__(self) -> None:
        self.stats = {"reconnects": 0, "in_msgs": 0}
        self.forced = 0

    async def force_reconnect(self) -> None:
        """Count it."""
        self.forced += 1

    def kick(self) -> None:
        """Count it."""
        self.forced += 1


class Silent:
    """A connection whose probes are not answered; the first one takes a while."""

    connected = True
    server = "nats://silent"

    def __init__(self, first_seconds: float) -> None:
        self.settings = BusSettings(give_up_seconds=GIVE_UP_SECONDS)
        self.wire, self.closed, self.alive = Wire(), asyncio.Event(), True
        self.first_seconds, self.asked = first_seconds, 0
        self.reason = ""

    async def ask(self, subject: str, head: bytes, body: bytes, seconds: float) -> None:
        """Answer nothing."""
        self.asked += 1
        await asyncio.sleep(self.first_seconds if self.asked == 1 else seconds)
        raise BusUnavailable("no answer")

    def give_up(self, reason: str) -> None:
        """Note why."""
        self.reason = reason
        self.closed.set()


async def asked_until_given_up(first_seconds: float) -> int:
    """Give how often a connection is asked until it is given up."""
    silent = Silent(first_seconds)
    async with Background(liveness.watch(silent, every=2.0, answer=4.0)):
        await silent.closed.wait()
    assert "has no answer" in silent.reason
    return silent.asked


@moved
async def test_a_client_that_is_never_answered_is_given_up_in_its_time() -> None:
    assert await asked_until_given_up(4.0) == GIVE_UP_SECONDS / 6 + 1


@moved
async def test_a_process_that_stood_still_asks_as_often_as_any_before_it_gives_up() -> None:
    asked = await asked_until_given_up(20 * GIVE_UP_SECONDS)
    assert asked >= GIVE_UP_SECONDS / 10
