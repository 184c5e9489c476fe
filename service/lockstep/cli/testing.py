"""`lockstep test`: run the cases of files, each alone, through a whole engine."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import structlog

from lockstep.cases.format import Found, load
from lockstep.cases.reports import junit, summary
from lockstep.cases.runner import Result, kills, run
from lockstep.catalog import build_catalog, load_plugins
from lockstep.cli import output
from lockstep.cli.progress import progress
from lockstep.cli.tree import run_text, tree
from lockstep.cli.world import CaseWorld
from lockstep.cli.worlds import servers, world
from lockstep.embedded import Servers
from lockstep.model.errors import EngineError
from lockstep.render import Renderer


class NoCases(EngineError):
    """Nothing to run."""

    code = "cases.none"


def test(
    paths: Sequence[Path],
    *,
    only: Sequence[str],
    workers: int,
    junit_file: Path | None,
    as_json: bool,
) -> bool:
    """Run cases; say whether none failed.

    Raises:
        CasesRefused: A file is wrong.
        NoCases: There is nothing to run.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    found = load(list(paths))
    unknown = sorted(set(only) - {one.case.id for one in found})
    if unknown:
        raise NoCases(f"there is no case {', '.join(unknown)} in these files")
    wanted = [one for one in found if not only or one.case.id in only]
    if not wanted:
        raise NoCases("there are no cases in these files")
    results = asyncio.run(_run(wanted, workers))
    if junit_file is not None:
        junit_file.write_text(junit(results))
    if as_json:
        output.show_json(msgspec.to_builtins(summary(results)))
    else:
        _show(results)
    return all(one.passed or one.skipped for one in results)


async def _run(wanted: Sequence[Found], workers: int) -> list[Result]:
    """Share the cases among worlds on the same servers; give the results in their order."""
    catalog = build_catalog(False, with_stubs=True)
    load_plugins(catalog)
    renderer = Renderer(catalog.filters)
    waiting = list(enumerate(wanted))[::-1]
    results: dict[int, Result] = {}

    async def work(number: int, opened: Servers) -> None:
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

    async with servers() as opened:
        with progress("cases", len(wanted)) as advance:
            async with asyncio.TaskGroup() as group:
                for number in range(min(workers, len(wanted))):
                    group.create_task(work(number, opened))
    return [results[index] for index in sorted(results)]


def _show(results: Sequence[Result]) -> None:
    for one in results:
        if one.skipped:
            output.show_line(f"skipped  {one.group} {one.id}: {one.reason}")
        elif not one.passed:
            output.show_line(f"FAILED   {one.group} {one.id}: {one.what}")
            for difference in one.differences:
                output.show_line(f"           {difference}")
            for detail in one.runs:
                output.show(tree(detail.steps, run_text(detail.run)))
    told = summary(results)
    output.show_line(f"{told.passed} passed, {told.failed} failed, {told.skipped} skipped")
