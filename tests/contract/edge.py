"""A service that has msgspec and lockstep-schemas, and no client of NATS: a socket will do.

It provides an action, stores an automation, publishes an event, hears of the run and of a dead
letter, and prints what it heard. Arguments: address of NATS, prefix.
"""

import json
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import msgspec

from lockstep_schemas import api, wire
from lockstep_schemas.events import Actor
from lockstep_schemas.registration import ActionRegister
from lockstep_schemas.remote import ActionReply, ActionRequest

PREFIX = sys.argv[2]
INBOX = "_INBOX.edge"
ANN = Actor(type="user", id="ann", name="Ann")

Message = tuple[str, str, Mapping[str, str], bytes]  # subject, reply subject, headers, body
Headers = Mapping[str, str] | None
Reply = TypeVar("Reply")


class Bus:
    """The protocol of NATS, as far as it is needed here."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition("/")[2].partition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.file = self.socket.makefile("rb")
        self.waiting: deque[Message] = deque()
        self.line()  # INFO
        self.write(b'CONNECT {"headers":true,"verbose":false}\r\nPING\r\n')

    def write(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        return self.file.readline().rstrip(b"\r\n")

    def subscribe(self, subject: str, sid: int) -> None:
        self.write(f"SUB {subject} {sid}\r\n".encode())

    def publish(self, subject: str, body: bytes, headers: Headers = None, reply: str = "") -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"NATS/1.0\r\n{lines}\r\n".encode()
        sizes = f"{len(head)} {len(head) + len(body)}"
        self.write(f"HPUB {subject} {reply} {sizes}\r\n".encode() + head + body + b"\r\n")

    def read(self) -> Message:
        """The next message."""
        while True:
            words = self.line().decode().split(" ")
            if words[0] == "PING":
                self.write(b"PONG\r\n")
            elif words[0] in {"MSG", "HMSG"}:
                size, head = int(words[-1]), int(words[-2]) if words[0] == "HMSG" else 0
                data = self.file.read(size + 2)[:-2]
                numbers = 2 if words[0] == "HMSG" else 1
                reply = words[3] if len(words) == 3 + 1 + numbers else ""
                return words[1], reply, dict(headers(data[:head])), data[head:]
            elif words[0].startswith("-ERR") or words == [""]:
                raise SystemExit(f"the server says: {words}")

    def until(self, wanted: Callable[[Message], bool]) -> Message:
        """The next message that is wanted; others stay."""
        for message in list(self.waiting):
            if wanted(message):
                self.waiting.remove(message)
                return message
        while not wanted(message := self.read()):
            self.waiting.append(message)
        return message

    def request(self, subject: str, body: bytes, headers: Headers = None) -> Message:
        self.publish(subject, body, headers, f"{INBOX}.{subject}")
        return self.until(lambda message: message[0] == f"{INBOX}.{subject}")


def headers(block: bytes) -> Iterator[tuple[str, str]]:
    for line in block.decode().split("\r\n")[1:]:
        name, found, value = line.partition(":")
        if found:
            yield name, value.strip()


def ask(bus: Bus, endpoint: str, request: msgspec.Struct, reply_type: type[Reply]) -> Reply:
    _, _, head, body = bus.request(f"{PREFIX}.api.{endpoint}", msgspec.json.encode(request))
    if "Nats-Service-Error-Code" in head:
        raise SystemExit(f"{endpoint}: {body.decode()}")
    return msgspec.json.decode(body, type=reply_type)


def store(bus: Bus) -> api.Automation:
    definition = {
        "name": "Edge",
        "triggers": [{"event": "edge.made"}],
        "actions": [
            {"id": "greet", "action": "desk.greet", "config": {"to": "{{ trigger.payload.to }}"}},
        ],
    }
    request = api.AutomationCreate(id="edge", name="Edge", definition=definition)
    return ask(bus, "automations.create", request, api.Automation)


def serve(bus: Bus) -> tuple[ActionRequest, bytes]:
    _, reply, _, body = bus.until(lambda message: message[0] == f"{PREFIX}.action.desk.greet")
    request = wire.decode_action_request(body)
    text = f"Hello, {request.config['to']}!"
    bus.publish(reply, wire.encode_action_reply(ActionReply(success=True, artifact={"text": text})))
    return request, body


def main() -> None:
    bus = Bus(sys.argv[1])
    for sid, subject in enumerate(("run.>", "automation.>", "dead.>", "action.desk.*"), 1):
        bus.subscribe(f"{PREFIX}.{subject}", sid)
    bus.subscribe(f"{INBOX}.>", 9)
    action = ActionRegister(id="desk.greet", produces="greeting", owner="edge")
    ask(bus, "catalog.actions.register", action, api.Success)
    automation = store(bus)
    created = bus.until(lambda message: message[0].startswith(f"{PREFIX}.automation."))
    event = wire.encode_event(
        "edge.made", {"to": "Ann"}, actor=ANN, context_key="k", message_id="edge-1", prefix=PREFIX
    )
    stored = [json.loads(bus.request(event.subject, event.body, event.headers)[3]) for _ in "ab"]
    request, asked = serve(bus)
    heard = []
    while not heard or not heard[-1].type.endswith((".succeeded", ".failed")):
        message = bus.until(lambda message: message[0].startswith(f"{PREFIX}.run."))
        heard.append(wire.decode_run_event(message[3]))
    detail = ask(bus, "runs.get", api.ById(heard[-1].data.run_id), api.RunDetail)
    poison = wire.encode_event("edge.broken", {}, message_id="edge-2", prefix=PREFIX)
    bus.request(poison.subject, b"[1]", poison.headers)
    _, _, head, body = bus.until(lambda message: message[0].startswith(f"{PREFIX}.dead."))
    letter = wire.decode_dead_letter(head, body, prefix=PREFIX)
    told = {
        "automation": automation.id,
        "created": wire.decode_automation_event(created[3]).type,
        "duplicate": [one.get("duplicate", False) for one in stored],
        "request": [request.config, request.context_key, request.step_path, request.attempt],
        "heard": [one.type for one in heard],
        "run": [detail.run.actor.name, detail.run.context_key, detail.run.status],
        "artifact": [artifact.data for artifact in detail.artifacts],
        "dead": [letter.event, letter.message_id, letter.body.decode(), letter.reason],
        "crossed": {
            "automation-event": json.loads(created[3]),
            "action-request": json.loads(asked),
            "dead-letter-headers": head,
            "event-headers": dict(event.headers),
        },
    }
    sys.stdout.write(json.dumps(told))


main()
