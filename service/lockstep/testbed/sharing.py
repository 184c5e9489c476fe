"""Cases shared among worlds on the same servers."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from lockstep.cases.load import Found
from lockstep.cases.runner import Result, kills, run
from lockstep.catalog import build_catalog, load_plugins
from lockstep.embedded import Server
from lockstep.render import Renderer
from lockstep.testbed.world import CaseWorld
from lockstep.testbed.worlds import database_server, world


async def run_all(
    wanted: Sequence[Found], workers: int, advance: Callable[[int], None]
) -> list[Result]:
    """Run cases, so many at a time, each kind in a world of its kind; results in their order.

    `advance` is told how many more are done.
    """
    catalog = build_catalog(False, with_stubs=True)
    load_plugins(catalog)
    renderer = Renderer(catalog.filters)
    waiting = list(enumerate(wanted))[::-1]
    results: dict[int, Result] = {}

    async def work(number: int, opened: Server) -> None:
        async with AsyncExitStack() as stack:
            worlds: dict[bool, CaseWorld] = {}
            while waiting:
                index, one = waiting.pop()
                kind = kills(one.case)
                if kind not in worlds:
                    name = f"{'kills' if kind else 'cases'}{number}"
                    worlds[kind] = await stack.enter_async_context(world(opened, name, kills=kind))
                results[index] = await run(one, worlds[kind], catalog, renderer)
                advance(1)

    async with database_server() as opened, asyncio.TaskGroup() as group:
        for number in range(min(workers, len(wanted))):
            group.create_task(work(number, opened))
    return [results[index] for index in sorted(results)]
