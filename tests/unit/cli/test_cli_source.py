"""What `automations show` writes is what `apply` reads."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lockstep.cli.files.source import document, dump
from lockstep.definition.source import read_all
from lockstep_schemas.api import Automation

AT = datetime(2030, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "yes", "on", "null", "~", "", " ", "0o17", "0x1f", "1e5", "1_000", "12:30", "1.0", ".5",
        ".inf", "2030-01-02", "=", "<<", "- a", "a: b", "# a", "{{ x }}", "'", '"', "a\nb",
        "a\nb\n", "\n", " a\n b", "a\n\n", "\ta\n", "ä\u2028b", "\x00\x07", "line\r\nend",
        "é" * 300, "word " * 60,
        0, -1, 1.5, 1e300, 2**70, True, False, None, [], {}, [[], {}], {"": {"": ""}},
        {"yes": 1, "1": 2, "a b": 3, "a:b": 4, "x\ny": 5},
    ],
)  # fmt: skip
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    (read,) = read_all(dump({"a": [value, {"b": value}]}))
    assert read.value == {"a": [value, {"b": value}]}
    assert type(read.value["a"][0]) is type(value)


def test_what_is_there_twice_is_written_twice() -> None:
    same = {"a": [1]}
    assert "&" not in dump([same, same])


def test_an_automation_keeps_its_id_and_leaves_out_what_it_has_not() -> None:
    one = Automation(
        id="porch", name="Porch light", description=None, status="disabled", group=None,
        definition={"name": "x", "triggers": [{"event": "a"}]}, version=3, managed_by="apply",
        updated_by=None, created_at=AT, updated_at=AT,
    )  # fmt: skip
    (read,) = read_all(document(one))
    assert read.value == {
        "id": "porch",
        "name": "Porch light",
        "status": "disabled",
        "definition": one.definition,
    }
