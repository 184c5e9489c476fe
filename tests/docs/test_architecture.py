"""The page of the architecture: its lists are complete, and name what is there."""

import re
from typing import Final

import msgspec
import pytest

from lockstep.ports.listeners import Listener
from lockstep.store.migrate import FOLDER, known
from lockstep.walk.frames import FrameFormat
from pages import ROOT, blocks, tables

PAGE: Final = ROOT / "docs/ARCHITECTURE.md"
SERVICE: Final = ROOT / "service/lockstep"
FOLDERS: Final = re.findall(
    r"^\* `(\w+)/` (.*?)\n(?=\* |\n)", PAGE.read_text(), re.DOTALL | re.MULTILINE
)


def section(heading: str) -> str:
    (found,) = re.findall(
        rf"^## {heading}\n(.*?)(?=^## )", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    return str(found)


def first_cells(text: str) -> list[str]:
    """Give what is named in the first column of a table."""
    return [name for cell in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
            for name in re.findall(r"`([^`]+)`", cell)]  # fmt: skip


def test_every_table_of_the_schema_is_told_and_no_other() -> None:
    schema = "\n".join((FOLDER / f"{name}.sql").read_text() for name in known())
    made = set(re.findall(r"^create (?:or replace )?(?:table|view) (\w+)", schema, re.MULTILINE))
    gone = set(re.findall(r"^drop (?:table|view) (?:if exists )?(\w+)", schema, re.MULTILINE))
    there = made - gone | {"schema_migrations"}  # the ledger, which comes before them
    assert sorted(first_cells(section("Tables"))) == sorted(there)


def test_every_service_is_told_and_no_other() -> None:
    source = (SERVICE / "engine/services.py").read_text()
    named = {re.sub(r"\{.*?\}", "*", name) for name in re.findall(r"\bname=f?\"(\S+?)\"", source)}
    told = [name for row in tables(PAGE)["services"] for name in re.findall(r"`([^`]+)`", row[0])]
    assert named
    # `intake` is in the same line of the table as those of lanes.
    assert sorted(told) == sorted({*named, "intake"})


def test_every_moment_of_a_listener_is_told_and_no_other() -> None:
    moments = {name for name in vars(Listener) if not name.startswith("_")}
    assert sorted(first_cells(section("Composition").partition("| moment ")[2])) == sorted(moments)


def test_the_frames_that_are_shown_are_read_and_written_as_they_stand() -> None:
    (shown,) = [block for block in blocks(PAGE) if block.language == "json"]
    root = FrameFormat().decode(shown.text.encode())
    written = msgspec.json.decode(FrameFormat().encode(root))
    assert contains(written, msgspec.json.decode(shown.text))


def contains(written: object, shown: object) -> bool:
    """Tell whether all that is shown was kept; what is written beside it are defaults."""
    match written, shown:
        case dict(), dict():
            return all(key in written and contains(written[key], shown[key]) for key in shown)
        case list(), list():
            return len(written) == len(shown) and all(map(contains, written, shown))
        case _:
            return written == shown


@pytest.mark.parametrize(("folder", "words"), FOLDERS, ids=[folder for folder, _ in FOLDERS])
def test_a_file_that_is_named_of_a_folder_is_in_it(folder: str, words: str) -> None:
    named = re.findall(r"`([\w/]+\.py|\w+/)`", words)
    missing = [
        name for name in named
        if not (SERVICE / folder / name).exists() and not (SERVICE / name).is_file()
    ]  # fmt: skip
    assert missing == []
    assert len(words.split()) > 8
