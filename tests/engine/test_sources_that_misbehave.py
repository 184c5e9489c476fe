"""Set-ups that raise what no error is, block or hang: they are told, and the others go on."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from engine.engine_fixture import EngineFixture, Stored, engine_fixture, settings_of
from engine.test_language import record
from lockstep.catalog import Registry
from lockstep.embedded import Servers
from patience import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

RAISED: dict[str, type[BaseException]] = {
    "exit": SystemExit,
    "interrupt": KeyboardInterrupt,
    "closed": GeneratorExit,
    "cancelled": asyncio.CancelledError,
    "iteration": StopIteration,
    "bad_text": type("Unsayable", (Exception,), {"__str__": lambda self: 1}),
}


@dataclass
class Odd:
    """A plug-in whose set-ups and their ends do what they like."""

    calls: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def register(self, registry: Registry) -> None:
        """Bring a trigger for each way."""
        for name, kind in RAISED.items():
            registry.trigger(f"plain_{name}", setup=self.plain(name, kind))
            registry.trigger(f"async_{name}", setup=self.coroutine(name, kind))
            registry.trigger(f"end_{name}", setup=self.ending(name, kind))
        registry.trigger("good", setup=self.good)
        registry.trigger("good_plain", setup=self.good_plain)
        registry.trigger("blocks", setup=self.blocks)
        registry.trigger("endless", setup=self.endless)

    def plain(self, name: str, kind: type[BaseException]) -> Callable[..., object]:
        """Give a plain set-up that raises."""

        def set_up(*_: object) -> None:
            self.calls.append(f"plain_{name}")
            raise kind

        return set_up

    def coroutine(self, name: str, kind: type[BaseException]) -> Callable[..., object]:
        """Give a set-up that raises in the loop."""

        async def set_up(*_: object) -> None:
            self.calls.append(f"async_{name}")
            raise kind

        return set_up

    def ending(self, name: str, kind: type[BaseException]) -> Callable[..., object]:
        """Give a set-up whose end raises."""

        async def set_up(*_: object) -> object:
            self.calls.append(f"end_{name}")

            async def down() -> None:
                self.ends.append(f"end_{name}")
                raise kind

            return down

        return set_up

    async def good(self, *_: object) -> None:
        """Be set up."""
        self.calls.append("good")

    def good_plain(self, *_: object) -> None:
        """Be set up in a thread."""
        self.calls.append("good_plain")

    def blocks(self, *_: object) -> object:
        """Block a thread until it is released; what it made is ended then."""
        self.calls.append("blocks")
        self.released.wait()
        return lambda: self.ends.append("blocks")

    async def endless(self, *_: object) -> object:
        """Give an end that takes no cancellation."""
        self.calls.append("endless")

        async def down() -> None:
            self.ends.append("endless")
            while not self.released.is_set():
                try:
                    await asyncio.sleep(0.05)
                except asyncio.CancelledError:
                    continue

        return down


@pytest.fixture
def odd() -> Iterator[Odd]:
    """A plug-in whose calls end with the test, at the latest."""
    made = Odd()
    yield made
    made.released.set()


@pytest_asyncio.fixture(loop_scope="session")
async def replica(servers: Servers, dsn: str, odd: Odd) -> AsyncIterator[EngineFixture]:
    """A replica that knows the plug-in."""
    settings = settings_of(servers.nats_url, dsn, f"s{uuid4().hex[:10]}")
    async with engine_fixture(settings, plugins={"odd": odd.register}) as only:
        yield only
        odd.released.set()


async def triggered(replica: EngineFixture, kind: str) -> Stored:
    """Store an automation with such a trigger."""
    return await replica.automation([record("x")], triggers=[{"event": f"odd.{kind}"}])


async def still_works(replica: EngineFixture, odd: Odd) -> None:
    """See that others are set up, in the loop and in a thread, and that runs go on."""
    before = odd.calls.count("good"), odd.calls.count("good_plain")
    for kind in ("good", "good_plain"):
        await triggered(replica, kind)
    await until(lambda: odd.calls.count("good") > before[0], "a set-up in the loop")
    await until(lambda: odd.calls.count("good_plain") > before[1], "a set-up in a thread")
    assert (await (await replica.automation([record("y")])).run()).recorded == ["y"]


def told(logs: list[Any], event: str) -> set[Any]:
    """The automations that such a line was written about."""
    return {line.get("automation_id") for line in logs if line["event"] == event}


@pytest.mark.parametrize("name", RAISED)
@pytest.mark.parametrize("way", ["plain", "async"])
async def test_a_set_up_is_tried_again_and_told_whatever_it_raises(
    replica: EngineFixture, odd: Odd, way: str, name: str
) -> None:
    kind = f"{way}_{name}"
    with capture_logs() as logs:
        stored = await triggered(replica, kind)
        await until(lambda: odd.calls.count(kind) >= 2, "it is tried again")
    assert stored.id in told(logs, "source.failed")
    await still_works(replica, odd)


@pytest.mark.parametrize("name", RAISED)
async def test_an_end_of_a_set_up_may_raise_whatever_it_likes(
    replica: EngineFixture, odd: Odd, name: str
) -> None:
    with capture_logs() as logs:
        stored = await triggered(replica, f"end_{name}")
        await until(lambda: f"end_{name}" in odd.calls)
        await replica.call("automations.toggle", id=stored.id, enabled=False)
        await until(lambda: stored.id in told(logs, "source.failed"), "its end is told")
    assert odd.ends == [f"end_{name}"]
    await still_works(replica, odd)


async def test_a_set_up_that_blocks_is_not_begun_again_and_keeps_nothing_else_from_a_thread(
    replica: EngineFixture, odd: Odd
) -> None:
    with capture_logs() as logs:
        stored = {(await triggered(replica, "blocks")).id for _ in range(7)}
        await until(lambda: stored <= told(logs, "source.hangs"), "each is told")
        waits = ("source.hangs", 2.0)  # twice it might have been begun again
        await until(lambda: waits in {(one["event"], one.get("next_seconds")) for one in logs})
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        await still_works(replica, odd)
        assert odd.calls.count("blocks") == 7
        odd.released.set()
        await until(lambda: odd.calls.count("blocks") == 14, "they are begun again")
    assert odd.ends.count("blocks") == 7  # what came too late was ended


async def test_an_end_that_takes_no_cancellation_is_given_up_and_told(
    replica: EngineFixture, odd: Odd
) -> None:
    with capture_logs() as logs:
        stored = await triggered(replica, "endless")
        await until(lambda: "endless" in odd.calls)
        await replica.call("automations.toggle", id=stored.id, enabled=False)
        await until(lambda: stored.id in told(logs, "source.hangs"), "it is told")
        await still_works(replica, odd)
        await replica.call("automations.toggle", id=stored.id, enabled=True)
        await until(lambda: odd.calls.count("endless") == 2, "it is set up again")
