"""The pages for readers: their blocks with the marks above them, their links, their inline code.

A mark is a comment on a line of its own above a block:

    <!-- file: door.yaml -->        the block is written to this file before anything is run
    <!-- fault: PATH: MESSAGE -->   `validate` refuses the block with this; one mark a fault
    <!-- warning: PATH: MESSAGE --> `validate` warns of this
    <!-- run -->                    a block of commands that is run, in a folder with the files
    <!-- output -->                 each line of the block stands in what was written before it
    <!-- unchecked: WHY -->         the block is nothing that Lockstep reads

`<!-- dev -->` anywhere in a page lets its commands have `lockstep dev` running.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
READMES: Final = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "schemas/README.md")
PAGES: Final = [
    *(ROOT / name for name in READMES),
    *sorted((ROOT / "deploy").rglob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
DOCS: Final = [page for page in PAGES if page.is_relative_to(ROOT / "docs")]

_BLOCK: Final = re.compile(
    r"(?P<marks>(?:^[ ]*<!-- [^\n]* -->\n+)*)"
    r"^(?P<indent>[ ]*)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_MARK: Final = re.compile(r"<!-- ([a-z]+)(?:: (.*))? -->")
_HEADING: Final = re.compile(r"^#+ (.+?)\s*$", re.MULTILINE)
_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A block of a page, between fences."""

    page: Path
    line: int  # of its first line
    language: str
    text: str
    marks: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Give where it stands."""
        return f"{name_of(self.page)}:{self.line}"

    def marked(self, name: str) -> list[str]:
        """Give what its marks of this name say."""
        return [value for mark, value in self.marks if mark == name]


def name_of(page: Path) -> str:
    """Give a page as it is called from the root of the tree."""
    return str(page.relative_to(ROOT))


@cache
def blocks(page: Path) -> list[Block]:
    """Give the blocks of a page, in order."""
    text = page.read_text()
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("text")) + 1,
            language=found["language"].strip(),
            text=re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            marks=tuple((name, value or "") for name, value in _MARK.findall(found["marks"])),
        )
        for found in _BLOCK.finditer(text)
    ]


def prose(page: Path) -> str:
    """Give a page without its blocks."""
    return _BLOCK.sub("", page.read_text())


def inline(page: Path) -> list[str]:
    """Give the inline code of a page."""
    return _CODE.findall(prose(page))


def links(page: Path) -> list[str]:
    """Give what a page links to, as it is written."""
    return _LINK.findall(prose(page))


def headings(page: Path) -> list[str]:
    """Give the headings of a page."""
    return _HEADING.findall(prose(page))


def anchors(page: Path) -> list[str]:
    """Give the anchors of the headings, as GitHub makes them; a second one gets `-1`."""
    found: list[str] = []
    seen: dict[str, int] = {}
    for heading in headings(page):
        anchor = re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        number = seen.get(anchor, 0)
        seen[anchor] = number + 1
        found.append(f"{anchor}-{number}" if number else anchor)
    return found


def is_dev(page: Path) -> bool:
    """Tell whether the commands of a page want `lockstep dev` to run."""
    return re.search(r"^<!-- dev -->$", page.read_text(), re.MULTILINE) is not None


@cache
def tables(page: Path) -> dict[str, list[list[str]]]:
    """Give the rows of the tables that have a name: `<!-- table: NAME -->`, without their heads."""
    found = re.findall(r"^<!-- table: (\w+) -->\n((?:\|.*\n)+)", page.read_text(), re.MULTILINE)
    return {
        name: [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
        for name, (_, _, *rows) in ((name, text.splitlines()) for name, text in found)
    }
