"""A replica of the next version, as it might be: what it saves has a format that ours cannot read.

`python tomorrow.py`, with settings in the environment. It ends by SIGTERM.
"""

import asyncio
from collections.abc import Set
from dataclasses import dataclass

from lockstep import bus
from lockstep.engine.assembly import build
from lockstep.engine.engine import Engine
from lockstep.engine.parts import Seams
from lockstep.engine.process import stop_signal
from lockstep.engine.serve import make_catalog, open_store
from lockstep.engine.services import table
from lockstep.settings.load import load
from lockstep.walk import FrameFormat
from lockstep.walk.frames import RootFrame


@dataclass(frozen=True)
class OfTomorrow(FrameFormat):
    """Writes format 2, with a field that nobody knows today; reads format 1 too."""

    readable: Set[int] = frozenset({1, 2})

    def encode(self, root: RootFrame) -> bytes:
        """See `walk.frames.FrameFormat`."""
        root.format = 2
        return super().encode(root)[:-1] + b',"of_tomorrow":true}'


async def main() -> None:
    """Take events until told to stop."""
    settings = load().settings
    database, connection = await open_store(settings), await bus.connect(settings.nats)
    await bus.prepare(connection)
    catalog, services = make_catalog(settings)
    seams = Seams(frames=OfTomorrow())
    assembly = build(settings, database, connection, catalog, services, seams)
    engine = Engine(assembly, table(assembly))
    try:
        async with stop_signal(engine.stop):
            await engine.run()
    finally:
        await connection.close()
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
