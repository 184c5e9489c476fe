"""An editor: what a YAML language server says of an automation that names its schema."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockstep import contract
from lockstep.cli.files.known import known_here
from lockstep_schemas.actions import KINDS
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


async def opened(
    node: Path, *documents: tuple[str, tuple[int, int] | None], frame: str = FRAME
) -> list[Any]:
    """What the server says of each: faults as (line below the frame, column, message), labels."""
    given = [
        {
            "uri": f"{FOLDER}/opened-{number}.yaml",
            "text": frame + text,
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


NAMES = ", ".join(f"`{key}`" for key in KINDS)
NO_KIND = f"An action has one of these keys: {NAMES}."
UNKNOWN = f"There is no such kind of action; there are {NAMES}."


async def test_the_kinds_are_offered_wherever_an_action_may_stand(node: Path) -> None:
    found = await opened(
        node,
        ("    - \n", (0, 6)),
        ("    - \n    - stop: {}\n", (0, 6)),
        ("    - par\n", (0, 9)),
        ("    - parallel:\n        - \n", (1, 10)),
        ("    - choose:\n        - when: x\n          sequence:\n            - \n", (3, 14)),
        ("    - repeat:\n        count: 2\n        sequence:\n          - \n", (3, 12)),
        ("    - id: x\n      \n", (1, 6)),
    )
    for faults, labels in found:
        assert labels >= {*KINDS, "continue_on_error"} - {"id"}
        assert [message for _, _, message in faults] == [NO_KIND]


async def test_once_it_has_a_kind_no_other_is_offered(node: Path) -> None:
    ((_, labels),) = await opened(node, ("    - delay: {seconds: 1}\n      \n", (1, 6)))
    assert "continue_on_error" in labels
    assert not labels & {*KINDS}


async def test_what_is_no_kind_is_told_with_those_that_are(node: Path) -> None:
    found = await opened(
        node,
        ("    - dellay: {seconds: 1}\n", None),
        ("    - id: x\n      chose: []\n", None),
        ("    - parallel:\n        - stopp: {}\n", None),
        ("    - id: x\n", None),
        ("    - stop\n", None),
    )
    assert [faults for faults, _ in found] == [
        [(0, 6, UNKNOWN)],
        [(1, 6, UNKNOWN)],
        [(1, 10, UNKNOWN)],
        [(0, 6, NO_KIND)],
        [(0, 6, NO_KIND)],
    ]


@pytest.fixture(scope="module")
def knowing(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The beginning of a document whose schema knows the types that are built in."""
    folder = tmp_path_factory.mktemp("schemas")
    contract.write(folder, msgspec.structs.replace(known_here(), is_whole=True))
    schema = (folder / "json/automation-document.schema.json").as_uri()
    return FRAME.replace("../../schemas/json/automation-document.schema.json", schema)


LOG = "    - action: automation.log\n"


async def test_with_a_catalog_actions_and_their_configs_are_offered(
    node: Path, knowing: str
) -> None:
    found = await opened(
        node,
        ("    - action: \n", (0, 14)),
        (f"{LOG}      config:\n        \n", (2, 8)),
        (f"{LOG}      config:\n        message: x\n        \n", (3, 8)),
        (f"{LOG}      config:\n        message: x\n        level: \n", (3, 15)),
        ("    - parallel:\n    " + LOG + "          config:\n            \n", (3, 12)),
        ("    - wait_for_trigger:\n        event: \n", (1, 15)),
        frame=knowing,
    )
    types, config, rest, levels, nested, events = (labels for _, labels in found)
    assert {"automation.log", "nats.publish", "http.request"} <= types
    assert {"message", "level"} <= config & nested
    assert "level" in rest
    assert "message" not in rest
    assert {"debug", "info", "warn", "error"} <= levels
    assert {"automation.cron", "automation.interval"} <= events


async def test_with_a_catalog_a_config_is_judged_and_what_is_templated_is_not(
    node: Path, knowing: str
) -> None:
    found = await opened(
        node,
        (f'{LOG}      config: {{message: x, level: "{{{{ trigger.payload.l }}}}"}}\n', None),
        (f"{LOG}      config: {{message: x, level: loud}}\n", None),
        (f"{LOG}      config: {{message: x, levl: info}}\n", None),
        (f"{LOG}      config: {{level: info}}\n", None),
        ("    - action: automation.logg\n      config: {message: x}\n", None),
        ("    - action: nats.request\n      config: {subject: a, payload: {}}\n", None),
        frame=knowing,
    )
    right, value, key, missing, unknown, without_id = (faults for faults, _ in found)
    assert right == []
    assert [(line, column) for line, column, _ in value] == [(1, 34)]
    assert '"debug", "error", "info", "warn"' in value[0][2]
    assert key == [(1, 27, "Property levl is not allowed.")]
    assert missing == [(1, 6, 'Missing property "message".')]
    assert [(line, column) for line, column, _ in unknown] == [(0, 14)]
    assert '"automation.log"' in unknown[0][2]
    assert 'Missing property "id".' in {message for _, _, message in without_id}


async def test_with_a_catalog_the_config_of_a_trigger_is_offered_and_judged(
    node: Path, knowing: str
) -> None:
    before, _, _ = knowing.partition("    - event: a.b\n")
    rest = "  actions: []\n"
    cron = "    - event: automation.cron\n"
    types, config, wrong = await opened(
        node,
        (f"    - event: \n{rest}", (-2, 13)),
        (f"{cron}      config:\n        \n{rest}", (0, 8)),
        (f"{cron}      config: {{cronPatern: x}}\n{rest}", None),
        frame=before,
    )
    assert {"automation.cron", "automation.template"} <= types[1]
    assert {"cronPattern", "timezone"} <= config[1]
    assert "Property cronPatern is not allowed." in {message for _, _, message in wrong[0]}
