"""A repository of automations, laid out as the page says, and its job carried out line by line."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.machines import Bus, make_authority, nats_server
from deploy.test_whole import serving
from lockstep import __version__
from pages import ROOT, blocks
from processes import environment
from shown import same, stands_in
from test_names import SETTINGS
from typed import shell

PAGE: Final = ROOT / "docs/REPOSITORY.md"
FLOW: Final[dict[str, Any]] = yaml.safe_load(
    next(block.text for block in blocks(PAGE) if block.marked("unchecked"))
)
SHOWN: Final = [block.text for block in blocks(PAGE) if block.language == "text"][1:]
EXPRESSION: Final = re.compile(r"\$\{\{ (\w+)\.(\w+) \}\}")


def lines(job: str) -> list[str]:
    """Give the commands of a job, without those that install."""
    steps = [step["run"] for step in FLOW["jobs"][job]["steps"] if "run" in step]
    assert steps[0].startswith("pip install ")
    return steps[1:]


def test_the_job_has_the_form_that_it_must_have() -> None:
    assert set(FLOW) == {"name", True, "jobs"}  # YAML reads `on` as true
    for job in FLOW["jobs"].values():
        assert set(job) <= {"runs-on", "needs", "if", "environment", "concurrency", "env", "steps"}
        assert {job.get("needs", "check")} <= set(FLOW["jobs"])
        for step in job["steps"]:
            assert len({"uses", "run"} & set(step)) == 1
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/checkout@v4"))


def test_its_variables_are_settings_and_no_secret_is_where_strangers_have_it() -> None:
    assert "env" not in FLOW["jobs"]["check"], "whoever proposes a change writes what runs there"
    told = FLOW["jobs"]["deploy"]["env"]
    names = {name.removeprefix("LOCKSTEP_").replace("__", ".").lower() for name in told}
    assert names <= SETTINGS
    assert {found[1] for text in told.values() for found in EXPRESSION.finditer(text)} == {
        "vars", "secrets",
    }  # fmt: skip


def test_what_it_installs_is_of_this_version_with_extras_that_there_are() -> None:
    extras = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    installed = re.findall(r"lockstep(?:\[(\w+)\])? @ git\+URL@v([\d.]+)", PAGE.read_text())
    assert [extra for extra, _ in installed] == ["embedded", ""]
    assert {*filter(None, (extra for extra, _ in installed))} <= {*extras}
    assert {version for _, version in installed} == {__version__}


@pytest.fixture
async def bus(tmp_path: Path, dsn: str) -> AsyncIterator[Bus]:
    """NATS with TLS and accounts, and a strict engine on it."""
    make_authority(tmp_path / "tls")
    files = {
        "NATS_TLS_CERT": tmp_path / "tls/server.crt", "NATS_TLS_KEY": tmp_path / "tls/server.key",
    }  # fmt: skip
    async with nats_server(tmp_path / "bus", "tls.conf", files) as started:
        engine = environment(
            NATS__SERVERS=started.url.replace("nats://", "tls://"), NATS__USER="engine",
            NATS__PASSWORD=started.passwords["nats_engine"], NATS__INBOX_PREFIX="_INBOX_engine",
            NATS__TLS_CA_FILE=tmp_path / "tls/ca.crt", POSTGRES__DSN=dsn,
        )  # fmt: skip
        async with serving(engine, tmp_path):
            yield started


def operator(folder: Path, bus: Bus) -> dict[str, str]:
    """Give the settings of an operator."""
    return {
        "LOCKSTEP_NATS__SERVERS": bus.url.replace("nats://", "tls://"),
        "LOCKSTEP_NATS__USER": "operator", "LOCKSTEP_NATS__INBOX_PREFIX": "_INBOX_operator",
        "LOCKSTEP_NATS__PASSWORD": bus.passwords["nats_operator"],
        "LOCKSTEP_NATS__TLS_CA_FILE": str(folder / "tls/ca.crt"),
    }  # fmt: skip


async def test_the_job_brings_what_is_in_the_repository(tmp_path: Path, bus: Bus) -> None:
    root = tmp_path / "repository"
    for block in blocks(PAGE):
        for name in block.marked("file"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(block.text)
    for line in lines("check"):
        said = await shell(line, root, {})
        assert "fault" not in said
    assert "2 of 2 actions and branches reached" in said
    assert (root / "report.xml").exists()

    (root / "nats-ca.crt").write_text((tmp_path / "tls/ca.crt").read_text())
    known = {
        "NATS_SERVERS": bus.url.replace("nats://", "tls://"),
        "NATS_PASSWORD": bus.passwords["nats_operator"],
    }
    env = {
        name: EXPRESSION.sub(lambda found: known[found[2]], value)
        for name, value in FLOW["jobs"]["deploy"]["env"].items()
    }

    async def pushed() -> str:
        try_it, do_it = lines("deploy")
        assert "nothing was changed" in await shell(try_it, root, env)
        return await shell(do_it, root, env)

    door = (root / "flows/door.yaml").read_text()
    shown = [await pushed()]
    (root / "flows/door.yaml").write_text(door.replace("900", "600"))
    shown.append(await pushed())
    (root / "flows/door.yaml").unlink()
    gate = door.replace("door-watch", "gate-watch").replace("Door watch", "Gate watch")
    (root / "flows/gate.yaml").write_text(gate)
    shown.append(await pushed())
    for told, there in zip(SHOWN, shown, strict=True):
        assert stands_in(same(told), same(there)), there


async def test_whose_an_automation_is_and_when_prune_is_refused(tmp_path: Path, bus: Bus) -> None:
    env = operator(tmp_path, bus)
    door, kinds = (block.text for block in blocks(PAGE)[1:3])
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "door.yaml").write_text(door)
    (flows / "types.yaml").write_text(kinds)
    await shell("lockstep apply flows", tmp_path, env)
    (told,) = re.findall(r"the dry run says so: `(.+?)`", PAGE.read_text())
    apply = "lockstep apply flows --owner doors --prune"
    assert told in await shell(f"{apply} --dry-run", tmp_path, env)
    await shell(f"{apply} --yes", tmp_path, env)
    (flows / "door.yaml").unlink()
    refused = await shell(f"{apply} --yes || true", tmp_path, env)
    assert "--prune would delete all" in refused
    assert "door-watch" in await shell("lockstep automations list", tmp_path, env)
    assert "deleted" in await shell("lockstep automations delete door-watch --yes", tmp_path, env)


async def test_what_is_done_by_hand_stays_unless_the_file_says_otherwise(
    tmp_path: Path, bus: Bus
) -> None:
    env = operator(tmp_path, bus)
    door, kinds = (block.text for block in blocks(PAGE)[1:3])
    (tmp_path / "door.yaml").write_text(door)
    (tmp_path / "types.yaml").write_text(kinds)
    apply = "lockstep apply door.yaml types.yaml --owner doors --prune --yes"
    await shell(apply, tmp_path, env)
    await shell("lockstep toggle door-watch --off", tmp_path, env)
    (tmp_path / "door.yaml").write_text(door.replace("900", "600"))
    assert "1 updated" in await shell(apply, tmp_path, env)
    assert "disabled" in await shell("lockstep automations list", tmp_path, env)
    (tmp_path / "door.yaml").write_text(f"status: enabled\n{door}")
    assert '"disabled" → "enabled"' in await shell(apply, tmp_path, env)
    assert "enabled" in await shell("lockstep automations list", tmp_path, env)
