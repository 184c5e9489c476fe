"""One engine for all tests of the language: each test has an automation and an event of its own."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio

from databases import TEMPLATE, database, on_server
from engine.room import Room, room, settings_of
from lockstep.embedded import Servers


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(servers: Servers) -> AsyncIterator[Room]:
    """An engine that lives as long as the session."""
    name = f"shared_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name} template {TEMPLATE}")
    settings = settings_of(
        servers.nats_url, database(servers.postgres_dsn, name), f"p{uuid4().hex[:12]}"
    )
    async with room(settings) as opened:
        yield opened
