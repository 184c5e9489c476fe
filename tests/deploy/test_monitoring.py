"""Rules, alerts and dashboard of `deploy/`: they ask for what the engine tells, and say what to do.

The names come from the figures of an engine, made as `/metrics` makes them.
"""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import promql_parser
import pytest
import typer
import yaml
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import MatchOp

from deploy.machines import DEPLOY
from lockstep import telemetry
from lockstep.cli.main import app as commands
from lockstep.model.errors import Unavailable
from lockstep.model.findings import Numbers
from lockstep.model.log_names import LOG_NAMES
from lockstep.settings.structs import Settings
from lockstep.telemetry.meter import SHORT
from lockstep.telemetry.metrics import Gauges, Metrics
from lockstep_schemas.run_events import ACTIVE
from patience import LIMIT_SECONDS
from unit.moved import StreamClock

Json = dict[str, Any]
Samples = Mapping[str, Mapping[str, set[str]]]
"""Names of samples, with their labels, with the values of these."""

RULES = yaml.safe_load((DEPLOY / "prometheus/lockstep.rules.yaml").read_text())
RULE_TESTS = yaml.safe_load((DEPLOY / "prometheus/rules_test.yaml").read_text())
DASHBOARD: Json = json.loads((DEPLOY / "grafana/lockstep.json").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]
RECORDS = [rule for group in RULES["groups"] for rule in group["rules"] if "record" in rule]
OF_PROMETHEUS = {"namespace", "job", "instance"}
"""Labels that whoever collects figures puts to them."""
SETTINGS = {
    f"{section.name}.{one}"
    for section in msgspec.structs.fields(Settings)
    for one in section.type.__struct_fields__
}
OPEN = {"group", "kind", "endpoint", "automation"}
"""Labels whose values nobody can list."""


async def told(*, servers_answer: bool) -> Samples:
    """Give all samples that an engine tells, once everything has happened."""
    measures = telemetry.Measures()
    measures.step_ended("delay", 1.0)
    measures.run_ended("orders", "success", 1.0)
    measures.listener_failed("Reporter")
    measures.service_failed("outbox")
    for code in ("200", "400", "404", "409", "500", "503"):
        measures.answered("runs.list", code)

    async def numbers() -> Numbers:
        if not servers_answer:
            raise Unavailable("away")
        runs, waits = {str(status): 1 for status in ACTIVE}, {"event": 1}
        return Numbers(
            runs=runs, ready=1, waits=waits, outbox=1, outbox_oldest_seconds=1.0, parked={"run": 1}
        )

    async def lag() -> Mapping[str, int]:
        return {"engine": 1}

    figures, states = Metrics(measures), {"busy": 1, "idle": 1}
    figures.look_at(
        Gauges(
            walks=lambda: 1,
            services=lambda: {"intake": True},
            connections=lambda: states,
            decisions_dropped=lambda: 0,
            automations=lambda: {"orders": "Orders"},
            stream_clock=StreamClock(),
            held_up=lambda: (1, 1.0),
            numbers=numbers,
            lag=lag,
        )
    )
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families((await figures.text()).decode()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


SAMPLES = asyncio.run(told(servers_answer=True))
ALIKE = SAMPLES.keys() - asyncio.run(told(servers_answer=False)).keys()
"""What the servers tell to each replica: the same to all."""


def panels() -> list[Json]:
    """Give all panels of the dashboard that show something."""
    return [one for one in DASHBOARD["panels"] if one["type"] != "row"]


def readable(expression: str) -> str:
    """Put something in place of the variables of Grafana."""
    return expression.replace("[$__rate_interval]", "[5m]")


def expressions() -> Iterator[tuple[str, str]]:
    """Give every expression in PromQL, with where it is."""
    for rule in (*RECORDS, *ALERTS):
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", readable(target["expr"])
    for case in RULE_TESTS["tests"]:
        for one in case["promql_expr_test"]:
            yield case["name"], one["expr"]
    readme = (DEPLOY / "helm/lockstep/README.md").read_text()
    (query,) = re.findall(r"metricsQuery: '(.*)'", readme)
    query = query.replace("<<.Series>>", "lockstep_event_lag").replace("<<.LabelMatchers>>", "")
    yield "README of the chart", query


EXPRESSIONS = list(expressions())


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    """Give what an expression selects."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def grouped(expression: str, words: str = "by|on|ignoring") -> set[str]:
    """Name the labels by which an expression aggregates or matches."""
    lists = re.findall(rf"\b(?:{words})\s*\(([^)]*)\)", expression)
    return {label.strip() for one in lists for label in one.split(",")} - {""}


def known() -> Samples:
    """Add what the rules record, and what Prometheus itself has, to the samples of the engine."""
    found = dict(SAMPLES)
    for rule in RECORDS:
        below = {
            name: values
            for one in selectors(rule["expr"])
            for name, values in found[str(one.name)].items()
        }
        by = grouped(rule["expr"])
        found[rule["record"]] = {name: values for name, values in below.items() if name in by}
    alerts = {
        "alertname": {alert["alert"] for alert in ALERTS},
        "severity": {alert["labels"]["severity"] for alert in ALERTS},
        "alertstate": {"pending", "firing"},
    }
    return {**found, "up": {}, "ALERTS": alerts}


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_an_expression_asks_for_what_the_engine_tells(where: str, expression: str) -> None:
    names = known()
    asked = selectors(expression)
    assert asked, where
    labels = set(OF_PROMETHEUS)
    for selector in asked:
        name = str(selector.name)
        assert name in names
        labels |= names[name].keys()
        for matcher in selector.matchers.matchers:
            if matcher.name in OF_PROMETHEUS:
                continue
            assert matcher.name in names[name], f"{name} has no {matcher.name}"
            assert matcher.op in (MatchOp.Equal, MatchOp.NotEqual, MatchOp.Re)
            wanted = matcher.value.split("|") if matcher.op == MatchOp.Re else [matcher.value]
            if matcher.name not in OPEN:
                assert {*wanted} <= {*names[name][matcher.name]}
    assert grouped(expression) <= labels


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_what_all_replicas_tell_alike_is_not_summed(where: str, expression: str) -> None:
    """A sum would count it once for each replica."""
    for name in ALIKE & {one.name for one in selectors(expression)}:
        largest = rf"max(?: by \([^)]*\))? ?\({re.escape(name)}\b"
        assert re.search(f"{largest}|unless .*{name}", expression), where


def test_the_recorded_and_the_alerts_have_names_of_their_own() -> None:
    names = [rule.get("alert") or rule["record"] for rule in (*RECORDS, *ALERTS)]
    assert len(names) == len(set(names))
    for rule in RECORDS:  # level:metric:operations, as Prometheus advises
        level, metric, _ = rule["record"].split(":")
        assert set(level.split("_")) == grouped(rule["expr"])
        assert metric.removesuffix("_total") in rule["expr"]


def all_commands(command: Any = None, path: str = "lockstep") -> Iterator[str]:
    """Give every command of the command line, as it is typed."""
    command = command or typer.main.get_command(commands)
    yield path
    for name, one in getattr(command, "commands", {}).items():
        yield from all_commands(one, f"{path} {name}")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_what_happened_and_what_to_type_or_where_to_look(alert: Json) -> None:
    assert alert["alert"].startswith("Lockstep")
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert alert["annotations"].keys() == {"summary", "description"}
    text = alert["annotations"]["description"]
    typed = [one for one in re.findall(r"`([^`]+)`", text) if one.startswith("lockstep ")]
    assert typed
    for line in typed:
        words = [word for word in line.split() if re.fullmatch("[a-z]+", word)]
        assert any(" ".join(words[:n]) in set(all_commands()) for n in (3, 2)), line


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_names_settings_log_lines_and_labels_that_there_are(alert: Json) -> None:
    text = alert["annotations"]["description"]
    assert set(re.findall(r"`([a-z]+\.[a-z_]+)`", text)) <= SETTINGS | LOG_NAMES.keys()
    names = known()
    labels = {label for one in selectors(alert["expr"]) for label in names[str(one.name)]}
    kept = grouped(alert["expr"], "by") or labels | OF_PROMETHEUS
    assert set(re.findall(r"\$labels\.([a-z_]+)", text)) <= kept
    other = {alert["alert"] for alert in ALERTS}
    assert set(re.findall(r"\bLockstep[A-Z]\w+", text)) <= other


def test_every_alert_is_tried_both_ways() -> None:
    tries = [one for case in RULE_TESTS["tests"] for one in case["promql_expr_test"]]
    shown = {
        name
        for one in tries
        if one["exp_samples"]
        for name in re.findall(r'alertname="(\w+)"', one["expr"])
    }
    assert shown == {alert["alert"] for alert in ALERTS}
    assert [one for one in tries if one["expr"] == "ALERTS" and not one["exp_samples"]]


def test_prometheus_calls_the_job_as_the_rules_do() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())
    (job,) = config["scrape_configs"]
    jobs = {m.value for _, expression in EXPRESSIONS for selector in selectors(expression)
            for m in selector.matchers.matchers if m.name == "job"}  # fmt: skip
    assert jobs == {job["job_name"], "$job"}
    assert config["rule_files"] == ["lockstep.rules.yaml"]
    assert job.get("metrics_path", "/metrics") == "/metrics"


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_and_in_what_unit(panel: Json) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    references = [target["refId"] for target in panel["targets"]]
    assert references
    assert len(references) == len(set(references))
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"]
        assert target["legendFormat"] or panel["type"] == "stat"
        for selector in selectors(readable(target["expr"])):
            chosen = {one.name: one.value for one in selector.matchers.matchers}
            assert chosen["job"] == "$job"
            assert chosen["instance"] == "$instance"
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            aggregated = grouped(target["expr"])
            assert label in aggregated or (label == "instance" and not aggregated)


def test_the_dashboard_shows_every_figure_of_the_engine() -> None:
    shown = {
        re.sub("_(bucket|sum|count)$", "", str(selector.name))
        for panel in panels()
        for target in panel["targets"]
        for selector in selectors(readable(target["expr"]))
    }
    assert shown == {re.sub("_(bucket|sum|count)$", "", name) for name in SAMPLES}


def test_the_panels_have_places_and_numbers_of_their_own() -> None:
    numbers = [one["id"] for one in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    taken: set[tuple[int, int]] = set()
    for one in DASHBOARD["panels"]:
        at = one["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, one["title"]
        taken |= cells


def test_the_dashboard_takes_its_source_its_job_and_its_replicas_from_variables() -> None:
    assert DASHBOARD["uid"] == "lockstep"
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"]
    assert variables["datasource"]["type"] == "datasource"
    for name in ("job", "instance"):
        (query,) = re.findall(r"^label_values\((.*), (\w+)\)$", variables[name]["definition"])
        assert query[1] == name
        assert {str(one.name) for one in selectors(query[0])} <= SAMPLES.keys()
    rows = [one["title"] for one in DASHBOARD["panels"] if one["type"] == "row"]
    assert len(rows) == len(set(rows))


def test_thresholds_lie_within_the_buckets() -> None:
    """Beyond the last bucket a quantile tells nothing."""
    for alert in ALERTS:
        if "histogram_quantile" in alert["expr"]:
            threshold = float(alert["expr"].rpartition(">")[2])
            assert "wakes_late" in alert["expr"]
            assert threshold < max(SHORT)


@pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool comes with Prometheus; PyPI does not have it",
)
@pytest.mark.parametrize(
    "words",
    [
        ("check", "rules", "lockstep.rules.yaml"),
        ("check", "config", "prometheus.yaml"),
        ("test", "rules", "rules_test.yaml"),
    ],
)
def test_promtool_agrees_and_each_alert_fires_when_it_should(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *words],
        check=False, cwd=DEPLOY / "prometheus", capture_output=True, text=True,
        timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
