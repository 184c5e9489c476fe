"""What stands beside the recipes, run as it stands there: publishers, and services for all."""

import asyncio
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from engine.engine_fixture import EngineFixture
from patience import patience, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

RECIPES = Path(__file__).parents[2] / "docs/recipes"
PUBLISH = RECIPES / "publish"
GO_CLIENT = "github.com/nats-io/nats.go"
ACTION = re.compile(r"\baction: ([a-z.]+)")
Json = dict[str, Any]


async def told(*command: object, cwd: Path | None = None) -> tuple[int, str]:
    """Run a program; give its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with patience():
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def recipe(alone: EngineFixture) -> str:
    """The id of the automation of the recipe, which takes what all of them publish."""
    document: Json = yaml.safe_load((RECIPES / "publish.yaml").read_text())
    stored = await alone.call("automations.create", **document)
    return str(stored["id"])


async def runs_of(engine: EngineFixture, automation: str, key: str) -> list[Json]:
    """The runs of a context key."""
    page = await engine.call("runs.list", automation_id=automation, context_key=key)
    found: list[Json] = page["items"]
    return found


async def check(engine: EngineFixture, recipe: str, order: str, who: str, *command: object) -> None:
    """Publish an order twice, and one after it: each has one run, and the publisher knows."""
    url = engine.settings.nats.servers[0]
    code, first = await told(*command, url, order)
    assert code == 0, first
    assert (first.split()[0], first.split()[2:]) == ("LOCKSTEP_TRIGGERS", ["new"])
    code, second = await told(*command, url, order)
    assert (code, second.split()[1:]) == (0, [first.split()[1], "known", "already"])
    code, other = await told(*command, url, f"{order}-b")
    assert code == 0, other

    async def handled() -> bool:
        return bool(await runs_of(engine, recipe, f"{order}-b"))

    await until(handled)
    (run,) = await runs_of(engine, recipe, order)
    assert run["actor"]["name"] == who
    assert run["trigger_payload"] == {"order": order, "customer": "Ann", "first": True}


async def test_in_python(alone: EngineFixture, recipe: str) -> None:
    await check(alone, recipe, "P-1", "Python", sys.executable, PUBLISH / "publish.py")


async def test_in_javascript(alone: EngineFixture, recipe: str, node: Path) -> None:
    shutil.copy(PUBLISH / "publish.mjs", node)
    await check(alone, recipe, "J-1", "JavaScript", "node", node / "publish.mjs")


async def test_in_go(alone: EngineFixture, recipe: str, tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    shutil.copy(PUBLISH / "publish.go", tmp_path)
    await told(go, "mod", "init", "shop", cwd=tmp_path)
    code, said = await told(go, "get", GO_CLIENT, cwd=tmp_path)
    if code:
        pytest.skip(f"the client of NATS cannot be had, probably offline: {said[-200:]}")
    program = tmp_path / "publisher"
    code, said = await told(go, "build", "-o", program, "publish.go", cwd=tmp_path)
    assert code == 0, said
    await check(alone, recipe, "G-1", "Go", program)


async def test_a_service_stands_in_for_all_actions_of_the_recipes(alone: EngineFixture) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, RECIPES / "actions.py", alone.settings.nats.servers[0],
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with patience():
            assert await process.stdout.readline() == b"ready\n"
        used = set()
        for path in sorted(RECIPES.glob("*.yaml")):
            for document in yaml.safe_load_all(path.read_text()):
                wanted = {**document, "id": f"{document['id']}-served"}
                await alone.call("automations.create", **wanted)
                used |= set(ACTION.findall(path.read_text()))
        types = (await alone.call("catalog.actions"))["items"]
        there = {one["qualified_id"] for one in types if one["owner_plugin_id"] == "recipes"}
        assert there
        assert there <= used, "an action that no recipe has"
        await alone.publish("alert.raised", {"text": "disk 7 is full"}, key="disk-7")
        async with patience():
            said = await process.stdout.readline()
        assert said == b'pager.page {"who": "on-call", "text": "disk 7 is full"}\n'
    finally:
        process.kill()
        await process.wait()
