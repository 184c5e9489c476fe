"""Commands as pages have them: against the real tree of commands, and carried out."""

import asyncio
import os
import re
import shlex
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any, Final

import typer
from typer.main import get_command

from lockstep.cli.main import app, command_of
from patience import patience
from processes import environment

TOOLS: Final = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
SHELLS: Final = frozenset({"sh", "bash", "shell", "console"})
WRONG_USAGE: Final = typer.BadParameter.__mro__[1]  # `UsageError`, which typer does not export

_SIGNS: Final = re.compile(r"[();<>|&]+")
_BEFORE: Final = re.compile(r"[A-Z_]+=.*|\$|until|while|if|then|do|!|--|-m")
_ROOT: Final[Any] = get_command(app)


def is_lockstep(word: str) -> bool:
    """Tell whether a word is the program, in whatever folder."""
    return PurePath(word).name == "lockstep" and not word.endswith("/")


def calls(script: str) -> Iterator[list[str]]:
    """Give the words after `lockstep`, for each place of a script where it is called."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = [*lexer]
        for index, word in enumerate(words):
            if is_lockstep(word) and (index == 0 or _begins_after(words[index - 1])):
                yield _until_sign(words[index + 1 :])


def _begins_after(word: str) -> bool:
    """Tell whether a command begins after a word: a sign of the shell, a variable that is set."""
    return any(pattern.fullmatch(word) for pattern in (_SIGNS, _BEFORE))


def _until_sign(words: list[str]) -> list[str]:
    end = next((index for index, word in enumerate(words) if _SIGNS.fullmatch(word)), len(words))
    return words[:end]


def wrong_with(words: list[str]) -> str:
    """Say what is wrong with a command, or nothing."""
    command, above, name, left = _ROOT, None, "lockstep", list(words)
    try:
        while True:
            context = command.make_context(name, left, parent=above)
            if not hasattr(command, "commands"):
                return ""
            left = [*getattr(context, "_protected_args", ()), *context.args]
            above, (name, command, left) = context, command.resolve_command(context, left)
    except typer.Exit:
        return ""
    except WRONG_USAGE as error:
        return str(error)


def wrong_with_name(code: str) -> str:
    """Say what is wrong with inline code that names a command; its arguments may be left out."""
    command = _ROOT
    for word in code.split()[1:]:
        if word.startswith("-"):
            if word.partition("=")[0] not in _options(command):
                return f"`{command.name}` has no option {word}"
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return f"`{command.name}` has no command {word}"
            command = command.commands[word]
            command = command_of(command.row) if hasattr(command, "row") else command
    return ""


def _options(command: Any) -> set[str]:
    named = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return named | {"--help", "-h"}


async def shell(script: str, folder: Path, variables: Mapping[str, str] = NOTHING) -> str:
    """Run the lines of a block, each as it stands; one that fails fails the test."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-e", "-o", "pipefail", "-c", script, cwd=folder,
        env={**environment(), "PATH": TOOLS, **variables}, stdout=PIPE, stderr=STDOUT,
    )  # fmt: skip
    async with patience():
        output, _ = await process.communicate()
    assert process.returncode == 0, f"{script}\n{output.decode()}"
    return output.decode()
