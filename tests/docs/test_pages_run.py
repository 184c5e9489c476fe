"""The pages, executed: their cases pass, and their commands do what they say."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from judged import is_cases
from pages import DOCS, ROOT, Block, blocks, is_dev, name_of
from processes import dev_servers, environment, lockstep, talking
from typed import shell


def cases_of(page: Path) -> list[Block]:
    checked = (block for block in blocks(page) if not block.marked("unchecked"))
    return [block for block in checked if block.language == "yaml" and is_cases(block)]


def runs_of(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.marked("run")]


README = ROOT / "README.md"
GUIDE = (
    ROOT / "docs/GUIDE.md"
)  # goes on where the README ends; tests/engine/test_readme.py types both


def write_files(page: Path, folder: Path) -> None:
    """Write the files of a page, and let the folder look like the tree to a reader."""
    for block in [*(blocks(README) if page == GUIDE else ()), *blocks(page)]:
        for name in block.marked("file"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(block.text)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "deploy").symlink_to(ROOT / "deploy")


@pytest.mark.parametrize("page", [*filter(cases_of, DOCS)], ids=name_of)
async def test_the_cases_of_a_page_pass(page: Path, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    names = []
    for block in cases_of(page):
        (name,) = block.marked("file") or [f"line-{block.line}.yaml"]
        (tmp_path / name).write_text(block.text)
        names.append(name)
    shown = await shell(f"lockstep test {' '.join(names)}", tmp_path)
    assert " 0 failed, 0 skipped" in shown


@pytest.mark.parametrize(
    "page", [page for page in DOCS if runs_of(page) and page != GUIDE], ids=name_of
)
async def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    async with AsyncExitStack() as stack:
        if is_dev(page):
            await stack.enter_async_context(lockstep("dev", env=environment(), cwd=tmp_path))
            url = (await dev_servers(tmp_path / ".lockstep"))["nats_url"]
            await stack.enter_async_context(talking(url))
        shown = ""
        for block in blocks(page):
            if block.marked("run"):
                shown = await shell(block.text, tmp_path)
            elif block.marked("output"):
                assert [line for line in block.text.splitlines() if line not in shown] == [], shown


def test_an_output_stands_behind_a_command_that_was_run() -> None:
    for page in DOCS:
        marked = [b for b in blocks(page) if b.marked("run") or b.marked("output")]
        assert not marked or marked[0].marked("run"), name_of(page)
