"""Who may do what on the bus: the pages say what the accounts of `deploy/nats` let each user do."""

import re
from typing import Final, NamedTuple

import pytest

from pages import ROOT

FOLDER: Final = ROOT / "deploy/nats"
ACCOUNTS: Final = re.sub(r"(?m)(?:^|\s)#.*$", "", (FOLDER / "accounts.conf").read_text())
BUS: Final = (ROOT / "docs/BUS.md").read_text().partition("\n## Rights\n")[2].partition("\n## ")[0]
# What the page has a word for, in place of each subject.
WORDS: Final = {"$JS.": "JetStream", "$SRV.": "discovery"}


class Rights(NamedTuple):
    """What a user may do."""

    publish: set[str]
    hear: set[str]
    words: tuple[set[str], set[str]]


def users() -> dict[str, Rights]:
    """Read the users that have rights at all: that of the servers has all, and none of ours."""
    found = {}
    for text in ACCOUNTS.split("user: ")[1:]:
        name = text.split()[0]
        sides = [re.search(rf"{side} \{{\s*allow: \[(.+?)\]", text, re.DOTALL)
                 for side in ("publish", "subscribe")]  # fmt: skip
        if all(sides):
            subjects = [{*re.findall(r'"([^"]+)"', side[1])} for side in sides if side]
            words = [{word for begin, word in WORDS.items() if any(
                one.startswith(begin) for one in side)} for side in subjects]  # fmt: skip
            if "allow_responses" in text:
                words[0].add("replies")
            plain = [{one for one in side if not one.startswith((*WORDS, "$SYS."))}
                     for side in subjects]  # fmt: skip
            found[name] = Rights(plain[0], plain[1], (words[0], words[1]))
    return found


USERS: Final = users()
ROWS: Final = {
    row[1]: row
    for row in re.finditer(r"^\| `(\w+)`[^|]* \| ([^|]*) \| ([^|]*)\|$", BUS, re.MULTILINE)
}


def test_every_user_with_rights_is_there_and_no_other() -> None:
    assert sorted(USERS) == ["engine", "operator", "ops", "provider", "publisher"]
    assert sorted(ROWS) == sorted(USERS)


@pytest.mark.parametrize("name", USERS)
def test_a_user_may_do_what_the_page_says_and_nothing_else(name: str) -> None:
    rights, row = USERS[name], ROWS[name]
    heard = {one for one in rights.hear if one != f"_INBOX_{name}.>"}
    for cell, allowed, words in zip(
        (row[2], row[3]), (rights.publish, heard), rights.words, strict=True
    ):
        assert {*re.findall(r"`([^`]+)`", cell)} == allowed
        assert {word for word in (*WORDS.values(), "replies") if word in cell} == words


@pytest.mark.parametrize("name", USERS)
def test_each_hears_its_own_inbox_and_no_other(name: str) -> None:
    assert {one for one in USERS[name].hear if one.startswith("_INBOX")} == {f"_INBOX_{name}.>"}


def test_the_page_of_the_accounts_names_each_with_its_account() -> None:
    there = {}
    for account, text in re.findall(
        r"^  ([A-Z]+) \{$(.+?)^  \}$", ACCOUNTS, re.DOTALL | re.MULTILINE
    ):
        there |= dict.fromkeys(re.findall(r"user: (\w+)", text), account)
    told = re.findall(
        r"^\| `(\w+)` \| ([A-Z]+) \|", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    assert dict(told) == there
