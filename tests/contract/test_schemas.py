"""The JSON Schemas: current, valid, described, with examples that hold."""

import json
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest
import yaml

import lockstep_schemas
from lockstep import contract, control
from lockstep.cases import format as cases
from lockstep.cli.files import documents
from lockstep.contract import case_file
from lockstep.contract.examples import EXAMPLES
from lockstep.contract.schemas import reply_of, request_of
from lockstep.definition.stored import parse

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "schemas"
SCHEMAS = contract.schemas()
MODULES = sorted(module.name for module in pkgutil.iter_modules(lockstep_schemas.__path__))
HELLO = {"name": "Hello", "triggers": [{"event": "demo.hello"}]}
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def structs(module: str) -> list[type[msgspec.Struct]]:
    """The structs of a module of the schemas."""
    found = vars(import_module(f"lockstep_schemas.{module}")).values()
    return [one for one in found if isinstance(one, type) and issubclass(one, msgspec.Struct)]


def test_the_files_are_those_that_are_generated() -> None:
    wrong = [f"{change.path}: {change.what}" for change in contract.changes(FOLDER)]
    assert not wrong, "run `lockstep schemas` and commit what it writes"


def test_the_same_sources_give_the_same_text() -> None:
    assert contract.documents() == contract.documents()


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_document_is_a_schema_of_its_draft(name: str) -> None:
    assert SCHEMAS[name]["$schema"] == DRAFT
    jsonschema_rs.meta.validate(SCHEMAS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_document_has_examples_and_they_hold(name: str) -> None:
    examples = SCHEMAS[name].get("examples", [])
    assert examples, "add one to contract.examples"
    validator = jsonschema_rs.Draft202012Validator(SCHEMAS[name], validate_formats=True)
    for example in examples:
        assert [error.message for error in validator.iter_errors(example)] == []


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_an_example_is_what_its_struct_takes(kind: type[msgspec.Struct]) -> None:
    for example in EXAMPLES[kind]:
        if kind.__name__ not in {"Definition", "AutomationDocument"}:  # these have a parser
            msgspec.convert(example, kind)


def test_the_examples_of_definitions_are_right() -> None:
    for example in [*SCHEMAS["definition"]["examples"]]:
        parse(example)
    for example in SCHEMAS["automation-document"]["examples"]:
        parse(example.get("definition", example))


@pytest.mark.parametrize("module", MODULES)
def test_every_field_that_crosses_the_edge_is_described(module: str) -> None:
    silent = [
        f"{kind.__name__}.{field.name}"
        for kind in structs(module)
        for field in msgspec.structs.fields(kind)
        if "description" not in str(field.type)
    ]
    assert not silent


def test_every_field_of_a_case_is_described() -> None:
    for kind, words in case_file.WORDS.items():
        assert {field.name for field in msgspec.structs.fields(kind)} == set(words), kind.__name__
    kinds = {one for one in vars(cases).values() if isinstance(one, type)}
    written = {one for one in kinds if one.__module__ == cases.__name__}
    assert written - set(case_file.WORDS) <= {cases.CommonFields}


@pytest.mark.parametrize(
    ("document", "right"),
    [
        ({"definition": HELLO}, True),
        (HELLO, True),
        ({"definition": HELLO, "id": "a", "group": None, "status": "disabled"}, True),
        ({"definition": HELLO, "id": "no blanks"}, False),
        ({"definition": HELLO, "id": "a\n"}, False),
        ({"definition": HELLO, "status": "on"}, False),
        ({"definition": HELLO, "nam": "x"}, False),
        ({"definition": HELLO, "name": ""}, False),
        ({"name": "x"}, False),
        ([HELLO], False),
        ({"trigger_types": [{"id": "a.b", "payload_schema": {"type": "object"}}]}, True),
        ({"trigger_types": [{"id": "a.b", "owner": "x"}]}, False),
        ({"trigger_types": {"id": "a.b"}}, False),
        ({"trigger_types": [], "name": "x"}, False),
    ],
)
def test_the_frame_of_a_document_is_judged_as_apply_does(
    document: object, right: bool, tmp_path: Path
) -> None:
    file = tmp_path / "one.json"
    file.write_bytes(msgspec.json.encode(document))
    assert (not documents.load([file]).faults) is right
    validator = jsonschema_rs.Draft202012Validator(SCHEMAS["automation-document"])
    assert validator.is_valid(document) is right


def files_for_people() -> list[tuple[Path, str]]:
    """The samples, the files of the README, guide and tutorial: in which folder, and the text."""
    pages = (ROOT / "README.md").read_text() + (ROOT / "docs/GUIDE.md").read_text()
    readme = re.findall(r"```yaml\n(.*?)```", pages, re.DOTALL)
    folder = ROOT / "deploy/samples"
    samples = sorted([*folder.glob("*.yaml"), *folder.glob("cases/*.yaml")])
    tutorial = (ROOT / "docs/TUTORIAL.md").read_text()
    placed = re.findall(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```", tutorial, re.DOTALL)
    return [
        *((path.parent, path.read_text()) for path in samples),
        *((ROOT, text) for text in readme),
        *(((ROOT / name).parent, text) for name, text in placed),
    ]


@pytest.mark.parametrize(("folder", "text"), files_for_people())
def test_a_file_for_people_names_the_schema_that_it_keeps_to(folder: Path, text: str) -> None:
    named = re.search(r"^# yaml-language-server: \$schema=(\S+)$", text, re.MULTILINE)
    assert named
    schema = json.loads((folder / named[1]).resolve().read_text())
    validator = jsonschema_rs.Draft202012Validator(schema)
    for document in yaml.safe_load_all(text):
        assert [error.message for error in validator.iter_errors(document)] == []


def test_every_endpoint_has_a_schema_of_its_request_and_of_its_reply() -> None:
    table = control.table()
    assert table
    for endpoint in table:
        assert request_of(endpoint) in SCHEMAS
        assert reply_of(endpoint) in SCHEMAS


@pytest.mark.parametrize("path", sorted((ROOT / "tests/conformance").glob("*.yaml")), ids=str)
def test_case_files_that_are_run_are_case_files_of_the_schema(path: Path) -> None:
    validator = jsonschema_rs.Draft202012Validator(SCHEMAS["case-file"])
    errors = validator.iter_errors(yaml.safe_load(path.read_text()))
    assert [(error.instance_path, error.message) for error in errors] == []


@pytest.mark.parametrize(
    ("case", "place"),
    [
        ({"expect": {}, "automation": {"name": "n"}}, ["cases", 0]),
        ({"id": "a", "expect": {"statsu": "x"}, "automation": None}, ["cases", 0, "expect"]),
        ({"id": "a", "expect": {}, "events": [{"wait": 1}]}, ["cases", 0, "events", 0]),
        ({"id": "a", "expect": {}, "automation": {"name": 1}}, ["cases", 0, "automation", "name"]),
        ({"id": "a", "calls": [{"input": {}}]}, ["cases", 0, "calls", 0]),
    ],
)
def test_a_wrong_case_is_refused_at_its_place(case: object, place: list[str | int]) -> None:
    validator = jsonschema_rs.Draft202012Validator(SCHEMAS["case-file"])
    places = [error.instance_path for error in validator.iter_errors({"cases": [case]})]
    assert place in places


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_pattern_is_one_for_every_dialect(name: str) -> None:
    text = msgspec.json.encode(SCHEMAS[name]).decode()
    assert r"(?!\\n)" not in text
    assert r"\\Z" not in text
