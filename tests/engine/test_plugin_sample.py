"""The sample plug-in: found by its entry point, tested as its guide says, run by an engine."""

import asyncio
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from uuid import uuid4

import pytest

from engine.engine_fixture import rows
from lockstep import __version__
from lockstep.catalog import ActionContext, ActionOptions, ActionResult, TriggerOptions
from lockstep.catalog.registry import MAX_TIMEOUT_SECONDS
from lockstep.embedded import Servers
from lockstep.model.types import ActionType
from patience import patience
from processes import call, environment, lockstep, talking

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "deploy" / "samples" / "plugin"
GUIDE = (SAMPLE / "README.md").read_text()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the plug-in is installed, beside one that cannot be loaded."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "lockstep_tickets").symlink_to(SAMPLE / "src" / "lockstep_tickets")
    project = (SAMPLE / "pyproject.toml").read_text()
    (entry,) = re.findall(r'^(tickets = ".+")$', project, re.MULTILINE)
    points = {
        "lockstep_tickets-1.0.0": entry.replace('"', ""),
        "broken-1.0.0": "broken = nowhere:x",
    }
    for name, point in points.items():
        info = folder / f"{name}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name[:-6]}\nVersion: 1.0.0\n"
        )
        (info / "entry_points.txt").write_text(f"[lockstep.plugins]\n{point}\n")
    return folder


@pytest.fixture
def with_plugin(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of this test find the plug-in."""
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.mark.usefixtures("with_plugin")
async def test_its_own_tests_pass() -> None:
    ours = {"cwd": SAMPLE, "capture_output": True, "text": True, "check": False, "timeout": 100}
    python = [sys.executable, "-m"]
    done = await asyncio.to_thread(
        subprocess.run, [*python, "pytest", "-q", "-p", "no:cacheprovider", "tests"], **ours
    )
    assert done.returncode == 0, done.stdout
    done = await asyncio.to_thread(
        subprocess.run, [*python, "lockstep", "test", "tests/cases.yaml"], **ours
    )
    assert "2 passed, 0 failed" in done.stdout, done.stdout + done.stderr


@pytest.mark.usefixtures("with_plugin")
async def test_an_engine_runs_it_and_goes_on_without_the_one_that_is_broken(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    prefix = f"t{uuid4().hex[:10]}"
    env = environment(
        NATS__SERVERS=servers.nats_url, NATS__PREFIX=prefix, NATS__STORAGE="memory",
        POSTGRES__DSN=dsn,
    )  # fmt: skip
    watched = tmp_path / "in"
    watched.mkdir()
    definition = {
        "name": "files",
        "triggers": [{"event": "tickets.file", "config": {"path": str(watched), "seconds": 0.1}}],
        "actions": [
            {
                "id": "opened",
                "action": "tickets.open",
                "config": {"title": "{{ trigger.payload.name }}", "priority": "low"},
            }
        ],
        "mode": "parallel",
    }
    async with (
        lockstep("serve", env=env, cwd=tmp_path),
        talking(servers.nats_url, prefix) as connection,
    ):
        await call(connection, "automations.create", name="files", definition=definition)
        # As it was stored before the plug-in had its second version.
        await rows(
            dsn,
            "update automation_versions set config_versions = null,"
            """ definition = replace(definition, '"priority":"low"', '"urgent":true')""",
        )
        await rows(dsn, "update catalog_revision set revision = revision + 1")
        (watched / "one.txt").write_text("x")
        (watched / "two.txt").write_text("x")
        ended = "select data from artifacts order by position"
        async with patience():
            while len(found := await rows(dsn, ended)) < 2:
                await asyncio.sleep(0.1)
    tickets = sorted((json.loads(row[0]) for row in found), key=lambda ticket: ticket["title"])
    found = [(ticket["title"], ticket["priority"]) for ticket in tickets]
    assert found == [("one.txt", "high"), ("two.txt", "high")]


async def test_the_guide_shows_the_sample_as_it_is() -> None:
    files = [path for path in SAMPLE.rglob("*") if path.suffix in {".py", ".toml", ".yaml"}]
    sources = "\n".join(path.read_text() for path in files)
    blocks = re.findall(r"```(?:python|toml|yaml)\n(.*?)```", GUIDE, re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        assert block.rstrip("\n") in sources, block


async def test_the_guide_names_all_that_an_action_is_handed_and_gives() -> None:
    for kind, said in ((ActionContext, "handed an"), (ActionResult, "gives an")):
        (names,) = re.findall(rf"{said} `{kind.__name__}`\s\(([^)]+)\)", GUIDE)
        assert {*re.findall(r"`(\w+)`", names)} == {*kind.__annotations__}


async def test_the_guide_has_the_time_that_an_action_is_given() -> None:
    (unset, most) = re.findall(r"`timeout_seconds` \| (\d+) if left out, at most (\d+)", GUIDE)[0]
    (made,) = [one.default for one in fields(ActionType) if one.name == "timeout_seconds"]
    assert (float(unset), float(most)) == (made, MAX_TIMEOUT_SECONDS)


async def test_the_image_of_the_guide_has_the_plugin_where_that_of_lockstep_looks_for_it() -> None:
    (text,) = re.findall(r"```dockerfile\n(.*?)```", GUIDE, re.DOTALL)
    (base, ours) = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    image = (ROOT / "deploy/Dockerfile").read_text()
    (python,) = re.findall(r"^ARG PYTHON=(python:\d+\.\d+)", image, re.MULTILINE)
    assert base == f"{python}-slim"
    assert ours == f"lockstep:{__version__}"
    (where,) = re.findall(r"^COPY --from=plugin /site (\S+)$", text, re.MULTILINE)
    (venv,) = re.findall(r"python -m venv (\S+)", image)
    assert where == f"{venv}/lib/{python.replace(':', '')}/site-packages"


async def test_the_same_key_is_the_same_ticket_in_every_process() -> None:
    script = """
import asyncio
from unittest.mock import Mock
import lockstep_tickets
context = Mock(config={"title": "x"}, idempotency_key="run:actions[0]")
print(asyncio.run(lockstep_tickets.open_ticket(context)).external_id)
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(SAMPLE / "src"), "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1


async def test_the_guide_names_every_option() -> None:
    for options in (ActionOptions, TriggerOptions):
        missing = [name for name in options.__annotations__ if f"`{name}`" not in GUIDE]
        assert missing == []
