"""A new kind turns the type check red in every place that must know it, and nowhere else."""

import ast
import inspect
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from kinds import OF_ACTIONS, OF_CONDITIONS, OF_FRAMES, OF_NODES, OF_WAITS, Place
from lockstep.model import program
from lockstep.walk import frames
from lockstep_schemas import actions, conditions, run_events

ROOT: Final = Path(__file__).parents[2]
ERROR: Final = re.compile(r"(?P<path>[^:]+):(?P<line>\d+): error: (?P<text>.*)")

# By module: what is put in, before what. The names are found again in the errors.
NEW: Final[Mapping[ModuleType, Mapping[str, str]]] = {
    actions: {
        "Action: TypeAlias = Union[  # noqa: UP007\n    ": """
class NewAction(ActionBase, frozen=True, kw_only=True):
    new_action: int

{} NewAction,""",
        "KINDS: Final[dict[str, type[Action]]] = {": '{}"new_action": NewAction,',
    },
    program: {
        "Node: TypeAlias = (\n    ": """
@dataclass(frozen=True, slots=True, kw_only=True)
class NewNode(NodeBase):
    kind: ClassVar[str] = "new_action"

{} NewNode |""",
    },
    conditions: {
        "Condition: TypeAlias = Union[": """
class NewCondition(Struct, frozen=True):
    new_condition: int

{} NewCondition,""",
    },
    frames: {
        "Frame: TypeAlias = ": """
class NewFrame(Visit, tag_field="k", tag="new", kw_only=True, omit_defaults=True):
    pass

{} NewFrame |""",
    },
    run_events: {"WaitKind = Literal[": '{}"new_wait", '},
}
EXPECTED: Final[Mapping[str, Iterable[Place]]] = {
    "NewAction": OF_ACTIONS,
    "NewNode": OF_NODES,
    "NewCondition": OF_CONDITIONS,
    "NewFrame": OF_FRAMES,
    "new_wait": OF_WAITS,
}


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """What the type check says of a copy of the tree with all new kinds: places by kind."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("service", "schemas"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for module, additions in NEW.items():
        path = copy / source(module)
        text = path.read_text()
        for before, addition in additions.items():
            assert text.count(before) == 1, f"{path}: {before}"
            text = text.replace(before, addition.format(before))
        path.write_text(text)
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--cache-dir", str(copy / "cache")]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    found = defaultdict(set)
    for line in done.stdout.splitlines():
        if error := ERROR.fullmatch(line):
            kind = next((kind for kind in EXPECTED if kind in error["text"]), error["text"])
            found[kind].add(place(copy, error["path"], int(error["line"])))
    return found


def source(thing: ModuleType | Place) -> str:
    """Name the source of a module or a function."""
    return str(Path(inspect.getfile(thing)).relative_to(ROOT))


def place(copy: Path, path: str, line: int) -> str:
    """Name the function that a line of a source is in."""
    around = [
        node
        for node in ast.walk(ast.parse((copy / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return f"{path}: {around[-1].name if around else 'the module'}"


def test_the_type_check_says_of_nothing_but_the_new_kinds(
    errors: Mapping[str, set[str]],
) -> None:
    assert errors.keys() == EXPECTED.keys()


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_new_kind_is_an_error_in_each_place_that_must_know_it(
    kind: str, errors: Mapping[str, set[str]]
) -> None:
    expected = {f"{source(one)}: {one.__name__}" for one in EXPECTED[kind]}
    assert errors[kind] == expected
