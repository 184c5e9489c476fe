"""Adding a listener, as CONTRIBUTING.md says: followed in a copy of the tree, and in an engine."""

import asyncio
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from engine.engine_fixture import engine_fixture, settings_of
from lockstep.embedded import Servers
from lockstep.engine.parts import Seams
from lockstep.model.runs import Checkpoint, Ended
from lockstep.ports.listeners import Listener
from lockstep.telemetry import Measures
from lockstep_schemas.run_events import ACTIVE

ROOT = Path(__file__).parents[2]
RECIPE = re.findall(
    r"## Adding a listener\n(.*?)\n## ", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL
)[0]
BLOCK = r"<!-- {}: (\S+) -->\n *```\w+\n(.*?)\n *```"
LIMIT_SECONDS = 120
PATHS = ("service", "schemas", "tests", "tests/tidy")
# Before what the rows of the recipe stand.
BEFORE = {
    "service/lockstep/engine/assembly.py": "        *others,\n",
    "service/lockstep/model/log_names.py": '    "run.failed": "a walk',
}
# What the rules of tests/tidy say of the file of the recipe.
RULES = """
from contracts import CONTRACTS
from declared import dead
from lockstep.model.log_names import LOG_NAMES
from sources import product, samples
from test_log_names import log_calls

strays = [*dead(product(), [product(), samples()], {}), *CONTRACTS.strays(product())]
strays += [
    f"{source.at(call)}: {name.value}"
    for source in product()
    for call, names in log_calls(source)
    for name in names
    if name.value not in LOG_NAMES
]
print(*(stray for stray in strays if "telemetry/ends.py" in stray), sep="\\n")
"""
# One run that ends by itself, and one that is cancelled.
USE = """
import asyncio, sys
from engine.engine_fixture import engine_fixture, settings_of

async def use(nats_url, dsn, prefix):
    async with engine_fixture(settings_of(nats_url, dsn, prefix)) as opened:
        quick = await opened.automation([{"variables": {"x": 1}}])
        print("to succeed", (await quick.run()).detail.run.id)
        slow = await opened.automation([{"delay": {"seconds": 600}}])
        await opened.publish(slow.event, {})
        run_id = (await opened.heard(slow.id, "waiting")).data.run_id
        await opened.call("runs.cancel", id=run_id)
        print("to be cancelled", run_id)

asyncio.run(use(*sys.argv[1:]))
"""


def insert(path: Path, text: str, before: str) -> None:
    """Put a text into a file, before another one that stands there once."""
    content = path.read_text()
    assert content.count(before) == 1, f"{path}: {before}"
    path.write_text(content.replace(before, text + before))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the tree, with the class of the recipe."""
    for name in ("service", "schemas", "tests", "deploy"):
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    (file,) = re.findall(BLOCK.format("file"), RECIPE, re.DOTALL)
    (tmp_path / file[0]).write_text(textwrap.dedent(f"{file[1]}\n"))
    return tmp_path


def follow(copy: Path) -> None:
    """Add the rows of the recipe, and the import."""
    rows = dict(re.findall(BLOCK.format("row"), RECIPE, re.DOTALL))
    assert rows.keys() == BEFORE.keys()
    for name, text in rows.items():
        insert(copy / name, f"{textwrap.dedent(text)}\n", BEFORE[name])
    (statement,) = re.findall(r"`(from lockstep\S+ import \w+)`", RECIPE)
    insert(copy / "service/lockstep/engine/assembly.py", f"{statement}\n", "from lockstep_schemas.")


async def python(copy: Path, *arguments: str) -> tuple[int | None, str]:
    """Run Python in the copy; give its exit code and what it has said."""
    path = os.pathsep.join(str(copy / name) for name in PATHS)
    env = {**os.environ, "PYTHONPATH": path}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=copy, env=env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, output.decode()


async def test_a_listener_that_is_added_as_the_recipe_says_hears_how_runs_end(
    copy: Path, servers: Servers, dsn: str
) -> None:
    follow(copy)
    where = servers.nats_url, dsn, f"p{uuid4().hex[:12]}"
    code, said = await python(copy, "-c", USE, *where)
    assert code == 0, said
    said = re.sub(r"\x1b\[\d*m", "", said)
    for what, status in (("to succeed", "success"), ("to be cancelled", "cancelled")):
        (run_id,) = re.findall(f"{what} (\\S+)", said)
        (line,) = [one for one in said.splitlines() if "run.ended" in one and run_id in one]
        assert f"status={status}" in line


async def test_the_rules_of_the_tree_ask_for_the_rows_of_the_recipe(copy: Path) -> None:
    code, said = await python(copy, "-c", RULES)
    assert code == 0, said
    uses, name = said.splitlines()
    assert uses.endswith(": Ends"), "nothing uses the class"
    assert name.endswith(": run.ended"), "the log line has no name"
    follow(copy)
    assert await python(copy, "-c", RULES) == (0, "\n")


class Raises(Listener):
    """One that fails at all that it hears."""

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        raise ValueError("cannot be heard")

    def ended(self, ended: Sequence[Ended]) -> None:
        raise ValueError("cannot be heard")


class Hears(Listener):
    """One that notes the ends of runs."""

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        self.ends |= {str(one.run.id): one.status for one in done if one.status not in ACTIVE}

    def ended(self, ended: Sequence[Ended]) -> None:
        self.ends |= {str(one.run.id): one.ending.status for one in ended}


async def test_a_listener_that_raises_is_logged_and_counted_and_runs_go_on(
    servers: Servers, dsn: str
) -> None:
    hears, measures = Hears(), Measures()
    seams = Seams(listeners=[Raises(), hears], meter=measures)
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    with capture_logs() as lines:
        async with engine_fixture(settings, seams=seams) as opened:
            quick = await opened.automation([{"variables": {"x": 1}}])
            succeeded = (await quick.run()).detail.run
            slow = await opened.automation([{"delay": {"seconds": 600}}])
            await opened.publish(slow.event, {})
            run_id = (await opened.heard(slow.id, "waiting")).data.run_id
            await opened.call("runs.cancel", id=run_id)
            await opened.heard(slow.id, "cancelled")
    assert succeeded.status == "success"
    assert hears.ends == {succeeded.id: "success", run_id: "cancelled"}
    failures = [one for one in lines if one["event"] == "listener.failed"]
    assert {(one["listener"], one["moment"]) for one in failures} == {
        ("Raises", "checkpointed"),
        ("Raises", "ended"),
    }
    assert measures.listener_failures["Raises"] == len(failures)
    assert measures.listener_failures["Hears"] == 0
