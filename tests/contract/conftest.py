"""What the checks of the contract share: programs of Node.js, installed once."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NODE = Path(__file__).with_name("node")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of `node/package-lock.json`; skips where they cannot be had."""
    required = bool(os.environ.get("CI"))
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        assert not required, "Node.js and npm are needed"
        pytest.skip("Node.js and npm are not installed")
    folder = tmp_path_factory.mktemp("node") / "checks"
    shutil.copytree(NODE, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and not required:
        pytest.skip(f"npm cannot install, probably offline: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return folder
