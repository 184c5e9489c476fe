"""A payload as it is typed: JSON, `@file`, or `@-` for standard input."""

import sys
from pathlib import Path
from typing import TypeVar

import msgspec
import typer

from lockstep_schemas.base import JsonObject

Kind = TypeVar("Kind")


def content(typed: str) -> JsonObject:
    """Give a payload as a value.

    Raises:
        typer.BadParameter: It is no JSON object.
    """
    value: JsonObject = msgspec.json.decode(body(typed))
    return value


def body(typed: str) -> bytes:
    """Give a payload as it was written, to the last digit.

    Raises:
        typer.BadParameter: It is no JSON object.
    """
    text = typed
    if typed.startswith("@"):
        try:
            text = sys.stdin.read() if typed == "@-" else Path(typed[1:]).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{typed[1:]}: {error}", param_hint="--payload") from None
    decoded(text, JsonObject, "--payload", "a JSON object is expected")
    return text.strip().encode()


def decoded(text: str, kind: type[Kind], option: str, wanted: str) -> Kind:
    """Read the JSON of an option.

    Raises:
        typer.BadParameter: It is none, or not what is `wanted`.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise typer.BadParameter(f"{wanted}: {error}", param_hint=option) from None
