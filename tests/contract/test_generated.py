"""Code that others generate from the AsyncAPI document: it has names, and reads what we write."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from lockstep import contract
from lockstep.contract.components import components
from patience import LIMIT_SECONDS

SCHEMAS = Path(__file__).parents[2] / "schemas"
DOCUMENT: dict[str, Any] = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text())["components"]
DOCUMENTS = contract.schemas()
NAMES = components({*DOCUMENTS} - {"definition"}).names
OPTIONS = (
    "--input-file-type=asyncapi", "--use-title-as-name", "--formatters=builtin",
    "--output-model-type=pydantic_v2.BaseModel",
)  # fmt: skip


def titled(value: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """All schemas with a title."""
    if isinstance(value, dict):
        if isinstance(value.get("title"), str):
            yield value["title"], value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from titled(inner)


def unnamed(value: object, name: str) -> Iterator[str]:
    """Where something stands that code has a type of its own for, and that has no title."""
    if isinstance(value, dict):
        is_type = "enum" in value or (value.get("type") == "object" and "properties" in value)
        if is_type and "title" not in value:
            yield name
        for key, inner in value.items():
            yield from unnamed(inner, f"{name}.{key}")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The code that datamodel-code-generator makes."""
    pytest.importorskip(
        "datamodel_code_generator",
        reason="datamodel-code-generator of PyPI is not installed: make install",
    )
    file = tmp_path_factory.mktemp("generated") / "lockstep_messages.py"
    source = SCHEMAS / "asyncapi.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "datamodel_code_generator", *OPTIONS,
         "--input", source, "--output", file],
        check=False, capture_output=True, text=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = made  # where its classes look for one another
    spec.loader.exec_module(made)
    return made


def test_each_schema_is_titled_as_it_is_called() -> None:
    schemas = DOCUMENT["schemas"]
    assert {name: schema["title"] for name, schema in schemas.items()} == {n: n for n in schemas}
    assert [one for name in schemas for one in unnamed(schemas[name], name)] == []


def test_a_title_stands_for_one_thing() -> None:
    found: dict[str, dict[str, Any]] = {}
    for title, schema in titled(DOCUMENT):
        same = {keyword: one for keyword, one in schema.items() if keyword != "default"}
        assert found.setdefault(title, same) == same, title


def test_a_message_is_described_by_a_schema_of_the_document() -> None:
    for name, message in DOCUMENT["messages"].items():
        for side in ("payload", "headers"):
            place = message.get(side, {}).get("$ref", "#/components/schemas/RunEvent")
            assert place.rpartition("/")[2] in DOCUMENT["schemas"], name


def test_what_is_read_otherwise_than_it_is_written_has_two_schemas() -> None:
    assert DOCUMENT["schemas"]["Actor"] != DOCUMENT["schemas"]["ActorInput"]
    start, event = (DOCUMENT["schemas"][name]["properties"] for name in ("RunStart", "Automation"))
    assert start["actor"]["anyOf"][0]["$ref"].endswith("/ActorInput")
    assert event["updated_by"]["anyOf"][0]["$ref"].endswith("/Actor")


def test_every_class_of_generated_code_has_a_name_of_ours(generated: ModuleType) -> None:
    titles = {title for title, _ in titled(DOCUMENT)}
    messages = {
        "".join(word[:1].upper() + word[1:] for word in re.split(r"[._]", name))
        for name in DOCUMENT["messages"]
    }
    known = titles | {f"{name}{side}" for name in messages for side in ("Payload", "Headers")}
    classes = {
        name for name, one in vars(generated).items()
        if isinstance(one, type) and one.__module__ == generated.__name__ and "[" not in name
    }  # fmt: skip
    assert classes - known == set()
    assert DOCUMENT["schemas"].keys() <= classes


@pytest.mark.parametrize("document", NAMES)
def test_generated_code_reads_what_we_write_and_writes_it_again(
    generated: ModuleType, document: str
) -> None:
    examples = DOCUMENTS[document]["examples"]
    assert examples
    for example in examples:
        read = getattr(generated, NAMES[document]).model_validate(example)
        assert json.loads(read.model_dump_json(by_alias=True, exclude_unset=True)) == example
