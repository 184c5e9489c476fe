"""An editor: what a YAML language server says of an automation that names its schema."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from patience import patience

FOLDER = (Path(__file__).parents[2] / "deploy/samples").as_uri()
FRAME = """\
# yaml-language-server: $schema=../../schemas/json/automation-document.schema.json
definition:
  name: x
  triggers:
    - event: a.b
  actions:
"""
FIRST = FRAME.count("\n")


async def opened(node: Path, *documents: tuple[str, tuple[int, int] | None]) -> list[Any]:
    """What the server says of each: faults as (line below the frame, column, message), labels."""
    given = [
        {
            "uri": f"{FOLDER}/opened-{number}.yaml",
            "text": FRAME + text,
            "position": position and (position[0] + FIRST, position[1]),
        }
        for number, (text, position) in enumerate(documents)
    ]
    program = shutil.which("node")
    assert program
    process = await asyncio.create_subprocess_exec(
        program, node / "editor.mjs", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with patience():
        told, _ = await process.communicate(json.dumps(given).encode())
    return [
        ([(line - FIRST, column, message) for line, column, message in one["faults"]],
         set(one["labels"]))
        for one in json.loads(told)
    ]  # fmt: skip


async def test_faults_are_shown_where_they_are_and_alone(node: Path) -> None:
    found = await opened(
        node,
        ("    - action: a.b\n      config: {x: 1}\n", None),
        ("    - action: a.b\n      confg: {x: 1}\n", None),
        ("    - action: a.b\n      retry:\n        backof: constant\n", None),
        ("    - delay: {seconds: 100000}\n", None),
        (
            "    - choose:\n        - when: x\n          sequence:\n            - stop: {why: y}\n",
            None,
        ),
    )
    right, key, deep, bound, nested = (faults for faults, _ in found)
    assert right == []
    assert key == [(1, 6, "Property confg is not allowed.")]
    assert deep == [(2, 8, "Property backof is not allowed.")]
    assert [(line, column) for line, column, _ in bound] == [(0, 23)]
    assert nested == [(3, 21, "Property why is not allowed.")]


async def test_keys_and_values_are_offered(node: Path) -> None:
    found = await opened(
        node,
        ("    - action: a.b\n      \n", (1, 6)),
        ("    - action: a.b\n      retry:\n        \n", (2, 8)),
        ("    - action: a.b\n      retry:\n        backoff: \n", (2, 17)),
    )
    fields, retry, backoff = (labels for _, labels in found)
    assert {"config", "retry", "timeout_seconds", "continue_on_error"} <= fields
    assert {"attempts", "delay_seconds", "backoff", "max_delay_seconds"} <= retry
    assert {"constant", "exponential"} <= backoff
