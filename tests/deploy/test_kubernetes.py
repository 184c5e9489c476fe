"""The tutorial on Kubernetes: what it makes fits together, and what it types does what it shows."""

import asyncio
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from deploy.machines import DEPLOY, ROOT, make_authority, nats_server, tool
from deploy.test_whole import serving
from patience import LIMIT_SECONDS
from processes import environment

PAGE: Final = re.sub(r"\\\n *", "", (DEPLOY / "KUBERNETES.md").read_text())
LINES: Final = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
]
SERVERS: Final = [*yaml.safe_load_all((DEPLOY / "samples/kubernetes/servers.yaml").read_text())]
COMPOSE: Final = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
Json = dict[str, Any]


def made() -> dict[tuple[str, str], dict[str, str]]:
    """Give the keys of each Secret and ConfigMap that the page makes, with the file of each."""
    found = {}
    for line in LINES:
        match shlex.split(line):
            case ["kubectl", "create", "secret", "generic", name, *files]:
                found["Secret", name] = keys(files)
            case ["kubectl", "create", "configmap", name, *files]:
                found["ConfigMap", name] = keys(files)
    return found


def keys(options: list[str]) -> dict[str, str]:
    """Read `--from-file=[KEY=]PATH`; without a key it is the name of the file."""
    files = [option.removeprefix("--from-file=").rpartition("=") for option in options]
    return {key or Path(path).name: path for key, _, path in files}


def asked(one: object) -> Iterator[tuple[str, str, set[str]]]:
    """Give each Secret and ConfigMap that volumes name, with the keys that they take."""
    match one:
        case {"secretName": name, **rest}:
            yield "Secret", name, {item["key"] for item in rest.get("items", ())}
        case {"secret": {"name": name, **rest}}:
            yield "Secret", name, {item["key"] for item in rest.get("items", ())}
        case {"configMap": {"name": name, **rest}}:
            yield "ConfigMap", name, {item["key"] for item in rest.get("items", ())}
        case dict():
            for value in one.values():
                yield from asked(value)
        case list():
            for value in one:
                yield from asked(value)


def container(name: str) -> Json:
    (found,) = [one for one in SERVERS if one["kind"] == "StatefulSet"
                if one["metadata"]["name"] == name]  # fmt: skip
    only: Json = found["spec"]["template"]["spec"]["containers"][0]
    return only


@pytest.mark.parametrize("version", ["1.27", kubernetes_validate.latest_version()])
def test_the_servers_have_only_fields_that_kubernetes_knows(version: str) -> None:
    for one in SERVERS:
        kubernetes_validate.validate(one, version, strict=True)


def test_the_servers_are_those_of_compose() -> None:
    for name in ("nats", "postgres"):
        here, there = container(name), COMPOSE[name]
        assert here["image"] == there["image"]
        variables = {one["name"] for one in here["env"]}
        assert variables == set(there["environment"])
    assert container("nats")["command"] == COMPOSE["nats"]["command"]

    def plain(words: list[str]) -> list[str]:
        return [word for word in words if "tls" not in word and not word.startswith("--ssl_")]

    assert plain(container("postgres")["args"]) == plain(COMPOSE["postgres"]["command"])
    ready = container("postgres")["readinessProbe"]["exec"]["command"]
    assert ["CMD", *ready] == COMPOSE["postgres"]["healthcheck"]["test"]


def test_what_the_servers_mount_is_made_from_files_that_there_are() -> None:
    there = made()
    secrets = (DEPLOY / "make-secrets.sh").read_text()
    for files in there.values():
        for path in files.values():
            name = Path(path).name
            known = re.sub(r"_(tls)\.(crt|key)$", "", name)
            assert (ROOT / path).is_file() or known.removeprefix("tls_") in secrets, path
    used = [*asked(SERVERS)]
    assert {name for _, name, _ in used} == {"nats", "postgres"}
    for kind, name, taken in used:
        assert taken <= set(there[kind, name]), name
    paths = re.findall(r"/(?:etc/nats/secrets|run/secrets/postgres)/([\w.]+)", str(SERVERS))
    all_of_them = {*there["Secret", "nats"], *there["Secret", "postgres"]}
    assert {*paths} <= all_of_them


def test_the_chart_takes_the_values_and_the_secrets_of_the_page() -> None:
    (install,) = [line for line in LINES if line.startswith("helm install")]
    words = [word for word in shlex.split(install)[2:] if word != "--wait"]
    done = subprocess.run(
        [tool("helm"), "template", *words], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    there = made()
    for kind, name, taken in asked([one for one in objects if one["kind"] != "ConfigMap"]):
        if kind == "Secret":
            assert taken <= set(there[kind, name]), name
    (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
    assert deployment["metadata"]["name"] == "lockstep"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    part = "app.kubernetes.io/component"  # the pod of a test is called like an engine, too
    assert f"--selector {part}={labels[part]} " in PAGE
    (pod,) = deployment["spec"]["template"]["spec"]["containers"]
    assert f"docker build --tag {pod['image']} " in PAGE


async def test_what_is_typed_as_operator_and_publisher_works(tmp_path: Path, dsn: str) -> None:
    """Against NATS with the accounts as the page changes them, and TLS; pods are left out."""
    tutorial = (ROOT / "docs/TUTORIAL.md").read_text()
    clone = tmp_path / "clone"
    (clone / "flows").mkdir(parents=True)
    (clone / "deploy/secrets").mkdir(parents=True)
    (clone / ".venv").symlink_to(Path(tool("python")).parent.parent)
    for name, text in re.findall(
        r"<!-- file: (flows/\S+) -->\n```yaml\n(.*?)```", tutorial, re.DOTALL
    )[:2]:
        (clone / name).write_text(text)
    (clone / "deploy/nats").mkdir()
    shutil.copy(DEPLOY / "nats/accounts.conf", clone / "deploy/nats")
    (change,) = [line for line in LINES if line.startswith("sed ")]
    subprocess.run(["bash", "-ec", change], cwd=clone, check=True, timeout=LIMIT_SECONDS)

    make_authority(tmp_path / "tls")
    pair = {
        "NATS_TLS_CERT": tmp_path / "tls/server.crt", "NATS_TLS_KEY": tmp_path / "tls/server.key",
    }  # fmt: skip
    changed = [clone / "deploy/nats/accounts.conf"]
    async with nats_server(tmp_path / "bus", "tls.conf", pair, more_files=changed) as bus:
        url = bus.url.replace("nats://", "tls://")
        for name, password in bus.passwords.items():
            (clone / "deploy/secrets" / name).write_text(password)
        shutil.copy(tmp_path / "tls/ca.crt", clone / "deploy/secrets/tls_ca.crt")
        engine = environment(
            NATS__SERVERS=url, NATS__USER="engine", NATS__PASSWORD=bus.passwords["nats_engine"],
            NATS__INBOX_PREFIX="_INBOX_engine", NATS__TLS_CA_FILE=tmp_path / "tls/ca.crt",
            POSTGRES__DSN=dsn,
        )  # fmt: skip
        async with serving(engine, tmp_path):
            said = await asyncio.to_thread(typed, clone, url)
    assert "Door watch  waiting" in said
    assert "Door watch v1  success" in said


def typed(folder: Path, url: str) -> str:
    """Type what the page types of `lockstep`, in one shell; what is seen may take a moment."""
    ours = [line.replace("tls://localhost:4222", url) for line in LINES
            if line.startswith((".venv/bin/lockstep", "export ", "LOCKSTEP_"))]  # fmt: skip
    assert len(ours) == 8
    waits = {
        ".venv/bin/lockstep runs list": "waiting",
        ".venv/bin/lockstep runs show --last": "success",
    }
    script = [
        f"until {line} | grep -q {waits[line]}; do sleep 0.2; done; {line}"
        if line in waits
        else line
        for line in ours
    ]
    done = subprocess.run(
        ["bash", "-ec", "\n".join(script)], cwd=folder, env=environment(), capture_output=True,
        text=True, check=False, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
