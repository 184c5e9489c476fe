"""Values of JSON below a title: beside it where they are short."""

from typing import Final

import msgspec
from rich.text import Text

from lockstep.cli.terminal import output
from lockstep_schemas.base import Json

WIDTH: Final = 100  # characters on one line; what is longer has lines of its own
TITLE: Final = 10  # characters of the longest title


def draw(title: str, value: Json, more: str = "", *, has_value: bool = True) -> None:
    """Write a value, or none; `more` is said beside the title."""
    body = output.clean(written(value)) if has_value else ""
    line = Text.assemble((f"  {title:<{TITLE}}", "dim"))
    if len(body) <= WIDTH and "\n" not in body:
        line.append(f"  {body}" if body else "")
        body = ""
    line.append(f"  {more}" if more else "", style="yellow")
    output.show_line(line)
    for part in _lines(body):
        output.show_line(f"      {part}")


def written(value: Json) -> str:
    """Give a text as it is, anything else as JSON on one line."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _lines(body: str) -> list[str]:
    try:
        return msgspec.json.format(body, indent=2).splitlines()
    except (msgspec.DecodeError, RecursionError):  # no JSON, or deeper than can be read
        return body.splitlines()
