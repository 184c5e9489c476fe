"""`compose.yaml` carried out without containers: each service as a process of this machine.

What is mounted lies where the service says, below a folder of its own, and its words and variables
point there. Names of services become this machine. What only a container engine does is left out:
networks, capabilities, volumes, the entry point of a server's image.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.machines import DEPLOY, tool
from patience import LIMIT_SECONDS

Json = dict[str, Any]


def rendered(folder: Path = DEPLOY, *more: Path) -> Json:
    """Ask docker compose what it makes of the file, and of those that are read along."""
    files = [word for file in (folder / "compose.yaml", *more) for word in ("--file", file)]
    words = [*files, "--profile", "tools", "config", "--format", "json"]
    found = subprocess.run(
        [tool("docker-compose"), *words],
        check=True,
        timeout=LIMIT_SECONDS,
        capture_output=True,
        text=True,
    )
    assert found.stderr == "", "docker compose has no doubts"
    project: Json = json.loads(found.stdout)
    return project


@dataclass
class Service:
    """A service: its words and variables, with places of this machine."""

    root: Path
    command: list[str]
    env: dict[str, str]
    hosts: Mapping[str, str]

    def here(self, text: str) -> str:
        """Turn places and hosts of the container into those of this machine."""
        text = re.sub(r"(?<![\w./])/(etc|run|data|var|docker-)", rf"{self.root}/\1", text)
        for name, address in self.hosts.items():
            text = re.sub(rf"(?<=[/@]){name}(:\d+)", address, text)
        return text


def prepare(
    project: Json, name: str, folder: Path, secrets: Path, hosts: Mapping[str, str]
) -> Service:
    """Lay out what a service has mounted.

    Args:
        project: What docker compose made of the file.
        name: Of the service.
        folder: Where it is laid out.
        secrets: What make-secrets.sh has made, in place of the folder beside the file.
        hosts: Where the services listen here, by name: `127.0.0.1:PORT`.
    """
    one = project["services"][name]
    root = folder / name
    for kind in ("configs", "secrets"):
        for mount in one.get(kind, ()):
            file = Path(project[kind][mount["source"]]["file"])
            source = secrets / file.name if kind == "secrets" else file
            target = root / mount["target"].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for volume in one.get("volumes", ()):
        target = root / volume["target"].lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if volume["type"] == "bind":
            target.symlink_to(volume["source"])
        else:
            target.mkdir(exist_ok=True)
    service = Service(root, [], {}, hosts)
    service.command = [service.here(word) for word in one["command"] or ()]
    environment = one.get("environment") or {}
    service.env = {key: service.here(value) for key, value in environment.items()}
    return service
