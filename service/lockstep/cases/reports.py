"""Results for programs: JSON, and XML as JUnit has it."""

from collections import defaultdict
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec

from lockstep.cases.runner import Result


class CaseSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """One case."""

    id: str
    group: str
    passed: bool
    skipped: bool = False
    reason: str | None = None


class Summary(msgspec.Struct, frozen=True):
    """All of them."""

    cases: list[CaseSummary]
    passed: int
    failed: int
    skipped: int


def summary(results: Sequence[Result]) -> Summary:
    """Count, and leave out what only people read."""
    cases = [CaseSummary(r.id, r.group, r.passed, r.skipped, r.reason) for r in results]
    return Summary(
        cases,
        passed=sum(r.passed for r in results),
        failed=sum(not r.passed and not r.skipped for r in results),
        skipped=sum(r.skipped for r in results),
    )


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
