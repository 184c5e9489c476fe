"""`lockstep publish`: publish an event, as a service would."""

import sys
from pathlib import Path
from typing import TypeVar

import msgspec
import typer

from lockstep import bus
from lockstep.cli import output
from lockstep.cli.remote import connected
from lockstep.model.ids import uuid7
from lockstep.settings import Settings
from lockstep_schemas.base import EventId, JsonObject
from lockstep_schemas.events import (
    HEADER_ACTOR,
    HEADER_CONTEXT_KEY,
    HEADER_MESSAGE_ID,
    Actor,
)

Kind = TypeVar("Kind")


class Letter(msgspec.Struct, frozen=True):
    """An event that is ready to be sent."""

    event: str
    body: bytes
    headers: dict[str, str]

    @property
    def id(self) -> str:
        """The message id: the same again is stored once."""
        return self.headers[HEADER_MESSAGE_ID]


def letter(
    event: str,
    payload: str,
    context_key: str | None = None,
    actor: str | None = None,
    message_id: str | None = None,
) -> Letter:
    """Make an event of what was typed.

    Raises:
        typer.BadParameter: Something is not as it must be.
    """
    try:
        msgspec.convert(event, EventId)
    except msgspec.ValidationError:
        text = "dot-separated words of letters, digits, `_`, `-`, `:` are expected"
        raise typer.BadParameter(f"{event!r}: {text}", param_hint="EVENT") from None
    body = _text(payload)
    headers = {HEADER_MESSAGE_ID: message_id or str(uuid7())}
    if context_key is not None:
        headers[HEADER_CONTEXT_KEY] = context_key
    if actor is not None:
        headers[HEADER_ACTOR] = msgspec.json.encode(_actor(actor)).decode()
    for name, value in headers.items():
        if not value.isprintable():
            raise typer.BadParameter(f"{value!r}: one line of text is expected", param_hint=name)
    return Letter(event, body, headers)


async def publish(settings: Settings, sent: Letter, *, as_json: bool) -> bool:
    """Store the event in the stream, and say its id."""
    async with connected(settings) as remote:
        subject = remote.connection.names.trigger(sent.event)
        is_new = await bus.Publisher(remote.connection).publish(subject, sent.body, sent.headers)
    if as_json:
        output.show_json({"message_id": sent.id, "subject": subject, "duplicate": not is_new})
    else:
        output.show_line(
            f"{sent.id}  {'published' if is_new else 'duplicate: was published before'}"
        )
    return True


def payload_of(text: str) -> JsonObject:
    """Read a payload as it is typed: JSON, `@file`, or `@-` for standard input.

    Raises:
        typer.BadParameter: It is no JSON object.
    """
    content: JsonObject = msgspec.json.decode(_text(text))
    return content


def _text(text: str) -> bytes:
    if text.startswith("@"):
        try:
            text = sys.stdin.read() if text == "@-" else Path(text[1:]).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{text[1:]}: {error}", param_hint="--payload") from None
    _json(text, JsonObject, "--payload", "a JSON object is expected")
    return text.strip().encode()  # as it was written, to the last digit


def _actor(text: str) -> Actor:
    wanted = "{type: user | application | service | system, id, name} is expected"
    return _json(text, Actor, "--actor", wanted)


def _json(text: str, kind: type[Kind], option: str, wanted: str) -> Kind:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise typer.BadParameter(f"{wanted}: {error}", param_hint=option) from None
