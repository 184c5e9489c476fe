"""The README and the guide behind it, executed: each command works as a newcomer would type it."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

from msgspec import convert

from lockstep_schemas.api import Run
from patience import patience
from processes import call, dev_servers, environment, lockstep, talking

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "docs/GUIDE.md").read_text()
FILES = re.findall(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```", README + GUIDE, re.DOTALL)
SHELLS = re.findall(r"<!-- run -->\n```sh\n(.*?)```", README + GUIDE, re.DOTALL)
MOST_WORDS = 900  # of the README: it leads, and a reader gets to its end


async def shell(script: str, folder: Path) -> str:
    """Run the lines of a block, each as it stands; one that fails fails the test."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-e", "-o", "pipefail", "-c", script, cwd=folder, env=environment(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with patience():
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_every_command_of_the_readme_and_the_guide_works(tmp_path: Path) -> None:
    assert FILES
    assert SHELLS
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    shown = []
    async with lockstep("dev", env=environment(), cwd=tmp_path):
        url = (await dev_servers(tmp_path / ".lockstep"))["nats_url"]
        async with talking(url) as connection:
            async with patience():
                while (await call(connection, "automations.list"))["total"] < 3:
                    await asyncio.sleep(0.05)
            for script in SHELLS:
                shown.append(await shell(script, tmp_path))
                async with patience():
                    while await active(connection):
                        await asyncio.sleep(0.05)
    assert "1 automation is valid" in shown[0]
    assert "Door watch v1  success" in shown[1]
    assert "parallel[1][0] nats.publish  success" in shown[1]
    assert "unchanged" in shown[2]
    assert "waits for   actions[1]: event guard.answer until" in shown[3]
    assert "woke" in shown[3]
    assert "cancelled" in shown[4]
    assert "disabled" in shown[4]
    # Where the watch begins late, the result of the digest is there already.
    assert re.search(r"actions\[1\] mailer\.digest  (waiting|success)", shown[5])
    assert "Order mail v1  success" in shown[5]
    assert "2 passed, 0 failed, 0 skipped" in shown[6]


async def active(connection: object) -> list[str]:
    """The runs that have not ended, among the newest."""
    page = await call(connection, "runs.list")  # type: ignore[arg-type] # a bus connection
    runs = [convert(item, Run) for item in page["items"]]
    return [run.id for run in runs if run.finished_at is None]


async def test_make_offers_what_the_readme_says() -> None:
    make = shutil.which("make")
    assert make, "make is needed to follow the README"
    process = await asyncio.create_subprocess_exec(
        make, "help", cwd=ROOT, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    output, _ = await process.communicate()
    for target in ("run", "test", "check", "bench", "docs"):
        assert re.search(rf"^  {target} ", output.decode(), re.MULTILINE)
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"  {target} " in output.decode()


def test_the_readme_stays_short_and_leads_on() -> None:
    assert len(README.split()) <= MOST_WORDS
    for page in (
        "docs/TUTORIAL.md",
        "docs/GUIDE.md",
        "docs/OPERATIONS.md",
        "docs/BUS.md",
        "CONTRIBUTING.md",
    ):
        assert f"({page})" in README
