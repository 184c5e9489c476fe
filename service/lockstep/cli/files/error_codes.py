"""All codes of errors, from their classes, and the page of them."""

import importlib
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

import lockstep
from lockstep.model.errors import Category, EngineError
from lockstep.model.faults import STATUS

HEAD: Final = """\
# Errors

<!-- Written by `lockstep errors --reference`; do not change it by hand. -->

An error has a code that stays: programs may rely on it, and on nothing in the message. It is
`error` in an error reply of the API, `{code, error, message, issues?}`, and in what a command with
`--json` writes to standard error; it is `code` in log lines. `code` of a reply says what kind of
error it is: `bad_request` (400), `not_found` (404), `conflict` (409): ask differently; `internal`
(500): the log of the engine has more; `busy` (503): the same may work later, and where the message
does not say that nothing was begun, it may have been done. `lockstep errors CODE` explains one.

| error | code | what happened | what to do now |
| --- | --- | --- | --- |
"""


_CODE: Final = re.compile(r"^    code(: \w+)? = ", re.MULTILINE)


class NoSuchCode(EngineError):
    """No error has this code in this version."""

    code = "errors.unknown"
    category = "not_found"
    advice = "`lockstep errors` lists all codes."


class Explained(msgspec.Struct, frozen=True):
    """What there is to say of a code."""

    error: str
    code: Category
    status: str
    what: str
    advice: str


def modules() -> Iterator[str]:
    """Name the modules that have classes of errors: to import all takes twice as long."""
    root = Path(lockstep.__path__[0])
    for file in sorted(root.rglob("*.py")):
        if _CODE.search(file.read_text()):
            yield ".".join(file.relative_to(root.parent).with_suffix("").parts)


def classes() -> list[type[EngineError]]:
    """Give all classes of errors by their codes; a part that is not installed has none."""
    for module in modules():
        with suppress(ImportError):
            importlib.import_module(module)
    ours = [one for one in _below(EngineError) if one.__module__.startswith("lockstep.")]
    return sorted(ours, key=lambda kind: kind.code)


def explained() -> list[Explained]:
    """Give what there is to say of each code."""
    return [
        Explained(kind.code, kind.category, STATUS[kind.category], _what(kind), kind.advice)
        for kind in classes()
    ]


def page() -> str:
    """Write the table as Markdown."""
    return HEAD + "".join(map(_row, explained()))


def _below(kind: type[EngineError]) -> Iterator[type[EngineError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _below(one)


def _what(kind: type[EngineError]) -> str:
    """Give the first paragraph of the docstring."""
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def _row(one: Explained) -> str:
    cells = (f"`{one.error}`", f"`{one.code}`", one.what, one.advice)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
