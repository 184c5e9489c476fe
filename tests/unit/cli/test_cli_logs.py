"""Log lines: an error in one is its text, and its code stands beside it."""

import json
import subprocess
import sys
from typing import Final

import pytest

PROGRAM: Final = """
import structlog
from lockstep.telemetry import logs
from lockstep.model.errors import SettingError, Unavailable
from lockstep.settings.structs import LogSettings

logs.configure(LogSettings(format="FORMAT"))
log = structlog.get_logger()
log.warning("ours", error=Unavailable("NATS at a: no answer"))
log.warning("elsewhere", reason=Unavailable("no answer"))
log.warning("python's", error=TimeoutError())
try:
    raise SettingError("nats.prefix: is no prefix")
except SettingError as error:
    log.exception("handled")
    caught = error
log.error("handed over", exc_info=caught)
log.warning("its own", code="mine", error=Unavailable("no answer"))
log.info("none")
"""


def written(form: str) -> str:
    """What the program has logged, in a process of its own: it sets up the logging of all."""
    command = [sys.executable, "-c", PROGRAM.replace("FORMAT", form)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


@pytest.fixture(scope="module")
def lines() -> dict[str, dict[str, object]]:
    """The lines, by their names."""
    found = [json.loads(line) for line in written("json").splitlines()]
    return {line.pop("event"): line for line in found if line.pop("timestamp")}


@pytest.mark.parametrize(
    ("name", "field", "text", "code"),
    [
        ("ours", "error", "NATS at a: no answer", "server.unavailable"),
        ("elsewhere", "reason", "no answer", "server.unavailable"),
        ("python's", "error", "TimeoutError", None),
        ("its own", "error", "no answer", "mine"),
        ("none", "error", None, None),
    ],
)
def test_an_error_is_logged_with_its_text_and_code(
    lines: dict[str, dict[str, object]], name: str, field: str, text: str | None, code: str | None
) -> None:
    assert lines[name].get(field) == text
    assert lines[name].get("code") == code


@pytest.mark.parametrize("name", ["handled", "handed over"])
def test_a_line_with_a_traceback_has_the_code_of_its_exception(
    lines: dict[str, dict[str, object]], name: str
) -> None:
    assert "nats.prefix: is no prefix" in str(lines[name]["exception"])
    assert lines[name]["code"] == "setting.invalid"


def test_people_are_shown_the_code_too() -> None:
    told = written("console").splitlines()[0]
    assert "NATS at a: no answer" in told
    assert "server.unavailable" in told


def test_a_traceback_with_a_long_text_is_written_as_it_is_and_not_folded() -> None:
    text = "x" * 50_000
    program = PROGRAM.replace("FORMAT", "console").replace("nats.prefix: is no prefix", text)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert f"SettingError: {text}\n" in done.stderr
