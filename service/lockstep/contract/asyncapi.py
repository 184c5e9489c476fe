"""The AsyncAPI document: channels, messages and operations, as the engine sees them.

Source: AsyncAPI 3.0.0, the specification.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, get_args

import yaml

from lockstep import __version__, control
from lockstep.contract.builder import docstring
from lockstep.contract.channels import (
    CHANNELS,
    MESSAGES,
    OPERATIONS,
    PARAMETERS,
    Channel,
    Operation,
    Spoken,
)
from lockstep.contract.components import components
from lockstep.contract.schemas import reply_of, request_of
from lockstep_schemas.base import JsonObject
from lockstep_schemas.run_events import What

VERSION: Final = "3.0.0"
INBOX: Final = "inbox"
ABOUT: Final = (
    "What crosses the bus between Lockstep and publishers, consumers, providers of actions and "
    "operators. The operations are those of the engine: what it receives others send, and the "
    "other way round. Channels with a stream (x-stream, named after the prefix) are stored by "
    "JetStream, and what is published there is acknowledged."
)
WHAT: Final = {"run": list(get_args(What)), "automation": ["created", "updated", "deleted"]}
SECURITY: Final[Mapping[str, JsonObject]] = {
    "user": {"type": "userPassword", "description": "User and password: `nats.user`."},
    "token": {"type": "apiKey", "in": "password", "description": "A token: `nats.token`."},
    "nkey": {
        "type": "asymmetricEncryption",
        "description": "An NKey or a JWT: `nats.nkey_seed_file`, `nats.credentials_file`.",
    },
    "certificate": {"type": "X509", "description": "A client certificate: `nats.tls_cert_file`."},
}


def asyncapi() -> str:
    """Give the document as YAML; the same each time."""
    endpoints = _Api()
    messages = {**MESSAGES, **endpoints.messages}
    documents = {one for spoken in messages.values() for one in (spoken.headers, spoken.payload)}
    found = components({*filter(None, documents)})
    document: JsonObject = {
        "asyncapi": VERSION,
        "info": {
            "title": "Lockstep",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"nats": _server()},
        "channels": {
            **{name: _channel(name, one) for name, one in CHANNELS.items()},
            **{name: _channel(name, one) for name, one in endpoints.channels.items()},
            INBOX: _inbox(endpoints),
        },
        "operations": {
            name: _operation(one) for name, one in {**OPERATIONS, **endpoints.operations}.items()
        },
        "components": {
            "messages": {name: _message(name, one, found.names) for name, one in messages.items()},
            "schemas": {name: found.schemas[name] for name in sorted(found.schemas)},
            "securitySchemes": dict(SECURITY),
        },
    }
    head = "# Written by `lockstep schemas`; do not change it by hand.\n"
    text = yaml.dump(document, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100)
    return head + str(text)


class _PlainDumper(yaml.SafeDumper):
    """Writes every value where it stands: no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


class _Api:
    """The endpoints of the control API as channels, messages and operations."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, Spoken] = {}
        self.operations: dict[str, Operation] = {}
        for endpoint, sides in control.table().items():
            request, reply = request_of(endpoint), reply_of(endpoint)
            name = f"api.{endpoint}"
            self.channels[name] = Channel(
                address=f"{{prefix}}.{name}",
                about=f"Requests to `{endpoint}` of the control API.",
                message=request,
            )
            self.messages[request] = Spoken(
                about=docstring(sides.request), headers="api-request-headers", payload=request
            )
            self.messages[reply] = Spoken(about=docstring(sides.reply), payload=reply)
            self.operations[name] = Operation(
                channel=name, action="receive", about=f"Answer `{endpoint}`.",
                replies=(reply, "error"),
            )  # fmt: skip


def _server() -> JsonObject:
    return {
        "host": "{host}:{port}",
        "protocol": "nats",
        "description": "NATS 2.12 or newer with JetStream.",
        "variables": {
            "host": {"default": "127.0.0.1", "description": "Its name or address."},
            "port": {"default": "4222", "description": "Its port for clients."},
        },
        "security": [_ref("components", "securitySchemes", name) for name in SECURITY],
    }


def _channel(name: str, one: Channel) -> JsonObject:
    made: JsonObject = {
        "address": one.address,
        "description": one.about,
        "messages": {one.message: _ref("components", "messages", one.message)},
        "parameters": {word: _parameter(name, word) for word in _words(one.address)},
    }
    if one.stream is not None:
        made["x-stream"] = one.stream
    return made


def _words(address: str) -> Iterator[str]:
    yield from re.findall(r"\{(\w+)\}", address)


def _parameter(channel: str, word: str) -> JsonObject:
    about, default = PARAMETERS[word]
    made: JsonObject = {"description": about}
    if default:
        made["default"] = default
    if word == "what":
        made["enum"] = WHAT[channel]
    return made


def _inbox(endpoints: _Api) -> JsonObject:
    """Where replies go: an address that the asker chooses and that a request carries."""
    operations = {**OPERATIONS, **endpoints.operations}.values()
    names = dict.fromkeys(name for one in operations for name in one.replies)
    return {
        "address": None,
        "description": "Replies to requests, on the reply subject of the request.",
        "messages": {name: _ref("components", "messages", name) for name in names},
    }


def _operation(one: Operation) -> JsonObject:
    made: JsonObject = {
        "action": one.action,
        "channel": _ref("channels", one.channel),
        "summary": one.about,
    }
    if one.replies:
        made["reply"] = {
            "channel": _ref("channels", INBOX),
            "messages": [_ref("channels", INBOX, "messages", name) for name in one.replies],
        }
    return made


def _message(name: str, one: Spoken, names: Mapping[str, str]) -> JsonObject:
    made: JsonObject = {"name": name, "summary": one.about, "contentType": one.content}
    if one.headers is not None:
        made["headers"] = _ref("components", "schemas", names[one.headers])
    if one.payload is not None:
        made["payload"] = _ref("components", "schemas", names[one.payload])
    elif name == "event":
        about = "The payload of the event."
        made["payload"] = {"title": "EventPayload", "type": "object", "description": about}
    return made


def _ref(*path: str) -> JsonObject:
    return {"$ref": "#/" + "/".join(path)}
