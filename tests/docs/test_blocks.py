"""What stands in the blocks of the pages is as Lockstep reads it."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from judged import is_cases, told, unmet
from lockstep.settings.load import load
from pages import DOCS, PAGES, ROOT, Block, blocks, inline, name_of, prose
from typed import SHELLS, calls, is_lockstep, wrong_with, wrong_with_name

MARKS = {"file", "fault", "warning", "run", "output", "unchecked"}
ALL = [block for page in PAGES for block in blocks(page) if not block.marked("unchecked")]

# Elsewhere YAML is also that of a chart; cases are run.
AUTOMATIONS = [
    block
    for block in ALL
    if block.language == "yaml" and block.page in {ROOT / "README.md", *DOCS}
    if not is_cases(block)
]


def of(*languages: str) -> list[Block]:
    return [block for block in ALL if block.language in languages]


@pytest.mark.parametrize("block", AUTOMATIONS, ids=str)
def test_an_automation_in_a_page_is_judged_as_the_page_says(block: Block, tmp_path: Path) -> None:
    faults, warnings = told(block, tmp_path)
    wrong = [*unmet(block.marked("fault"), faults), *unmet(block.marked("warning"), warnings)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_in_a_page_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", [block for block in of("toml") if block.page in DOCS], ids=str)
def test_settings_in_a_page_are_some(block: Block, tmp_path: Path) -> None:
    (tmp_path / "lockstep.toml").write_text(block.text)
    load(tmp_path / "lockstep.toml", {})


@pytest.mark.parametrize("block", of(*SHELLS), ids=str)
def test_a_command_in_a_page_can_be_typed(block: Block) -> None:
    checked = subprocess.run(
        ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
    )
    assert checked.stderr == ""
    wrong = {" ".join(words): wrong_with(words) for words in calls(block.text)}
    assert {call: why for call, why in wrong.items() if why} == {}


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=name_of)
def test_a_command_that_a_page_names_is_there(page: Path) -> None:
    named = [code for code in inline(page) if code.split() and is_lockstep(code.split()[0])]
    wrong = {code: wrong_with_name(code) for code in named}
    assert {code: why for code, why in wrong.items() if why} == {}


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_the_marks_of_a_page_are_known_and_stand_above_a_block(page: Path) -> None:
    assert {name for block in blocks(page) for name, _ in block.marks} <= MARKS
    begins = tuple(f"<!-- {name}" for name in sorted(MARKS))
    assert [line for line in prose(page).splitlines() if line.strip().startswith(begins)] == []


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_every_block_of_a_page_says_what_it_is_or_is_shown_as_it_stands(page: Path) -> None:
    """A block of a language that nothing checks here could hold anything."""
    known = {"yaml", "json", "text", "python", "sql", "javascript", "go", "toml", "", *SHELLS}
    assert [str(block) for block in blocks(page) if block.language not in known] == []
    for block in blocks(page):
        if block.marked("unchecked"):
            assert all(block.marked("unchecked")), f"{block} does not say why it is not checked"
        if block.language == "yaml":
            assert [*yaml.safe_load_all(block.text)], str(block)
