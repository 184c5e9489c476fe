"""`lockstep-schemas` alone: installed from its folder, with msgspec and nothing else."""

import asyncio
import json
import os
import subprocess
import tomllib
import venv
from pathlib import Path
from uuid import uuid4

import pytest

import contract_check
from engine.engine_fixture import engine_fixture, settings_of
from lockstep.embedded import Servers
from patience import patience

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("edge.py")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a clean environment with the package in it."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [python, "-m", "pip", "install", "--quiet", "--no-input", ROOT / "schemas"]
    done = subprocess.run(command, env=clean(), capture_output=True, text=True, check=False)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"pip cannot install, probably offline: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return python


def clean() -> dict[str, str]:
    """The environment, without the sources of this checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def test_it_brings_msgspec_and_nothing_else(python: Path) -> None:
    command = [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    found = json.loads(subprocess.run(command, env=clean(), capture_output=True, check=True).stdout)
    names = {one["name"].lower().replace("_", "-") for one in found}
    assert names - {"pip", "setuptools"} == {"lockstep-schemas", "msgspec"}


async def test_a_service_publishes_provides_and_listens_with_it(
    python: Path, servers: Servers, dsn: str
) -> None:
    prefix = f"p{uuid4().hex[:12]}"
    async with engine_fixture(settings_of(servers.nats_url, dsn, prefix)):
        process = await asyncio.create_subprocess_exec(
            python, SCRIPT, servers.nats_url, prefix, env=clean(),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with patience():
            told, wrong = await process.communicate()
    assert process.returncode == 0, wrong.decode()
    heard = json.loads(told)
    assert heard["created"] == "lockstep.automation.created"
    assert heard["duplicate"] == [False, True]
    assert heard["request"] == [{"to": "Ann"}, "k", "actions[0]", 1]
    assert heard["heard"] == [
        f"lockstep.run.{what}" for what in ("started", "step_succeeded", "succeeded")
    ]
    assert heard["run"] == ["Ann", "k", "success"]
    assert heard["artifact"] == [{"text": "Hello, Ann!"}]
    assert heard["dead"][:3] == ["edge.broken", "edge-2", "[1]"]
    assert "no JSON object" in heard["dead"][3]
    for name, document in heard["crossed"].items():
        contract_check.check(name, document)


def test_both_distributions_that_hold_it_hold_the_same() -> None:
    ours, theirs = (
        tomllib.loads((ROOT / path).read_text())
        for path in ("pyproject.toml", "schemas/pyproject.toml")
    )
    for key in ("version", "requires-python", "license"):
        assert ours["project"][key] == theirs["project"][key]
    assert set(theirs["project"]["dependencies"]) <= set(ours["project"]["dependencies"])
    wheels = [one["tool"]["hatch"]["build"]["targets"]["wheel"] for one in (ours, theirs)]
    assert "schemas/lockstep_schemas" in wheels[0]["packages"]
    assert wheels[1]["packages"] == ["lockstep_schemas"]


def test_it_is_imported_without_the_engine(python: Path) -> None:
    modules = sorted(path.stem for path in (ROOT / "schemas/lockstep_schemas").glob("[a-z]*.py"))
    code = f"import sys, {', '.join(f'lockstep_schemas.{name}' for name in modules)}"
    subprocess.run([python, "-c", code], env=clean(), check=True, capture_output=True)
