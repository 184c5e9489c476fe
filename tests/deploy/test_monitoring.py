"""Rules, alerts and dashboard: what they ask for is what the engine tells."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.machines import DEPLOY, ROOT
from lockstep.model.log_names import EVENT_NAMES, LOG_NAMES
from lockstep.model.numbers import Numbers
from lockstep.probes.figures import Figures, Gauges
from lockstep.probes.meter import Measures

Json = dict[str, Any]

RULES = yaml.safe_load((DEPLOY / "prometheus/lockstep.rules.yaml").read_text())
ALL = [rule for group in RULES["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in ALL if "alert" in rule]
RECORDED = {rule["record"] for rule in ALL if "record" in rule}
DASHBOARD: Json = json.loads((DEPLOY / "grafana/lockstep.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
# What Prometheus and Kubernetes put to each figure.
PLACES = {"job", "instance", "le"}


async def told() -> dict[str, set[str]]:
    """Let a replica tell all its figures; give their names and labels."""
    measures = Measures()
    measures.event("accepted")
    measures.batch(1)
    measures.run_ended("success", 1.0)
    measures.step_ended("delay", 1.0)
    measures.woke(0.1)
    measures.answered("runs.list", "200")

    async def numbers() -> Numbers:
        return Numbers(
            runs={"running": 1}, waits={"delay": 1}, ready=0, outbox=0, outbox_oldest_seconds=0.0
        )

    async def lag() -> dict[str, int]:
        return {"engine": 1}

    figures = Figures(measures)
    figures.look_at(
        Gauges(walks=lambda: 1, connections=lambda: {"idle": 1}, numbers=numbers, lag=lag)
    )
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families((await figures.text()).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return {name: labels for name, labels in found.items() if not name.endswith("_created")}


def selectors(node: object) -> Iterator[tuple[str, set[str]]]:
    """Find what an expression asks for: names, and the labels that it looks at."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name, {matcher.name for matcher in node.matchers.matchers}
        return
    for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
        child = getattr(node, name, None)
        if child is not None:
            yield from selectors(child)
    for child in getattr(node, "args", None) or ():
        yield from selectors(child)


def parsed(expression: str) -> list[tuple[str, set[str]]]:
    """Parse PromQL, with a value for each variable of Grafana."""
    text = expression.replace("$__rate_interval", "5m")
    found = list(selectors(promql_parser.parse(re.sub(r"\$(job|instance)\b", ".*", text))))
    assert found, expression
    return found


EXPRESSIONS = [
    *((rule.get("alert") or rule["record"], rule["expr"]) for rule in ALL),
    *((panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]),
]


async def test_rules_and_panels_ask_for_figures_and_labels_that_replicas_tell() -> None:
    figures = await told()
    for where, expression in EXPRESSIONS:
        for name, labels in parsed(expression):
            if name == "up" or name in RECORDED:
                continue
            assert name in figures, f"{where}: {name}"
            assert labels <= figures[name] | PLACES, f"{where}: {name} has no {labels}"


async def test_every_figure_is_on_the_dashboard() -> None:
    shown = {
        name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        for panel in PANELS
        for target in panel["targets"]
        for name, _ in parsed(target["expr"])
    }
    base = {re.sub(r"_(bucket|count|sum)$", "", name) for name in await told()}
    assert base - shown == set()


def test_every_panel_says_what_it_shows_and_in_what_unit() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)
    commands = (ROOT / "service/lockstep/cli/examples.py").read_text()
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        text = rule["annotations"]["description"]
        assert rule["annotations"]["summary"]
        assert text.endswith("."), rule["alert"]
        for command in re.findall(r"`lockstep ((?:[a-z]+ ?)+)", text):
            assert command.split()[0] in commands, rule["alert"]
        for log_name in re.findall(r"(?<![\w.])((?:request|metrics)\.\w+)", text):
            assert log_name in LOG_NAMES | EVENT_NAMES, rule["alert"]


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
        check=False, cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_test_that_lets_it_fire() -> None:
    tests = (DEPLOY / "prometheus/rules_test.yaml").read_text()
    assert [rule["alert"] for rule in ALERTS if rule["alert"] not in tests] == []
