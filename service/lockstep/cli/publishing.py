"""`publish`: an event, from the command line."""

from pathlib import Path

import msgspec
import typer

from lockstep import bus
from lockstep.cli import session
from lockstep.cli.output import print_json, results
from lockstep.cli.session import Options, Session
from lockstep.model.ids import uuid7
from lockstep_schemas.events import (
    HEADER_ACTOR,
    HEADER_CONTEXT_KEY,
    HEADER_MESSAGE_ID,
    Actor,
)


def publish(
    options: Options,
    event: str,
    payload: str,
    context_key: str | None,
    actor: str | None,
    message_id: str | None,
    *,
    as_json: bool,
) -> None:
    """Publish one event and say under which id."""
    body = _payload(payload)
    headers = {HEADER_MESSAGE_ID: message_id or str(uuid7())}
    if context_key is not None:
        headers[HEADER_CONTEXT_KEY] = context_key
    if actor is not None:
        headers[HEADER_ACTOR] = _actor(actor)

    async def work(opened: Session) -> tuple[str, bool]:
        subject = opened.connection.names.trigger(event)
        return subject, await bus.Publisher(opened.connection).publish(subject, body, headers)

    subject, is_new = session.run(work, options)
    given = headers[HEADER_MESSAGE_ID]
    if as_json:
        print_json({"subject": subject, "message_id": given, "duplicate": not is_new})
    elif is_new:
        results.print(f"published {subject} ({given})", soft_wrap=True)
    else:
        results.print(f"{subject} has an event with the id {given} already", soft_wrap=True)


def _payload(text: str) -> bytes:
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text()
        except OSError as error:
            raise typer.BadParameter(f"{text[1:]}: {error.strerror}") from None
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"the payload is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise typer.BadParameter("the payload must be a JSON object")
    return text.encode()


def _actor(text: str) -> str:
    try:
        return msgspec.json.encode(msgspec.json.decode(text, type=Actor)).decode()
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"the actor is none: {error}") from None
