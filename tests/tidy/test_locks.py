"""The lock files agree with pyproject.toml, and `make install` installs them and nothing else."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from patience import LIMIT_SECONDS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TREE = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, EXTRAS = TREE["project"], TREE["project"]["optional-dependencies"]
IMAGE, BUILD, DEV = "requirements.txt", "requirements-build.txt", "requirements-dev.txt"
ASKED: dict[str, list[str]] = {
    IMAGE: [*PROJECT["dependencies"], *EXTRAS["http"], *EXTRAS["nkeys"], *EXTRAS["otel"]],
    BUILD: [
        *TREE["build-system"]["requires"],
        *re.findall(r"^[^#].*", (DEPLOY / "requirements-build.in").read_text(), re.MULTILINE),
    ],
    DEV: [*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)],
}
HEAD = r"(?P<pin>(?P<name>[a-z0-9-]+)==[\w.!+]+(?: ; [^\\\n]+)?) \\\n"
HASH = r" {4}--hash=sha256:[0-9a-f]{64}"
BLOCK = re.compile(rf"{HEAD}(?:{HASH} \\\n)*{HASH}\n")

PYTHONS = re.findall(r":: Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
PLATFORMS = {"linux": ("x86_64", "aarch64"), "darwin": ("x86_64", "arm64")}
ENVIRONMENTS = [
    {
        "python_version": python, "python_full_version": f"{python}.0",
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
        "os_name": "posix", "sys_platform": system, "platform_system": system.capitalize(),
        "platform_machine": machine,
    }
    for python in PYTHONS for system, machines in PLATFORMS.items() for machine in machines
]  # fmt: skip


def locked(file: str, environment: dict[str, str]) -> dict[str, str]:
    """Give the versions that a lock has for this environment, by name."""
    found: dict[str, str] = {}
    for block in BLOCK.finditer((DEPLOY / file).read_text()):
        pin = Requirement(block["pin"])
        if pin.marker is None or pin.marker.evaluate(environment):
            assert pin.name not in found, f"{pin.name} is there twice"
            found[pin.name] = str(pin.specifier).removeprefix("==")
    return found


def strays(file: str, environment: dict[str, str]) -> list[str]:
    """Give what is asked for here, and is not locked within its bounds."""
    versions = locked(file, environment)
    asked = [
        one
        for one in map(Requirement, ASKED[file])
        if one.marker is None or one.marker.evaluate(environment)
    ]
    found = [(one, versions.get(canonicalize_name(one.name))) for one in asked]
    return [
        f"{one}: {version}" for one, version in found
        if version is None or not one.specifier.contains(version)
    ]  # fmt: skip


@pytest.mark.parametrize("file", ASKED)
def test_each_line_of_a_lock_is_a_version_or_a_hash_of_it_and_names_no_host(file: str) -> None:
    text = (DEPLOY / file).read_text()
    assert BLOCK.search(text)
    assert BLOCK.sub("", text) == ""


def test_every_lock_of_the_folder_is_looked_at() -> None:
    assert {path.name for path in DEPLOY.glob("requirements*.txt")} == ASKED.keys()


@pytest.mark.parametrize("file", ASKED)
def test_what_the_project_asks_for_is_locked_within_its_bounds_everywhere(file: str) -> None:
    assert len(ENVIRONMENTS) == 16
    found = {
        " ".join(environment.values()): missing
        for environment in ENVIRONMENTS
        if (missing := strays(file, environment))
    }
    assert not found, "make lock"


def test_the_suite_runs_with_the_versions_that_the_image_has() -> None:
    for environment in ENVIRONMENTS:
        image, build, dev = (locked(file, environment) for file in (IMAGE, BUILD, DEV))
        assert image.items() <= dev.items(), "make lock"
        assert {name: dev[name] for name in build.keys() & dev.keys()}.items() <= build.items()


def make(*words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run make as a newcomer would: what a make above says is not for this one."""
    env = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        ["make", *words], cwd=ROOT, env=env | more, check=False, capture_output=True, text=True,
        timeout=LIMIT_SECONDS,
    )  # fmt: skip


def installs(printed: str) -> Sequence[str]:
    return re.findall(r".* pip install .*", printed)


def test_what_is_installed_has_a_hash_or_is_the_project_itself(tmp_path: Path) -> None:
    build, dev, project = installs(make("--dry-run", f"VENV={tmp_path}", "install").stdout)
    for command, file in ((build, BUILD), (dev, DEV)):
        assert {"--require-hashes", "--only-binary", f"deploy/{file}"} <= set(command.split())
    assert {"--no-build-isolation", "GIT_ALLOW_PROTOCOL=file"} <= set(dev.split())
    assert {"--no-deps", "--no-build-isolation", "--editable"} <= set(project.split())


def test_the_lock_is_tried_for_each_python_that_the_project_names() -> None:
    (line,) = re.findall(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line.split() == PYTHONS


@pytest.mark.parametrize("file", ["pyproject.toml", f"deploy/{BUILD}", f"deploy/{DEV}"])
def test_a_change_of_what_is_asked_for_installs_anew(file: str, tmp_path: Path) -> None:
    (tmp_path / ".installed").touch()
    words = ("--dry-run", f"VENV={tmp_path}", "install")
    assert not installs(make(*words).stdout)
    assert installs(make(*words, f"--what-if={file}").stdout)


def test_an_install_that_fails_halfway_leaves_no_stamp(tmp_path: Path) -> None:
    python = tmp_path / "python"
    lacking = f'#!/bin/sh\n[ "$2" != venv ] || set -- "$@" --without-pip\n{sys.executable} "$@"\n'
    python.write_text(lacking)
    python.chmod(0o755)
    environment = tmp_path / "environment"
    environment.mkdir()
    (environment / ".installed").touch()
    words = (f"VENV={environment}", f"PYTHON={python}", "install")
    done = make("--what-if=pyproject.toml", *words)
    assert "No module named pip" in done.stderr
    assert not (environment / ".installed").exists()
    assert installs(make("--dry-run", *words).stdout)


def test_nothing_that_decides_asks_what_is_known_today() -> None:
    """Its answer, and the newest version of everything, change with the day."""
    targets = re.findall(r"^make (.*)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert targets == ["check", "test"]
    done = make("--dry-run", *targets)
    assert done.returncode == 0
    assert not re.search("audit|latest", done.stdout)
