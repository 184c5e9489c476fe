"""`lockstep schemas` and `lockstep config --reference`, as they are typed."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from lockstep.cli.entry import run
from lockstep.contract.examples import EXAMPLES
from lockstep_schemas import run_events, wire
from lockstep_schemas.remote import ActionRequest

ROOT = Path(__file__).parents[2]
README = (ROOT / "schemas/README.md").read_text()


def tree(folder: Path) -> dict[str, str]:
    """What is in a folder: texts by path."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.suffix in {".json", ".yaml"}
    }


def test_it_writes_what_is_committed(tmp_path: Path) -> None:
    assert run(["schemas", str(tmp_path)]) == 0
    assert tree(tmp_path) == tree(ROOT / "schemas")


def test_it_checks_without_writing(tmp_path: Path) -> None:
    assert run(["schemas", str(tmp_path)]) == 0
    assert run(["schemas", "--check", str(tmp_path)]) == 0
    stale = tmp_path / "json/definition.schema.json"
    stale.write_text("{}")
    (tmp_path / "json/gone.schema.json").write_text("{}")
    assert run(["schemas", "--check", str(tmp_path)]) == 1
    assert stale.read_text() == "{}"
    assert run(["schemas", str(tmp_path)]) == 0
    assert tree(tmp_path) == tree(ROOT / "schemas")


def test_the_reference_needs_no_settings_that_are_right(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_NATS__PREFIX", "not a prefix")
    assert run(["config", "--reference"]) == 0
    assert capsys.readouterr().out == (ROOT / "deploy/CONFIGURATION.md").read_text()
    assert run(["config", "--reference", "--json"]) == 0
    (prefix,) = [one for one in json.loads(capsys.readouterr().out) if one["name"] == "nats.prefix"]
    assert prefix["variable"] == "LOCKSTEP_NATS__PREFIX"


def test_the_code_of_the_readme_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    publish, hear, provide = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    bodies = {
        hear: msgspec.json.encode(EXAMPLES[run_events.RunEvent][0]),
        provide: msgspec.json.encode(EXAMPLES[ActionRequest][0]),
    }
    made: dict[str, object] = {}
    for code in (publish, hear, provide):
        exec(code, scope := {"body": bodies.get(code)})  # noqa: S102 - our own text
        made |= scope
    message = made["message"]
    assert isinstance(message, wire.Message)
    assert message.subject == "lockstep.trigger.orders.created"
    assert made["reply"] == b'{"success":true,"artifact":{"number":7}}'
    assert "step_succeeded Triage orders running" in capsys.readouterr().out
