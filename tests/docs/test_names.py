"""Settings, metrics, alerts, endpoints, errors and filters that pages name in passing are there."""

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest
import yaml

from engine.test_probes import NAMES
from lockstep import control
from lockstep.catalog import build_catalog
from lockstep.cli.files import error_codes
from lockstep.definition import names
from lockstep.model.log_names import LOG_NAMES
from lockstep.render import BUILT_IN
from lockstep.settings.structs import Settings
from pages import PAGES, ROOT, inline, name_of

RULES: Final = yaml.safe_load((ROOT / "deploy/prometheus/lockstep.rules.yaml").read_text())
ALERTS: Final = {rule.get("alert") for group in RULES["groups"] for rule in group["rules"]}
SETTINGS: Final = {
    f"{section.encode_name}.{field.encode_name}"
    for section in msgspec.structs.fields(Settings)
    for field in msgspec.structs.fields(section.type)
}
FILES: Final = {f"{name}_file" for name in SETTINGS}  # with the value of a setting
CODES: Final = {kind.code for kind in error_codes.classes()}
CATALOG: Final = build_catalog(open=True)
TYPES: Final = {one.qualified_id for one in (*CATALOG.triggers(), *CATALOG.actions())}
MEMBERS: Final = {
    f"{path[0]}.{member}"
    for path, members in names._MEMBERS.items()
    if len(path) == 1
    for member in members
}
KNOWN: Final = {*SETTINGS, *FILES, *CODES, *control.table(), *TYPES, *MEMBERS, *LOG_NAMES}
# What begins so is one of these, or does not exist; artifacts have the names that authors give.
WORDS: Final = {
    name.partition(".")[0] for name in (*SETTINGS, *CODES, *control.table())
} - {"artifacts"}  # fmt: skip
OTHERS: Final = {"postgres.sessions"}  # a check of `doctor`
# Of what was there once, a page of changes may speak.
EVERY: Final = pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name_of
)
PARTS: Final = ("_bucket", "_count", "_sum", "_total")
# Buckets, roles, a package.
NO_METRICS: Final = {
    *("lockstep_delays", "lockstep_waits", "lockstep_workers", "lockstep_schemas"),
    *("lockstep_owner", "lockstep_engine", "lockstep_reader"),
}


@EVERY
def test_a_setting_an_endpoint_an_error_or_a_type_that_a_page_names_is_there(page: Path) -> None:
    words = {re.sub(r" = .*", "", code) for code in inline(page)}
    named = {one for one in words if re.fullmatch(r"[a-z]+(\.[a-z_]+)+", one)}
    files = {one for one in named if one.endswith((".py", ".conf", ".json"))}
    told = {one for one in named - files if one.partition(".")[0] in WORDS}
    assert told - KNOWN - OTHERS == set()


@EVERY
def test_a_subject_of_the_api_that_a_page_names_is_one_of_an_endpoint(page: Path) -> None:
    told = re.findall(r"\blockstep\.api\.([a-z_.]*[a-z])\b", page.read_text())
    assert {*told} - {*control.table()} == set()


@EVERY
def test_a_variable_that_a_page_names_is_one_of_a_setting(page: Path) -> None:
    there = {f"LOCKSTEP_{one.replace('.', '__').upper()}" for one in (*SETTINGS, *FILES)}
    assert {*re.findall(r"\bLOCKSTEP_[A-Z]+__[A-Z_]+\b", page.read_text())} - there == set()


@EVERY
def test_a_metric_that_a_page_names_is_there(page: Path) -> None:
    named = {re.sub(r"\{.*", "", code) for code in inline(page) if code.startswith("lockstep_")}
    families = {name.removesuffix(part) for name in named for part in PARTS if name.endswith(part)}
    plain = {name for name in named if not name.endswith(PARTS)}
    assert (families | plain) - NAMES - NO_METRICS == set()


@EVERY
def test_an_alert_that_a_page_names_is_there(page: Path) -> None:
    named = {code for code in inline(page) if re.fullmatch(r"Lockstep[A-Z]\w+", code)}
    assert named - ALERTS == set()


@EVERY
def test_a_filter_that_a_page_names_is_there(page: Path) -> None:
    found = re.findall(r"(?<=[\w)'\]]) \| ([a-z]\w*)", "\n".join(inline(page)))
    assert {*found} - {*BUILT_IN} - {"name", "filter"} == set(), "those two stand for one"


def test_numbers_that_pages_tell_in_passing_hold() -> None:
    sample = ROOT / "deploy/samples/provider-python/provider.py"
    (lines,) = re.findall(r"is one in (\d+) lines", (ROOT / "docs/GUIDE.md").read_text())
    assert len(sample.read_text().splitlines()) == int(lines)
    deploying = (ROOT / "deploy/README.md").read_text()
    (pool,) = re.findall(r"`postgres.pool_size` connections, (\d+) unless set", deploying)
    assert Settings().postgres.pool_size == int(pool)
    (step, run) = re.findall(r"`engine.keep_io_bytes`: (\d+) KiB a step, (\d+) KiB", deploying)[0]
    assert Settings().engine.keep_io_bytes == int(step) * 1024
    assert int(run) == 64 * int(step), "of a run 64 times as much is kept"
