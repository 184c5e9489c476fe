"""The page that sets Lockstep beside others: of one form, with sources and tests."""

import re
from typing import Final

import pytest

from pages import ROOT, headings

PAGE: Final = ROOT / "docs/COMPARISON.md"
OTHERS: Final = ["Temporal", "Restate", "Argo Events", "Home Assistant", "Kestra", "Inngest"]
# Where they themselves write: part of the name of a host, or the owner of a repository.
THEIRS: Final = ["temporal", "restate", "argoproj", "home-assistant", "kestra", "inngest"]
EVERY: Final = pytest.mark.parametrize("name", OTHERS)


def section(name: str) -> str:
    (found,) = re.findall(rf"^## {name}\n(.*?)(?=^## )", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_page_begins_with_what_is_lacking_and_has_each_of_the_others() -> None:
    assert headings(PAGE)[1:4] == ["What Lockstep is for", "What it lacks", "At a glance"]
    assert headings(PAGE)[4:-1] == OTHERS


@EVERY
def test_of_each_is_said_what_it_does_better_what_we_do_better_and_when_to_take_which(
    name: str,
) -> None:
    bold = re.findall(r"\*\*(.+?)\*\*", section(name))
    assert bold == [
        "What it does better.", "What Lockstep does better.", f"Take {name}", "Take Lockstep",
    ]  # fmt: skip


@EVERY
def test_what_is_said_of_another_links_to_where_it_was_read(name: str) -> None:
    theirs, ours = section(name).split("**What Lockstep does better.**")
    assert re.findall(r"\]\(https://", theirs)
    assert re.findall(r"\]\(https://", ours)


@EVERY
def test_what_is_said_of_us_names_tests_that_are_there(name: str) -> None:
    _, ours = section(name).split("**What Lockstep does better.**")
    named = re.findall(r"`(tests/[^`]+)`(?:,\s+`(test_\w+)`)?", ours)
    assert len(named) >= 2
    for file, test in named:
        assert f"{test}(" in (ROOT / file).read_text() or not test, f"{file}: {test}"


@pytest.mark.parametrize(("name", "whose"), [*zip(OTHERS, THEIRS, strict=True)])
def test_what_is_linked_of_another_was_written_there(name: str, whose: str) -> None:
    hosts = re.findall(
        r"\]\(https://((?:github|raw\.githubusercontent)\.com/(?:orgs/)?[\w-]+|[^/)]+)",
        section(name),
    )
    assert [host for host in hosts if whose not in host] == []
