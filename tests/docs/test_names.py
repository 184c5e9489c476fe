"""Settings, metrics, alerts and errors that pages name in passing are there."""

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest
import yaml

from engine.test_probes import NAMES
from lockstep import control
from lockstep.cli.files import error_codes
from lockstep.settings.structs import Settings
from pages import DOCS, ROOT, inline, name_of

RULES: Final = yaml.safe_load((ROOT / "deploy/prometheus/lockstep.rules.yaml").read_text())
ALERTS: Final = {rule.get("alert") for group in RULES["groups"] for rule in group["rules"]}
SETTINGS: Final = {
    f"{section.encode_name}.{field.encode_name}"
    for section in msgspec.structs.fields(Settings)
    for field in msgspec.structs.fields(section.type)
}
SECTIONS: Final = {name.partition(".")[0] for name in SETTINGS}
# What is no setting, though it looks like one: actions, endpoints, errors.
OTHERS: Final = {
    "nats.publish", "nats.request", "http.request",
    *control.table(), *(kind.code for kind in error_codes.classes()),
}  # fmt: skip
EVERY: Final = pytest.mark.parametrize("page", DOCS, ids=name_of)
PARTS: Final = ("_bucket", "_count", "_sum", "_total")


@EVERY
def test_a_setting_that_a_page_names_is_there(page: Path) -> None:
    words = {re.sub(r" = .*", "", code) for code in inline(page)}
    named = {one for one in words if re.fullmatch(rf"({'|'.join(SECTIONS)})\.[a-z_]+", one)}
    files = {f"{name}_file" for name in SETTINGS}
    modules = {one for one in named if one.endswith(".py")}
    assert named - SETTINGS - files - modules - OTHERS == set()


@EVERY
def test_a_metric_that_a_page_names_is_there(page: Path) -> None:
    named = {re.sub(r"\{.*", "", code) for code in inline(page) if code.startswith("lockstep_")}
    others = {"lockstep_delays", "lockstep_waits", "lockstep_workers", "lockstep_schemas"}
    families = {name.removesuffix(part) for name in named for part in PARTS if name.endswith(part)}
    plain = {name for name in named if not name.endswith(PARTS)}
    assert (families | plain) - NAMES - others - {"lockstep_owner"} == set()


@EVERY
def test_an_alert_that_a_page_names_is_there(page: Path) -> None:
    named = {code for code in inline(page) if re.fullmatch(r"Lockstep[A-Z]\w+", code)}
    assert named - ALERTS == set()
