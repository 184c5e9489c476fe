"""The recipes: the page shows what stands in the files, the files are valid, all cases pass."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pages import blocks
from patience import patience
from processes import dev_servers, environment, talking
from processes import lockstep as process_of
from typed import shell

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = (DOCS / "RECIPES.md").read_text()
FOLDER: Final = DOCS / "recipes"
FILES: Final = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
CASES: Final = {path.stem: path for path in sorted((FOLDER / "cases").glob("*.yaml"))}
SHOWN: Final = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```\n", PAGE, re.DOTALL)
SECTIONS: Final = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
Json = dict[str, Any]


async def lockstep(*arguments: str) -> tuple[int, Json]:
    """Run a command that tells JSON; give its exit code and what it told."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", *arguments, "--json", env=environment(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with patience():
        out, err = await process.communicate()
    assert out, err.decode()
    return process.returncode or 0, json.loads(out)


def test_there_are_twenty_each_with_its_cases_and_a_row_in_the_index() -> None:
    assert len(SECTIONS) == len(FILES) == 20
    assert sorted(CASES) == sorted(FILES)
    assert re.findall(r"^\| [^|]+ \| \[(.+)\]\(#", PAGE, re.MULTILINE) == list(SECTIONS)


@pytest.mark.parametrize("title", SECTIONS)
def test_a_recipe_says_how_it_works_what_to_mind_and_which_cases_it_has(title: str) -> None:
    text = SECTIONS[title]
    (name,) = re.findall(r"<!-- file: recipes/([\w-]+)\.yaml -->", text)
    assert text.index("**How it works.** ") < text.index("**What to mind.**")
    told = text.partition(f"**Cases**, in [{name}.yaml](recipes/cases/{name}.yaml):\n\n")[2]
    items = [" ".join(item.split()) for item in re.split(r"^\* ", told, flags=re.MULTILINE)[1:]]
    cases = yaml.safe_load(CASES[name].read_text())["cases"]
    assert items == [f"`{case['id']}`: {case['what']}" for case in cases]


@pytest.mark.parametrize(("name", "text"), SHOWN, ids=[name for name, _ in SHOWN])
def test_the_page_shows_what_stands_in_the_file(name: str, text: str) -> None:
    written = (DOCS / name).read_text()
    if name.endswith(".yaml"):  # the line for editors is of no use on a page
        line, _, written = written.partition("\n")
        assert line.endswith("$schema=../../schemas/json/automation-document.schema.json")
    assert text == written


def test_every_file_is_shown() -> None:
    there = [*FILES.values(), *(FOLDER / "publish").iterdir()]
    assert sorted(name for name, _ in SHOWN) == sorted(str(one.relative_to(DOCS)) for one in there)


async def test_all_are_valid() -> None:
    code, told = await lockstep("validate", *map(str, FILES.values()))
    assert (code, told["valid"]) == (0, True)
    # An action of somebody's own is nothing that it can know.
    assert [one for one in told["faults"] if "unknown action" not in one["message"]] == []


async def test_all_cases_pass_and_reach_every_branch() -> None:
    code, told = await lockstep("test", *map(str, CASES.values()), "-n", "2", "--coverage")
    assert [one for one in told["cases"] if not one["passed"]] == []
    assert code == 0
    assert len(told["coverage"]) > len(FILES)  # one file has two automations
    assert [one for one in told["coverage"] if one["reached"] != one["ways"]] == []


async def test_a_reader_sees_a_recipe_at_work_as_the_page_says(tmp_path: Path) -> None:
    check, stand_in, work = (
        block.text for block in blocks(DOCS / "RECIPES.md") if block.language == "sh"
    )
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "docs").symlink_to(DOCS)
    assert " 0 failed, 0 skipped" in await shell(check, tmp_path)
    async with process_of("dev", env=environment(), cwd=tmp_path):
        async with talking((await dev_servers(tmp_path / ".lockstep"))["nats_url"]):
            pass
        second = await asyncio.create_subprocess_exec(
            "bash", "-e", "-c", stand_in, cwd=tmp_path, env=environment(),
            stdout=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert second.stdout
        try:
            async with patience():
                assert await second.stdout.readline() == b"ready\n"
            await shell(work, tmp_path)
            async with patience():
                assert b"disk 7 is full" in await second.stdout.readline()
            ended = (
                "until lockstep runs list --status success | grep acknowledged; do sleep 0.2; done"
            )
            await shell(ended, tmp_path)
        finally:
            os.killpg(second.pid, signal.SIGKILL)
            await second.wait()
