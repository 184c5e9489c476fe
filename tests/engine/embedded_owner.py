"""A process that runs the embedded servers: `python -m embedded_owner FOLDER`.

It writes something to each, says so in one line of JSON, and goes on until its input ends.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

import asyncpg
import nats

from lockstep import embedded
from lockstep.embedded import Servers


async def write(servers: Servers) -> None:
    """Leave a row and a message behind."""
    connection = await asyncpg.connect(servers.postgres_dsn)
    await connection.execute("create table kept (id int); insert into kept values (1)")
    await connection.close()
    client = await nats.connect(servers.nats_url)
    await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
    await client.jetstream().publish("kept", b"1")
    await client.close()


async def read(servers: Servers) -> tuple[int, int]:
    """Return how many rows and messages there are of those that were written."""
    connection = await asyncpg.connect(servers.postgres_dsn)
    rows = await connection.fetchval("select count(*) from kept")
    await connection.close()
    client = await nats.connect(servers.nats_url)
    messages = (await client.jetstream().stream_info("KEPT")).state.messages
    await client.close()
    return rows, messages


async def main() -> None:
    """Be that process."""
    async with embedded.start(Path(sys.argv[1]), ephemeral=True) as servers:
        await write(servers)
        said = {
            "url": servers.nats_url,
            "dsn": servers.postgres_dsn,
            "guards": [servers.nats.guard.pid, servers.postgres.guard.pid],
            "servers": [servers.nats.pid, servers.postgres.pid],
        }
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
        await ended.wait()


if __name__ == "__main__":
    # A shell that began the tests in its background has had them ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(main())
