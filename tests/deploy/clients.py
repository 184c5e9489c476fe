"""A user of the bus, as nats-py has it; what the server refuses is kept."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import nats
from nats.aio.client import Client

from deploy.machines import Bus

REFUSED = re.compile(
    r'permissions violation for (publish|subscription) to "([^"]+)"', re.IGNORECASE
)


@dataclass
class User:
    """A connection and what was refused on it; nats-py writes that in lower case."""

    client: Client
    refused: list[tuple[str, str]] = field(default_factory=list)

    async def refusals(self, what: str, subjects: Iterable[str]) -> set[str]:
        """Publish or subscribe each of the subjects; give those that the server refuses."""
        known = {subject.lower(): subject for subject in subjects}
        before = len(self.refused)
        for subject in known.values():
            if what == "publish":
                await self.client.publish(subject, b"{}")
            else:
                await self.client.subscribe(subject)
        await self.client.flush()
        await self.client.flush()  # errors are handed over in tasks of their own
        kind = "publish" if what == "publish" else "subscription"
        return {known[name] for found, name in self.refused[before:] if found == kind}


@asynccontextmanager
async def connected(bus: Bus, name: str, *, inbox: str = "") -> AsyncIterator[User]:
    """Connect as a user of `accounts.conf`."""
    user = User(Client())

    async def note(error: Exception) -> None:
        found = REFUSED.search(str(error))
        assert found, error
        user.refused.append((found[1].lower(), found[2]))

    user.client = await nats.connect(
        bus.url, user=name, password=bus.passwords[f"nats_{name}"], error_cb=note,
        inbox_prefix=inbox or f"_INBOX_{name}", allow_reconnect=False,
    )  # fmt: skip
    try:
        yield user
    finally:
        await user.client.close()
