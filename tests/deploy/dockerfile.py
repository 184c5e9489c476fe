"""A Dockerfile carried out in a folder: its steps run for real, but for what needs a container.

What stands in for the base image is a copy of this Python, as the one that runs the tests may
be out of reach of a user who is not root.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from patience import LIMIT_SECONDS

STEP_SECONDS = 5 * LIMIT_SECONDS  # a step may install packages

# What the stages make, each at its place below the folder.
PLACES = ("/src", "/wheels", "/opt/lockstep")


def instructions(text: str) -> list[tuple[str, str]]:
    """Split a Dockerfile into instructions and what they are given."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.split(None, 1) for line in joined.splitlines() if line.strip())
    return [(word.upper(), re.sub(r"\s+", " ", rest).strip()) for word, rest in pairs]


@dataclass
class Image:
    """What a stage has made, and how it is to be run."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0"
    said: dict[str, list[str]] = field(default_factory=dict)
    health: list[str] = field(default_factory=list)

    def here(self, text: str) -> str:
        """Put the places of the image below the folder."""
        for place in PLACES:
            text = re.sub(rf"(?<![\w/]){place}\b", str(self.root) + place, text)
        return text

    @property
    def environment(self) -> dict[str, str]:
        """Give the variables of the image, and none of this process."""
        tools = f"{self.root}/python/bin:/usr/local/bin:/usr/bin:/bin"
        env = {name: self.here(value) for name, value in self.env.items()}
        env["PATH"] = env.get("PATH", "$PATH").replace("$PATH", tools)
        # Where pip of this machine finds packages; the image has nothing of it.
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        # A Python that is a shared library looks for it where it was built.
        return {**pip, "HOME": str(self.root), "LD_LIBRARY_PATH": f"{self.root}/base/lib", **env}


def build(file: Path, context: Path, root: Path) -> Image:
    """Carry out the stages; return the last one.

    Users and labels are for a container engine: `RUN` of the last stage is left out.
    """
    interpreter(root / "python")
    image, stages = Image(root), 0
    total = sum(word == "FROM" for word, _ in instructions(file.read_text()))
    for word, rest in instructions(file.read_text()):
        if word == "FROM":
            image, stages = Image(root), stages + 1
        elif word == "ENV":
            image.env |= dict(re.findall(r"(\w+)=(\S+)", rest))
        elif word == "WORKDIR":
            image.workdir = rest
        elif word == "COPY" and "--from" not in rest:
            *sources, target = rest.split()
            for source in sources:
                copy(context / source, Path(image.here(image.workdir)) / target, len(sources))
        elif word == "RUN" and stages < total:
            subprocess.run(
                ["bash", "-euc", image.here(rest)], cwd=image.here(image.workdir),
                env=image.environment, check=True, timeout=STEP_SECONDS,
            )  # fmt: skip
        elif word == "USER":
            image.user = rest
        elif word in {"ENTRYPOINT", "CMD"}:
            image.said[word] = json.loads(rest)
        elif word == "HEALTHCHECK":
            image.health = json.loads(rest.partition(" CMD ")[2])
    return image


def copy(source: Path, target: Path, among: int) -> None:
    """As COPY does: a folder's content, or a file into a folder that is named `x/`."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        return
    into = target / source.name if among > 1 or target.is_dir() else target
    into.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, into)


def interpreter(target: Path) -> None:
    """Copy this Python with its standard library and make a virtual environment of the copy."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix)
    copied = target.with_name("base")
    unneeded = shutil.ignore_patterns("test", "site-packages", "__pycache__", "*.a", "idlelib")
    shutil.copytree(base / "lib" / version, copied / "lib" / version, ignore=unneeded)
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy(library, copied / "lib" / library.name)
    (copied / "bin").mkdir()
    shutil.copy(base / "bin" / version, copied / "bin" / version)
    words = [str(copied / "bin" / version), "-m", "venv", str(target)]
    subprocess.run(words, check=True, timeout=STEP_SECONDS, env={"PATH": os.environ["PATH"]})
