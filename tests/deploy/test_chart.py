"""The chart of `deploy/helm`: what Helm makes of it, Kubernetes and the engine understand."""

import asyncio
import functools
import json
import re
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate  # type: ignore[import-untyped]
import msgspec
import pytest
import typer
import yaml

from deploy.machines import DEPLOY, Database, nats_server, tool
from lockstep import __version__, telemetry
from lockstep.cli.main import app as commands
from lockstep.engine.services import ANSWER_SECONDS, DRAIN_SECONDS
from lockstep.settings.load import SECRETS, Loaded, load
from lockstep.settings.structs import Settings, without_secrets
from lockstep.store import pool
from lockstep.telemetry import probe_server
from lockstep.telemetry.metrics import Metrics
from patience import LIMIT_SECONDS
from processes import environment

Json = dict[str, Any]
CHART = DEPLOY / "helm/lockstep"
VERSIONS = ("1.27", kubernetes_validate.latest_version())
CLOSE_SECONDS = 5
"""For the pool to close: see `store.Store.close`."""

CASES: Mapping[str, str] = {
    "defaults": "",
    "small": """
        fullnameOverride: engine
        nats: {engine: {method: none}}
        postgres: {tls: {mode: verify-full, existingSecret: "", caFile: /etc/ssl/certs/ca.crt}}
        migrations: {enabled: false}
        networkPolicy: {enabled: false}
        podDisruptionBudget: {enabled: false}
        serviceAccount: {create: false}
        topologySpreadConstraints: []
        probes: {host: "::", port: 9090}
        replicas: 1
    """,
    "large": """
        image: {digest: "sha256:%s"}
        imagePullSecrets: [{name: pull}]
        nats:
          servers: [tls://nats-0:4222, tls://nats-1:4333, "tls://[fd00::1]"]
          engine: {method: nkey, existingSecret: "on", key: seed}
          tls: {existingSecret: nats-tls, certKey: tls.crt, keyKey: tls.key}
        postgres: {tls: {mode: require, existingSecret: ""}, port: 6432}
        settings:
          nats: {replicas: 3, lanes: [fast, slow], manage_bus: false, triggers_max_bytes: 10000000}
          engine: {catalog: open, grace_seconds: 300, judgements: 10000000}
          postgres: {pool_size: 20}
          http: {allowed_hosts: ["*.example.com"], max_timeout_seconds: 0.5}
          secrets: {environment_prefix: "A<B>&_"}
          traces: {enabled: true, ratio: 0.25, endpoint: 'http://otel:4318/"quoted"'}
        automationSecrets: {existingSecret: automation}
        migrations:
          bus: {enabled: true, method: credentials, existingSecret: maker, key: creds}
        metrics: {annotations: true, serviceMonitor: {enabled: true, labels: {release: prometheus}}}
        autoscaling:
          enabled: true
          metric: {selector: {matchLabels: {job: lockstep}}}
          behavior: {scaleDown: {stabilizationWindowSeconds: 600}}
        networkPolicy:
          ingressFrom: [{namespaceSelector: {matchLabels: {of: monitoring}}}]
          dnsTo: [{namespaceSelector: {}}]
          natsTo: [{podSelector: {matchLabels: {app: nats}}}]
          postgresTo: [{ipBlock: {cidr: 10.0.0.0/8}}]
          extraEgress: [{ports: [{port: 443, protocol: TCP}]}]
        serviceAccount: {name: engine, annotations: {iam: role}}
        podDisruptionBudget: {maxUnavailable: 50%%}
        podAnnotations: {a: b}
        podLabels: {team: x}
        priorityClassName: high
        nodeSelector: {disk: fast}
        tolerations: [{key: a, operator: Exists}]
        affinity: {nodeAffinity: {}}
        extraEnv:
          - {name: OTEL_SERVICE_NAME, value: lockstep}
          - {name: LOCKSTEP_SECRET_A, valueFrom: {secretKeyRef: {name: a, key: b}}}
        extraVolumes: [{name: types, configMap: {name: types}}]
        extraVolumeMounts: [{name: types, mountPath: /etc/lockstep-triggers, readOnly: true}]
    """
    % ("0123456789abcdef" * 4),
}


def helm(*words: str, values: str = "") -> subprocess.CompletedProcess[str]:
    """Run Helm with values in YAML."""
    return subprocess.run(
        [tool("helm"), *words, "--values", "-"],
        input=values, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip


@functools.cache
def rendered(case: str) -> tuple[Json, ...]:
    """Give the objects that the chart makes of a case."""
    done = helm("template", "mine", str(CHART), "--namespace", "there", values=CASES[case])
    assert done.returncode == 0, done.stderr
    return tuple(one for one in yaml.safe_load_all(done.stdout) if one)


def of_kind(case: str, kind: str) -> list[Json]:
    """Give the objects of a kind."""
    return [one for one in rendered(case) if one["kind"] == kind]


def hooks_of(one: Json) -> set[str]:
    """Name the hooks that an object is; none where it is an ordinary one."""
    text = one["metadata"].get("annotations", {}).get("helm.sh/hook", "")
    return set(text.split(",")) - {""}


def pods(case: str) -> Iterator[tuple[Json, Json]]:
    """Give metadata and specification of each pod, whoever makes it."""
    for one in rendered(case):
        if one["kind"] == "Pod":
            yield one["metadata"], one["spec"]
        elif one["kind"] in {"Deployment", "Job"}:
            template = one["spec"]["template"]
            yield template["metadata"], template["spec"]


def containers(case: str) -> Iterator[tuple[Json, Json]]:
    """Give each container, with the pod that it is in."""
    for _, pod in pods(case):
        assert "initContainers" not in pod
        yield from ((pod, container) for container in pod["containers"])


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Say whether a selector of Kubernetes picks these labels."""
    if not selector["matchLabels"].items() <= labels.items():
        return False
    for rule in selector.get("matchExpressions", ()):
        assert rule["operator"] == "NotIn"
        if labels.get(rule["key"]) in rule["values"]:
            return False
    return True


def picked(case: str, selector: Json) -> set[str]:
    """Name the components whose pods a selector picks."""
    key = "app.kubernetes.io/component"
    return {meta["labels"][key] for meta, _ in pods(case) if selects(selector, meta["labels"])}


def secret_files(pod: Json, container: Json) -> set[str]:
    """Name the files of Secrets that a container sees."""
    volumes = {one["name"]: one for one in pod["volumes"]}
    return {
        f"{mount['mountPath']}/{item['path']}"
        for mount in container["volumeMounts"]
        for source in volumes[mount["name"]].get("projected", {"sources": []})["sources"]
        for item in source["secret"]["items"]
    }


def settings_of(case: str, pod: Json, container: Json, folder: Path) -> Loaded:
    """Read the settings of a container as the engine does, with its files below a folder."""
    for file in secret_files(pod, container):
        (folder / file.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.lstrip("/")).write_text("of-a-secret\n")
    environ = {one["name"]: one.get("value", "of-a-secret") for one in container["env"]}
    environ = {name: value.replace("/run/", f"{folder}/run/") for name, value in environ.items()}
    if path := environ.pop("LOCKSTEP_CONFIG", None):
        (mount,) = (m for m in container["volumeMounts"] if path.startswith(f"{m['mountPath']}/"))
        (volume,) = (one for one in pod["volumes"] if one["name"] == mount["name"])
        (config,) = of_kind(case, "ConfigMap")
        assert volume["configMap"]["name"] == config["metadata"]["name"]
        text = config["data"][path.removeprefix(f"{mount['mountPath']}/")]
        (folder / "settings.toml").write_text(text.replace("/run/", f"{folder}/run/"))
        return load(folder / "settings.toml", environ, use_dev=False)
    return load(None, environ, use_dev=False)


@pytest.mark.parametrize("case", CASES)
def test_helm_finds_nothing_wrong(case: str) -> None:
    done = helm("lint", "--strict", str(CHART), values=CASES[case])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_every_object_has_only_fields_that_kubernetes_knows(case: str, version: str) -> None:
    for one in rendered(case):
        if one["kind"] != "ServiceMonitor":  # of the Prometheus operator
            kubernetes_validate.validate(one, version, strict=True)
        assert len(one["metadata"]["name"]) <= 63


@pytest.mark.parametrize("case", CASES)
def test_every_pod_runs_as_nobody_of_rights_on_a_root_that_is_read_only(case: str) -> None:
    for _, pod in pods(case):
        user = pod["securityContext"]
        assert user["runAsNonRoot"] is True
        assert (user["runAsUser"], user["runAsGroup"], user["fsGroup"]) == (10001,) * 3
        assert user["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for pod, container in containers(case):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} == container["resources"].keys()
        mounts = {one["name"]: one for one in container["volumeMounts"]}
        volumes = {one["name"]: one for one in pod["volumes"]}
        assert mounts["tmp"]["mountPath"] == "/tmp"  # noqa: S108 - of the container
        assert "emptyDir" in volumes["tmp"]
        assert all(one.get("readOnly") for name, one in mounts.items() if name != "tmp")


@pytest.mark.parametrize("case", CASES)
def test_no_object_holds_a_secret_itself(case: str, tmp_path: Path) -> None:
    assert not of_kind(case, "Secret")
    (config,) = of_kind(case, "ConfigMap")
    text = config["data"]["lockstep.toml"]
    assert [without_secrets(line) for line in text.splitlines()] == text.splitlines()
    assert not re.search(r"^(password|token) =", text, re.MULTILINE)
    for pod, container in containers(case):
        for one in container["env"]:
            assert without_secrets(one.get("value", "")) == one.get("value", "")
            name = one["name"].removeprefix("LOCKSTEP_").lower().replace("__", ".")
            assert name not in SECRETS
        # What is a secret for the engine comes from a file of a Secret.
        for name, _, source in settings_of(case, pod, container, tmp_path).shown():
            if name in SECRETS and source != "default":
                assert f"file {tmp_path}/run/lockstep/secrets/" in source


@pytest.mark.parametrize("case", CASES)
def test_every_file_that_settings_name_is_mounted_and_no_other(case: str, tmp_path: Path) -> None:
    for pod, container in containers(case):
        settings = settings_of(case, pod, container, tmp_path).settings
        named = {
            str(getattr(settings.nats, name))
            for name in settings.nats.__struct_fields__
            if name.endswith("_file") and getattr(settings.nats, name)
        }
        if settings.nats.password:
            named.add(f"{tmp_path}/run/lockstep/secrets/nats-password")
        if settings.postgres.password_file:
            named.add(settings.postgres.password_file)
        query = parse_qs(urlsplit(settings.postgres.dsn).query)
        named |= {one for one in query.get("sslrootcert", []) if one.startswith(str(tmp_path))}
        assert named == {f"{tmp_path}{file}" for file in secret_files(pod, container)}


def test_only_the_job_gets_the_password_of_the_owner() -> None:
    for case in ("defaults", "large"):
        for meta, pod in pods(case):
            is_job = meta["labels"]["app.kubernetes.io/component"] == "migrate"
            assert ("lockstep-postgres-owner" in json.dumps(pod)) == is_job
    (job,) = of_kind("large", "Job")
    migrate, bus = job["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in migrate["volumeMounts"]] == ["owner", "tmp"]
    assert [one["name"] for one in bus["volumeMounts"]] == ["bus", "tmp"]


@pytest.mark.parametrize("case", CASES)
def test_a_hook_needs_nothing_that_is_no_hook(case: str) -> None:
    """Those before an install: nothing of the chart is there yet."""
    early = [one for one in rendered(case) if "pre-install" in hooks_of(one)]
    assert [one["kind"] for one in early] in ([], ["NetworkPolicy", "Job"])
    later = {one["metadata"]["name"] for one in rendered(case) if one not in early}
    for one in early:
        assert hooks_of(one) == {"pre-install", "pre-upgrade"}
        assert not later & set(re.findall(r'"([^"]+)"', json.dumps(one["spec"])))
    weights = [int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) for one in early]
    assert weights == sorted(weights)


def test_what_a_test_of_the_chart_has_said_can_be_read_when_it_has_passed() -> None:
    """Helm 3 reads the log for `helm test --logs` after it has deleted what its policy names."""
    (doctor,) = [one for one in rendered("defaults") if "test" in hooks_of(one)]
    policy = doctor["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    assert policy == "before-hook-creation"


@pytest.mark.parametrize("case", CASES)
def test_the_engine_understands_every_setting_of_the_chart(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where no settings lie about
    for number, (pod, container) in enumerate(containers(case)):
        settings_of(case, pod, container, tmp_path / str(number))


def found(case: str, name: str, folder: Path) -> Settings:
    """Give the settings of the container with a name."""
    (one,) = (both for both in containers(case) if both[1]["name"] == name)
    return settings_of(case, *one, folder).settings


def test_the_values_reach_the_settings(tmp_path: Path) -> None:
    engine = found("defaults", "engine", tmp_path)
    assert engine.nats.servers == ["nats://nats:4222"]
    assert (engine.nats.user, engine.nats.inbox_prefix) == ("engine", "_INBOX_engine")
    assert engine.nats.password == "of-a-secret"  # noqa: S105
    at = f"postgres:5432/lockstep?sslmode=verify-full&sslrootcert={tmp_path}/run/lockstep/secrets"
    expected = f"@{at}/postgres-ca.crt&password=of-a-secret"
    assert engine.postgres.dsn == f"postgresql://lockstep_engine{expected}"
    migrate = found("defaults", "migrate", tmp_path)
    assert migrate.postgres.dsn == f"postgresql://lockstep_owner{expected}"


def test_every_kind_of_value_reaches_the_settings(tmp_path: Path) -> None:
    engine = found("large", "engine", tmp_path)
    assert engine.nats.lanes == ["fast", "slow"]
    assert engine.nats.manage_bus is False
    assert engine.nats.triggers_max_bytes == engine.engine.judgements == 10_000_000
    assert engine.http.max_timeout_seconds == 0.5
    assert engine.secrets.environment_prefix == "A<B>&_"
    assert engine.secrets.folder == f"{tmp_path}/run/lockstep/automation-secrets"
    assert engine.traces.endpoint == 'http://otel:4318/"quoted"'
    # The same streams are asked for by who makes them, under another name.
    bus = found("large", "bus", tmp_path)
    names = ("replicas", "lanes", "manage_bus", "triggers_max_bytes", "servers", "tls_ca_file")
    assert [getattr(bus.nats, name) for name in names] == [
        getattr(engine.nats, name) for name in names
    ]
    assert bus.nats.credentials_file
    assert not bus.nats.nkey_seed_file


@pytest.mark.parametrize("case", CASES)
def test_every_command_is_one_of_the_command_line(case: str) -> None:
    for _, container in containers(case):
        assert "command" not in container  # the entry point of the image is `lockstep`
        command: Any = typer.main.get_command(commands)
        for word in container["args"]:
            command = command.commands[word]


@pytest.mark.parametrize("case", CASES)
async def test_the_probes_ask_what_is_answered_where_it_is(case: str, tmp_path: Path) -> None:
    settings = found(case, "engine", tmp_path).probes
    (deployment,) = of_kind(case, "Deployment")
    (engine,) = deployment["spec"]["template"]["spec"]["containers"]
    (port,) = engine["ports"]
    assert (port["name"], port["containerPort"]) == ("probes", settings.port)
    assert settings.host in {"0.0.0.0", "::"}  # noqa: S104 - that is what a kubelet reaches
    asked = [engine[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    assert [one["port"] for one in asked] == ["probes"] * 3
    paths = [one["path"] for one in asked]
    assert paths == ["/livez", "/livez", "/readyz"]
    paths += [end["path"] for one in of_kind(case, "ServiceMonitor")
              for end in one["spec"]["endpoints"]]  # fmt: skip
    answering = probe_server.Probes(telemetry.Health(), Metrics(telemetry.Measures()))
    for path in paths:
        assert (await answering._answer("GET", path))[0] in {200, 503}


@pytest.mark.parametrize("case", CASES)
def test_a_pod_has_longer_to_end_than_an_engine_takes(case: str, tmp_path: Path) -> None:
    grace = found(case, "engine", tmp_path).engine.grace_seconds
    store = pool.ACQUIRE_TIMEOUT_SECONDS + pool.COMMAND_TIMEOUT_SECONDS + CLOSE_SECONDS
    # The API, the alarms of the bus, intake and the outbox: one after the other.
    drains = ANSWER_SECONDS + 4 * DRAIN_SECONDS
    longest = grace + drains + store + probe_server.END_SECONDS
    (deployment,) = of_kind(case, "Deployment")
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > longest


@pytest.mark.parametrize("case", CASES)
def test_selectors_pick_the_pods_that_they_mean(case: str) -> None:
    (deployment,) = of_kind(case, "Deployment")
    engine = {"engine"}
    spec = deployment["spec"]
    assert picked(case, spec["selector"]) == engine
    for one in of_kind(case, "PodDisruptionBudget"):
        assert picked(case, one["spec"]["selector"]) == engine
    for one in spec["template"]["spec"].get("topologySpreadConstraints", ()):
        assert picked(case, one["labelSelector"]) == engine
    (service,) = of_kind(case, "Service")
    assert picked(case, {"matchLabels": service["spec"]["selector"]}) == engine
    assert service["spec"]["ports"][0]["targetPort"] == "probes"
    for one in of_kind(case, "ServiceMonitor"):
        assert selects(one["spec"]["selector"], service["metadata"]["labels"])
        # The rules of deploy/prometheus want the job to be called so.
        assert service["metadata"]["labels"][one["spec"]["jobLabel"]] == "lockstep"
        assert one["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    for one in of_kind(case, "HorizontalPodAutoscaler"):
        assert one["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
        assert "replicas" not in spec


def test_every_pod_has_a_policy_and_may_reach_what_it_needs_and_nothing_else() -> None:
    for case, nats in (("defaults", {4222}), ("large", {4222, 4333})):
        postgres = {"defaults": 5432, "large": 6432}[case]
        policies = {
            frozenset(picked(case, one["spec"]["podSelector"])): one["spec"]
            for one in of_kind(case, "NetworkPolicy")
        }
        assert policies.keys() == {frozenset({"engine", "test"}), frozenset({"migrate"})}
        extra = {443} if case == "large" else set()
        bus = nats if case == "large" else set()
        expected = {"engine": nats | extra, "migrate": bus}
        for picks, policy in policies.items():
            assert policy["policyTypes"] == ["Ingress", "Egress"]
            ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
            (who,) = picks & expected.keys()
            assert ports == expected[who] | {53, postgres}
            opened = [port["port"] for rule in policy["ingress"] for port in rule["ports"]]
            assert opened == ([8080] if who == "engine" else [])


@pytest.mark.parametrize(
    "value",
    [
        "unknown: 1", "image: {tags: a}", "image: {digest: latest}", "replicas: two",
        "nats: {servers: ['nats://engine:word@nats']}", "nats: {servers: []}",
        "nats: {engine: {existingSecret: ''}}", "nats: {engine: {method: guess}}",
        "nats: {engine: {password: word}}", "nats: {tls: {existingSecret: a, certKey: tls.crt}}",
        "postgres: {engine: {password: word}}", "postgres: {host: 'a/b?password=word'}",
        "postgres: {tls: {existingSecret: ''}}", "postgres: {engine: {user: 'a:word'}}",
        "settings: {engine: {max_walk: 1}}", "settings: {engine: {max_walks: 0}}",
        "settings: {engine: {catalog: loose}}", "settings: {engine: {stub_actions: true}}",
        "settings: {nats: {password: word}}", "settings: {nats: {token_file: /a}}",
        "settings: {postgres: {dsn: postgresql://a}}", "settings: {probes: {port: 1}}",
        "migrations: {bus: {enabled: true}}", "probes: {port: 0}",
        "podDisruptionBudget: {maxUnavailable: 0}",
        "extraEnv: [{name: LOCKSTEP_SECRET_A, value: word}]",
        "extraEnv: [{name: LOCKSTEP_NATS__PASSWORD, value: word}]",
    ],
)  # fmt: skip
def test_a_value_that_is_unknown_wrong_or_secret_is_refused(value: str) -> None:
    done = helm("template", "mine", str(CHART), values=value)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


OWN: Mapping[str, set[str]] = {
    "nats": {
        "servers", "inbox_prefix", "user", "password", "token", "nkey_seed_file",
        "credentials_file", "tls_ca_file", "tls_cert_file", "tls_key_file",
    },
    "postgres": {"dsn", "password_file"},
    "secrets": {"folder"},
    "engine": {"stub_actions", "stub_record_file"},
}  # fmt: skip
"""What the chart sets by itself, what is secret, and what is for tests."""


def test_the_schema_of_values_has_each_setting_as_the_engine_has_it() -> None:
    definitions = msgspec.json.schema(Settings)["$defs"]
    expected = {}
    for section in msgspec.structs.fields(Settings):
        described = definitions[section.type.__name__]["properties"]
        expected[section.name] = {
            name: {key: word for key, word in one.items() if key != "default"}
            for name, one in described.items()
            if name not in OWN.get(section.name, set())
        }
    del expected["probes"]  # has values of its own
    schema = json.loads((CHART / "values.schema.json").read_text())
    sections = schema["properties"]["settings"]["properties"]
    assert {name: one["properties"] for name, one in sections.items()} == expected


def closed(schema: Json, path: str = "") -> Iterator[str]:
    """Name the objects with properties that would take unknown ones too."""
    if "properties" in schema and schema.get("additionalProperties") is not False:
        yield path
    for name, one in schema.get("properties", {}).items():
        yield from closed(one, f"{path}.{name}") if isinstance(one, dict) else ()
    if "items" in schema:
        yield from closed(schema["items"], f"{path}[]")


def test_the_schema_of_values_takes_nothing_that_it_does_not_name() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert list(closed(schema)) == []
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema["required"]) == values.keys() == schema["properties"].keys() - {"global"}


def test_the_chart_belongs_to_this_version_of_the_engine() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    images = {container["image"] for _, container in containers("defaults")}
    assert images == {f"ghcr.io/lockstep/lockstep:{__version__}"}
    digests = {container["image"] for _, container in containers("large")}
    assert digests == {f"ghcr.io/lockstep/lockstep@sha256:{'0123456789abcdef' * 4}"}


def test_other_settings_make_other_pods() -> None:
    def checksum(values: str) -> str:
        done = helm("template", "mine", str(CHART), values=values)
        (one,) = re.findall("checksum/settings: (.+)", done.stdout)
        return str(one)

    before, again = checksum(""), checksum("podAnnotations: {a: b}")
    assert before == again != checksum("settings: {engine: {max_walks: 7}}")


def test_the_values_in_the_readme_are_taken() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text(), re.DOTALL)
    (values,) = (one for one in blocks if "externalRules" not in one)
    done = helm("template", "mine", str(CHART), values=values)
    assert done.returncode == 0, done.stderr
    commented = re.findall(r"^#(  .*)\n", (CHART / "values.yaml").read_text(), re.MULTILINE)
    done = helm("template", "mine", str(CHART), values="settings:\n" + "\n".join(commented))
    assert done.returncode == 0, done.stderr
    assert 'allowed_hosts = ["*.example.com"]' in done.stdout


async def test_job_and_test_of_the_chart_do_their_work_on_servers_of_deploy(
    database: Database, tmp_path: Path
) -> None:
    """With the very words, variables and files of their containers."""
    files = {"postgres-ca.crt": database.ca.read_text()}
    async with nats_server(tmp_path / "bus") as bus:
        values = f"""
            nats: {{servers: ["{bus.url}"]}}
            postgres: {{host: localhost, port: {database.port}}}
            migrations: {{bus: {{enabled: true, user: engine, inboxPrefix: _INBOX_engine,
              existingSecret: lockstep-nats-engine}}}}
        """
        passwords = {
            "migrate": {"postgres-password": database.passwords["postgres_owner"]},
            "bus": {"nats-password": bus.passwords["nats_engine"]},
            "doctor": {
                "nats-password": bus.passwords["nats_engine"],
                "postgres-password": database.passwords["postgres_engine"],
            },
        }
        done = await asyncio.to_thread(helm, "template", "mine", str(CHART), values=values)
        objects = [one for one in yaml.safe_load_all(done.stdout) if one]
        for name, secrets in passwords.items():
            folder = tmp_path / name
            for file, text in {**files, **secrets}.items():
                path = folder / "run/lockstep/secrets" / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            code, out = await run_container(objects, name, folder)
            faults = re.findall("^fault .*", out, re.MULTILINE)
            # That one is of the server of the tests, which shall be quick.
            assert all("fsync off" in fault for fault in faults), out
            assert code == len(faults), out


async def run_container(objects: list[Json], name: str, folder: Path) -> tuple[int | None, str]:
    """Run the command of a container, with a folder in place of its root."""
    (container,) = (
        container
        for one in objects
        if one["kind"] in {"Job", "Pod"}
        for container in one["spec"].get("template", one)["spec"]["containers"]
        if container["name"] == name
    )
    (config,) = (one for one in objects if one["kind"] == "ConfigMap")
    (folder / "etc/lockstep").mkdir(parents=True)
    text = config["data"]["lockstep.toml"].replace("/run/", f"{folder}/run/")
    (folder / "etc/lockstep/lockstep.toml").write_text(text)
    given = {one["name"]: re.sub("^/|(?<==)/", f"{folder}/", one["value"])
             for one in container["env"]}  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", *container["args"],
        env={**environment(), **given}, cwd=folder, stdout=PIPE, stderr=STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    return process.returncode, out.decode()
