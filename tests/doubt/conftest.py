"""The table that a proof ends with."""

from collections.abc import Sequence

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each point with what has come of it."""
    reports: Sequence[pytest.TestReport] = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
        if "doubt/proof.py::test_point[" in report.nodeid
    ]
    if not reports:
        return
    terminalreporter.section("points")
    for report in sorted(reports, key=lambda one: one.nodeid):
        point = report.nodeid.partition("[")[2].removesuffix("]")
        why = "" if report.passed else f"VIOLATED  {report.longreprtext.splitlines()[-1][:200]}"
        terminalreporter.line(f"{point:60} {report.duration:6.1f} s  {why or 'holds'}")
    violated = sum(not report.passed for report in reports)
    terminalreporter.line(f"{len(reports)} points, {violated} violations")
