"""`lockstep test`: run the cases of files, each alone, through a whole engine."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from lockstep.cli.options import AsJson, Paths
from lockstep.cli.terminal import output
from lockstep.model.errors import EngineError

if TYPE_CHECKING:
    from lockstep.cases.coverage import Covered
    from lockstep.cases.load import Found
    from lockstep.cases.runner import Result

EXAMPLES: Final = (
    "test door-cases.yaml",
    "test cases/ --only door-opens -n 2",
    "test cases/ --junit report.xml",
    "test cases/ --coverage",
)


class NoCases(EngineError):
    """There is no case in the files, or none of the ids that were asked for."""

    code = "cases.none"
    category = "not_found"
    advice = "Name a file with cases; `--only` takes the id of one."


def command(
    paths: Paths,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only the case of this id; repeatable.")
    ] = None,
    workers: Annotated[int, typer.Option("-n", min=1, max=16, help="Cases at a time.")] = 1,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit report here.")] = None,
    coverage: Annotated[
        bool,
        typer.Option("--coverage", help="Say which actions and branches no case has reached."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run test cases of automations; needs no server."""
    from lockstep.cli.silence import silence

    silence()  # first, see there
    from lockstep.cases import reports
    from lockstep.cases.coverage import report

    wanted = _wanted(paths, only or [])
    results = asyncio.run(_run(wanted, workers))
    played = [
        (found.origins.values(), result.reached)
        for found, result in zip(wanted, results, strict=True)
        if not result.skipped
    ]
    covered = report(played) if coverage else None
    if junit is not None:
        junit.write_text(reports.junit(results))
    if as_json:
        output.show_json(msgspec.to_builtins(reports.summary(results, covered)))
    else:
        _show(results)
        _show_coverage(covered or ())
    if not all(one.passed or one.skipped for one in results):
        raise typer.Exit(1)


def _wanted(paths: Sequence[Path], only: Sequence[str]) -> "list[Found]":
    """Read the cases of files, and choose.

    Raises:
        CasesRefused: A file is wrong.
        NoCases: There is nothing to run.
    """
    from lockstep.cases.load import load

    found = load(list(paths))
    unknown = sorted(set(only) - {one.case.id for one in found})
    if unknown:
        raise NoCases(f"there is no case {', '.join(unknown)} in these files")
    wanted = [one for one in found if not only or one.case.id in only]
    if not wanted:
        raise NoCases("there are no cases in these files")
    return wanted


async def _run(wanted: "Sequence[Found]", workers: int) -> "list[Result]":
    from lockstep.cli.terminal.progress import progress
    from lockstep.testbed.sharing import run_all

    with progress("cases", len(wanted)) as advance:
        return await run_all(wanted, workers, advance)


def _show_coverage(covered: "Sequence[Covered]") -> None:
    for one in covered:
        document = one.origin.document
        for fault in one.faults:
            output.show_line(str(fault))
        name = f"{document.name} ({document.file})"
        output.show_line(f"{name}: {one.reached} of {one.ways} actions and branches reached")


def _draw(result: "Result") -> None:
    from lockstep.cli.terminal.tree import run_text, tree

    for detail in result.runs:
        output.show(tree(detail.steps, run_text(detail.run)))


def _show(results: "Sequence[Result]") -> None:
    from lockstep.cases.reports import summary

    for result in results:
        if result.skipped:
            output.show_line(f"skipped  {result.group} {result.id}: {result.reason}")
        elif not result.passed:
            what = f": {result.what}" if result.what else ""
            output.show_line(f"FAILED   {result.group} {result.id}{what}")
            for difference in result.differences:
                output.show_line(f"           {difference}")
            _draw(result)
    counts = summary(results)
    output.show_line(f"{counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped")
