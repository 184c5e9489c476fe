"""No test measures the machine: it reads no clock, and every wait has the one limit.

A test of a limit gives it as an argument of what it tests; it does not wait for it by itself.
"""

import ast
from collections.abc import Iterator

from sources import ROOT, Source, suite

HOME = "patience.py"

CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
          "process_time_ns", "thread_time", "thread_time_ns", "time", "time_ns"}  # fmt: skip
LIMITS = {"timeout", "timeout_at", "wait_for"}  # of asyncio
SETTINGS = {"deadline"}  # of hypothesis: in the profile of `conftest.py`

# Who reads a clock all the same, and why that does not measure the machine.
READS = {
    "bus/test_puller.py": "a message does not come before its delay: a least time",
    "bus/test_workers.py": "a key does not expire before its time: a least time",
    "crash/invariants.py": "looks for as long as a sweep takes; what it sees does not hang on it",
    "deploy/identities.py": "a token says when it was issued",
    "engine/test_doctor.py": "what time it is, to be compared with itself",
    "unit/pipeline/test_pipeline_pace.py": "the time of its loop jumps: it is what was slept",
    "unit/render/test_render_charges.py": "processor time for each step that is charged: what pays "
    "nothing is a thousand times past the bound, what a machine is slower by is not",
    "unit/render/test_render_limits.py": "uses up processor time that a limit is on",
}

# Who waits with a limit of its own, and why that does not measure the machine.
JUMPS = {"unit/moved.py": "the time of its loop jumps: a limit takes none"}


def name_of(source: Source) -> str:
    """Name a module of the tests as the table does."""
    return str(source.path.relative_to(ROOT / "tests"))


def calls(source: Source) -> Iterator[tuple[ast.Call, str, str]]:
    """Give the calls of a module, each with its owner (`time` in `time.time()`) and its name."""
    for node in source.all(ast.Call):
        match node.func:
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                yield node, owner, name
            case ast.Attribute(attr=name) | ast.Name(id=name):
                yield node, "", name


def is_clock(node: ast.Call, owner: str, name: str) -> bool:
    """Say whether a call reads a clock that can be subtracted, as `loop.time()` is one."""
    return name in CLOCKS and not node.args and (name != "time" or owner in {"time", "loop"})


def faults(source: Source) -> Iterator[tuple[int, str]]:
    """Find what would make a test hang on the machine, with lines."""
    for node, owner, name in calls(source):
        if is_clock(node, owner, name) and name_of(source) not in READS:
            yield node.lineno, "reads a clock: count what is done, or move the clock of the engine"
        if (
            owner == "asyncio"
            and name in LIMITS
            and not (has_limit(node) or name_of(source) in JUMPS)
        ):
            yield node.lineno, "waits with a limit of its own: see tests/patience.py"
        for keyword in node.keywords:
            if keyword.arg in SETTINGS:
                yield node.lineno, "the profile of hypothesis is in tests/conftest.py"
            if keyword.arg == "timeout" and isinstance(keyword.value, ast.Constant):
                yield node.lineno, "has a limit of its own: see tests/patience.py"


def has_limit(node: ast.Call) -> bool:
    """Say whether a wait is given the one limit."""
    return any(isinstance(one, ast.Name) and one.id == "LIMIT_SECONDS" for one in ast.walk(node))


def test_a_test_reads_no_clock_and_waits_with_the_one_limit() -> None:
    judged = [one for one in suite() if name_of(one) != HOME and one.path.name != "conftest.py"]
    strays = [f"{name_of(one)}:{line}: {what}" for one in judged for line, what in faults(one)]
    assert strays == []


def test_each_exception_is_needed() -> None:
    reads = {name_of(source) for source in suite() for one in calls(source) if is_clock(*one)}
    assert reads - {HOME} == READS.keys()
