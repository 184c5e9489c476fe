"""The site of the documents: all pages are in it, all links hold, and it needs no network."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from pages import PAGES, ROOT, name_of
from patience import LIMIT_SECONDS

CONFIG = ROOT / "docs/site/mkdocs.yml"
BUILT = pytest.mark.skipif(
    not (find_spec("mkdocs") and find_spec("material") and (ROOT / ".git").exists()),
    reason="this is no clone, or the extra `docs` is not installed; `make install` brings it",
)
# What a browser loads by itself, without being asked.
LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=[\"']?(https?:[^\"'\s>]+)")


def entries(navigation: Any) -> Iterator[str]:
    match navigation:
        case str():
            yield navigation
        case list():
            for one in navigation:
                yield from entries(one)
        case dict():
            yield from entries([*navigation.values()])


def test_every_page_is_in_the_navigation_once() -> None:
    told = sorted(entries(yaml.safe_load(CONFIG.read_text())["nav"]))
    assert told == sorted(map(name_of, PAGES))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as `make docs` does, into a folder of its own."""
    folder: Path = tmp_path_factory.mktemp("site")
    words = ["build", "--config-file", str(CONFIG), "--site-dir", str(folder)]
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", *words],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return folder


@BUILT
def test_the_site_is_built_and_no_link_leads_nowhere(site: Path) -> None:
    for page in PAGES:
        name = name_of(page).replace("README.md", "index.md")
        assert site.joinpath(name).with_suffix(".html").is_file(), name


@BUILT
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = {url for page in site.rglob("*.html") for url in LOADED.findall(page.read_text())}
    assert loaded == set()


@BUILT
def test_what_stands_in_a_page_is_found(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text())
    places = {entry["location"] for entry in index["docs"]}
    assert {"docs/LANGUAGE.html#filter", "deploy/index.html", "index.html"} <= places


@BUILT
def test_what_a_page_shows_as_code_is_shown_as_code(site: Path) -> None:
    """Fences within lists are where two readers of Markdown differ."""
    assert [page.name for page in site.rglob("*.html") if "```" in page.read_text()] == []
