"""Adding a listener, as CONTRIBUTING.md says: followed in a copy of the tree, and in an engine."""

import re
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from engine.engine_fixture import engine_fixture, settings_of
from followed import blocks, copy_tree, insert, python, recipe
from lockstep.embedded import Servers
from lockstep.engine.parts import Seams
from lockstep.model.runs import Checkpoint, Ended
from lockstep.ports.listeners import Listener
from lockstep.telemetry import Measures
from lockstep_schemas.run_events import ACTIVE

RECIPE = recipe("Adding a listener")
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


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the tree, with the class of the recipe."""
    copy_tree(tmp_path)
    ((name, text),) = blocks(RECIPE, "file").items()
    (tmp_path / name).write_text(text)
    return tmp_path


def follow(copy: Path) -> None:
    """Add the rows of the recipe, and the import."""
    rows = blocks(RECIPE, "row")
    assert rows.keys() == BEFORE.keys()
    for name, text in rows.items():
        insert(copy / name, text, BEFORE[name])
    (statement,) = re.findall(r"`(from lockstep\S+ import \w+)`", RECIPE)
    insert(copy / "service/lockstep/engine/assembly.py", f"{statement}\n", "from lockstep_schemas.")


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
    assert uses.endswith(": EndLog"), "nothing uses the class"
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
