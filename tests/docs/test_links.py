"""What the pages link to and name is there."""

import re
from pathlib import Path

import pytest

from pages import PAGES, ROOT, anchors, links, name_of

EVERY = pytest.mark.parametrize("page", PAGES, ids=name_of)


@EVERY
def test_what_a_page_links_to_is_there(page: Path) -> None:
    files = [link.partition("#")[0] for link in links(page) if ":" not in link]
    assert [file for file in files if file and not (page.parent / file).exists()] == []


@EVERY
def test_a_path_that_a_page_names_is_there(page: Path) -> None:
    paths = re.findall(r"`((?:service|tests|deploy|schemas|docs)/[^`*<\s]+)`", page.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []


@EVERY
def test_a_link_into_a_page_meets_a_heading(page: Path) -> None:
    missing = []
    for link in links(page):
        name, sign, anchor = link.partition("#")
        if sign and ":" not in name:
            target = page.parent / name if name else page
            missing += [link] if anchor not in anchors(target) else []
    assert missing == []
