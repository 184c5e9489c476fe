"""Results for programs: JSON, and XML as JUnit has it."""

from collections import defaultdict
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec
from msgspec import UNSET, UnsetType

from lockstep.cases.coverage import Covered
from lockstep.cases.runner import Result
from lockstep.model.texts import path_text
from lockstep_schemas.api import Issue


class CaseSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """One case."""

    id: str
    group: str
    passed: bool
    skipped: bool = False
    reason: str | None = None


class NotReached(msgspec.Struct, frozen=True):
    """A way that no case took: where, as `validate` writes it, and what it is."""

    path: list[str | int]
    at: str
    message: str
    line: int | None
    column: int | None


class CoverageSummary(msgspec.Struct, frozen=True):
    """An automation: how many of its ways were taken, and each that was not."""

    automation: str
    file: str
    ways: int
    reached: int
    missing: list[NotReached]


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of them."""

    cases: list[CaseSummary]
    passed: int
    failed: int
    skipped: int
    coverage: list[CoverageSummary] | UnsetType = UNSET


def summary(results: Sequence[Result], covered: Sequence[Covered] | None = None) -> Summary:
    """Count, and leave out what only people read; with what was reached, where that was asked."""
    cases = [CaseSummary(r.id, r.group, r.passed, r.skipped, r.reason) for r in results]
    return Summary(
        cases,
        passed=sum(r.passed for r in results),
        failed=sum(not r.passed and not r.skipped for r in results),
        skipped=sum(r.skipped for r in results),
        coverage=UNSET if covered is None else _coverage(covered),
    )


def _coverage(covered: Sequence[Covered]) -> list[CoverageSummary]:
    """Give what was reached of each automation."""
    return [
        CoverageSummary(
            automation=one.origin.document.name,
            file=one.origin.document.file,
            ways=one.ways,
            reached=one.reached,
            missing=[_missing(fault.issue) for fault in one.faults],
        )
        for one in covered
    ]


def _missing(issue: Issue) -> NotReached:
    return NotReached(issue.path, path_text(issue.path), issue.message, issue.line, issue.column)


def junit(results: Sequence[Result]) -> str:
    """Write a JUnit report: a suite for each group."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[result.group].append(result)
    root = ET.Element("testsuites")
    for group, some in groups.items():
        counts = summary(some)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=group,
            tests=str(len(some)),
            failures=str(counts.failed),
            skipped=str(counts.skipped),
            time=f"{sum(r.seconds for r in some):.3f}",
        )
        for result in some:
            name = f"{result.id} {result.what}".strip()
            case = ET.SubElement(
                suite, "testcase", classname=group, name=name, time=f"{result.seconds:.3f}"
            )
            if result.skipped:
                ET.SubElement(case, "skipped", message=result.reason or "")
            elif not result.passed:
                failure = ET.SubElement(case, "failure", message=result.differences[0])
                failure.text = "\n".join(result.differences)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
