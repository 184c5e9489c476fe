"""A trigger with a set-up: files that appear in a folder."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta


class Folder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which folder is watched, and how often it is looked into."""

    path: str
    seconds: Annotated[float, Meta(ge=0.05, le=3600)] = 5.0


async def watch(
    config: Folder, identity: Any, fire: Callable[..., Awaitable[None]], logger: Any
) -> Callable[[], Awaitable[None]]:
    """Fire once for each file; called for each (enabled automation, trigger), on one replica."""
    folder = Path(config.path)
    await asyncio.to_thread(folder.iterdir)  # a folder that is not there is told at once

    async def look() -> None:
        seen: set[str] = set()
        while True:
            names = {path.name for path in await asyncio.to_thread(lambda: [*folder.iterdir()])}
            for name in sorted(names - seen):
                # What was fired under a message id before, by whatever replica, changes nothing.
                await fire({"name": name}, message_id=name)
            seen = names
            await asyncio.sleep(config.seconds)

    looking = asyncio.create_task(look())

    async def tear_down() -> None:
        looking.cancel()
        await asyncio.wait([looking])

    return tear_down
