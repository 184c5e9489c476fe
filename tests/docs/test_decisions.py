"""The records of decisions: all in the index, all of one form, short."""

import re
from pathlib import Path
from typing import Final

import pytest

from pages import ROOT, headings, name_of

INDEX: Final = ROOT / "docs/adr/README.md"
RECORDS: Final = sorted(path for path in INDEX.parent.glob("*.md") if path != INDEX)
MOST_WORDS: Final = 350  # what somebody reads who only wanted to know why
EVERY: Final = pytest.mark.parametrize("record", RECORDS, ids=name_of)


def test_the_index_has_each_record_once_in_order_by_its_title() -> None:
    told = re.findall(r"^\| \[(.+?)\]\((.+?)\) \| .+ \|$", INDEX.read_text(), re.MULTILINE)
    assert told == [(headings(record)[0], record.name) for record in RECORDS]


@EVERY
def test_a_record_says_why_what_at_which_cost_and_instead_of_what(record: Path) -> None:
    title, *parts = headings(record)
    assert title.startswith(f"{int(record.name[:2])}. ")
    assert parts == ["Context", "Decision", "What it costs", "What was not taken"]


@EVERY
def test_a_record_is_short(record: Path) -> None:
    assert len(record.read_text().split()) <= MOST_WORDS


@EVERY
def test_a_record_names_the_tests_that_hold_it(record: Path) -> None:
    *_, last = re.split(r"^Held by ", record.read_text(), flags=re.MULTILINE)
    files = re.findall(r"`(tests/[^`]+)`", last)
    assert files
    written = "".join((ROOT / file).read_text() for file in files)
    named = re.findall(r"`(test_\w+)`", last)
    assert [name for name in named if f"def {name}(" not in written] == []
