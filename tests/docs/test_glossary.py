"""The glossary: each word once, in order, about what there is."""

import re
from collections import Counter
from typing import Final, get_args

import pytest

from lockstep.model.decisions import Stage
from lockstep_schemas.definition import Mode
from lockstep_schemas.run_events import RunStatus
from pages import DOCS, ROOT

PAGE: Final = ROOT / "docs/GLOSSARY.md"
SOURCES: Final = [
    *(page for page in DOCS if page != PAGE),
    *(path for name in ("service", "schemas", "tests") for path in (ROOT / name).rglob("*.py")),
]


def rows() -> dict[str, list[tuple[str, str]]]:
    """Give the rows of each section, without the heads of their tables."""
    parts = re.split(r"^## (.+)\n", PAGE.read_text(), flags=re.MULTILINE)[1:]
    row = re.compile(r"^\| ([^|]+?) \| (.+) \|$", re.MULTILINE)
    return {
        heading: row.findall(text)[2:]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def plain(text: str) -> str:
    """Give a text as words, so that `dead_letter`, `dead-letter` and `dead letter` are one."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


ROWS: Final = rows()
CHANGED: Final = ROWS.pop("Words that have changed")
WORDS: Final = [word for some in ROWS.values() for words, _ in some for word in words.split(", ")]
SAID: Final = f" {plain(' '.join(f'{path} {path.read_text()}' for path in SOURCES))} "


def test_each_word_is_there_once() -> None:
    assert len(WORDS) > 100
    assert [word for word, number in Counter(WORDS).items() if number > 1] == []


@pytest.mark.parametrize("heading", ROWS)
def test_words_stand_in_their_order(heading: str) -> None:
    words = [re.sub(r"[^a-z0-9 ]", "", word.lower()) for word, _ in ROWS[heading]]
    assert words == sorted(words)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_used_in_a_page_or_in_the_code(word: str) -> None:
    assert re.search(rf" {plain(word)}s? ", SAID), "nobody says so; take it out"


@pytest.mark.parametrize("kind", [Mode, RunStatus, Stage], ids=["modes", "statuses", "stages"])
def test_what_the_code_counts_up_is_told(kind: object) -> None:
    page = PAGE.read_text()
    assert [word for word in get_args(kind) if not re.search(rf"\b{word}\b", page)] == []


def test_what_a_word_has_become_is_in_the_tree() -> None:
    new = [word for _, now in CHANGED for word in re.findall(r"`([\w./]+)`", now)]
    assert new
    assert [word for word in new if f" {plain(word)} " not in SAID] == []
