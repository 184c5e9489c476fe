"""`lockstep publish`: publish an event, as a service would."""

from typing import Annotated, Final

import msgspec
import typer

from lockstep.cli import completion
from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.files import payload as typed
from lockstep.cli.options import AsJson, Payload
from lockstep.cli.terminal import output
from lockstep.model.ids import uuid7
from lockstep_schemas.base import EventId
from lockstep_schemas.events import (
    HEADER_ACTOR,
    HEADER_CONTEXT_KEY,
    HEADER_MESSAGE_ID,
    Actor,
)

EXAMPLES: Final = (
    """publish sensor.door --payload '{"room": "vault", "state": "open"}'""",
    "publish orders.created --payload @order.json --context-key A-1",
    "publish demo.hello --message-id once",
)

_ACTOR: Final = "{type: user | application | service | system, id, name} is expected"


class EventToSend(msgspec.Struct, frozen=True):
    """An event that is ready to be sent."""

    event: str
    body: bytes
    headers: dict[str, str]

    @property
    def id(self) -> str:
        """The message id: the same again is stored once."""
        return self.headers[HEADER_MESSAGE_ID]


def command(
    context: typer.Context,
    event: Annotated[
        str,
        typer.Argument(
            help="Id of the event, such as `orders.created`.", autocompletion=completion.event
        ),
    ],
    payload: Payload = "{}",
    context_key: Annotated[
        str | None, typer.Option(help="Context key; empty for none. Else the event's own.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help='Who caused it: {"type": "user", "id": ..., "name": ...}.')
    ] = None,
    message_id: Annotated[
        str | None, typer.Option(help="Of two events of one id the second is dropped.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish an event."""
    sent = _made(event, payload, context_key, actor, message_id)
    finish(_publish(engine(context), sent, as_json=as_json))


def _made(
    event: str, payload: str, context_key: str | None, actor: str | None, message_id: str | None
) -> EventToSend:
    """Make an event of what was typed.

    Raises:
        typer.BadParameter: Something is not as it must be.
    """
    try:
        msgspec.convert(event, EventId)
    except msgspec.ValidationError:
        text = "dot-separated words of letters, digits, `_`, `-`, `:` are expected"
        raise typer.BadParameter(f"{event!r}: {text}", param_hint="EVENT") from None
    body = typed.body(payload)
    headers = {HEADER_MESSAGE_ID: message_id or str(uuid7())}
    if context_key is not None:
        headers[HEADER_CONTEXT_KEY] = context_key
    if actor is not None:
        who = typed.decoded(actor, Actor, "--actor", _ACTOR)
        headers[HEADER_ACTOR] = msgspec.json.encode(who).decode()
    for name, value in headers.items():
        if not value.isprintable():
            raise typer.BadParameter(f"{value!r}: one line of text is expected", param_hint=name)
    return EventToSend(event, body, headers)


async def _publish(engine: Reach, sent: EventToSend, *, as_json: bool) -> bool:
    """Store the event in the stream, and say its id."""
    from lockstep import bus

    async with engine as remote:
        subject = remote.connection.names.trigger(sent.event)
        is_new = await bus.Publisher(remote.connection).publish(subject, sent.body, sent.headers)
    if as_json:
        output.show_json({"message_id": sent.id, "subject": subject, "duplicate": not is_new})
    else:
        output.show_line(
            f"{sent.id}  {'published' if is_new else 'duplicate: was published before'}"
        )
    return True
