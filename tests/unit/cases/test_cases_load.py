"""Which files of a folder hold cases."""

from pathlib import Path

import pytest

from lockstep.cases.load import CasesRefused, load

AUTOMATION = "name: Door\ntriggers: [{event: sensor.door}]\n"
CASES = """\
cases:
  - {id: ID, automation: {name: x, triggers: [{event: a.b}]}, events: [], expect: {}}
"""


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        file = folder / f"{name.replace('_', '/')}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("ID", name))


def test_a_folder_stands_for_the_cases_in_it_however_deep(tmp_path: Path) -> None:
    write(tmp_path, door=AUTOMATION, many=f"{AUTOMATION}---\n{AUTOMATION}", b=CASES, deep_a=CASES)
    assert [one.case.id for one in load([tmp_path])] == ["b", "deep_a"]
    assert [one.case.id for one in load([tmp_path / "deep"])] == ["deep_a"]
    assert load([tmp_path / "deep", tmp_path / "deep/a.yaml"])[0].case.id == "deep_a"


def test_a_file_of_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, a=CASES, b="cases: [\n")
    with pytest.raises(CasesRefused, match=r"b\.yaml:2:1"):
        load([tmp_path])


def test_a_file_without_cases_that_is_named_is_told(tmp_path: Path) -> None:
    write(tmp_path, a=AUTOMATION)
    with pytest.raises(CasesRefused, match=r"expected .group"):
        load([tmp_path / "a.yaml"])
