"""The channels of the bus: subjects, who speaks there, and what is said."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from lockstep_schemas.events import ACTION_DONE

Direction = Literal["receive", "send"]

PARAMETERS: Final[Mapping[str, tuple[str, str]]] = {
    "prefix": ("The setting `nats.prefix`: letters, digits, `_`, `-`.", "lockstep"),
    "eventId": ("Id of the event: dot-separated words; so many words of the subject.", ""),
    "lane": ("A lane of the setting `nats.lanes`: a queue of its own.", ""),
    "automationId": ("Id of the automation.", ""),
    "what": ("What happened.", ""),
    "plugin": ("The first word of the id of the action.", ""),
    "name": ("The rest of the id of the action: one word or more.", ""),
    "waitId": ("Id of the wait.", ""),
    "workerId": ("Id of the replica.", ""),
}
"""What stands for each word of a subject, and its default."""


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of subject."""

    address: str
    about: str
    message: str
    stream: str | None = None


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of message: its schemas, by name."""

    about: str
    headers: str | None = None
    payload: str | None = None
    content: str = "application/json"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine does on a channel; `replies` where it is a request."""

    channel: str
    action: Direction
    about: str
    replies: tuple[str, ...] = ()


CHANNELS: Final[Mapping[str, Channel]] = {
    "trigger": Channel(
        address="{prefix}.trigger.{eventId}",
        about="Events of services. The stream is a work queue and refuses what it has no room for.",
        message="event",
        stream="LOCKSTEP_TRIGGERS",
    ),
    "laneTrigger": Channel(
        address="{prefix}.lane.{lane}.trigger.{eventId}",
        about="Events in a queue of their own.",
        message="event",
        stream="LOCKSTEP_TRIGGERS",
    ),
    "actionDone": Channel(
        address=f"{{prefix}}.trigger.{ACTION_DONE}",
        about="Results of remote actions that were accepted.",
        message="actionDone",
        stream="LOCKSTEP_TRIGGERS",
    ),
    "run": Channel(
        address="{prefix}.run.{automationId}.{what}",
        about="What happens to runs and their steps, in order for each run, without gap or double.",
        message="runEvent",
        stream="LOCKSTEP_RUNS",
    ),
    "automation": Channel(
        address="{prefix}.automation.{automationId}.{what}",
        about="Automations that were created, updated or deleted.",
        message="automationEvent",
        stream="LOCKSTEP_RUNS",
    ),
    "dead": Channel(
        address="{prefix}.dead.{eventId}",
        about="Events that could not be handled, untouched, with the reason.",
        message="deadLetter",
        stream="LOCKSTEP_DEAD",
    ),
    "action": Channel(
        address="{prefix}.action.{plugin}.{name}",
        about="Requests to the service that provides an action.",
        message="actionRequest",
    ),
    "notify": Channel(
        address="{prefix}.notify",
        about="Requests to the service that delivers notifications.",
        message="notifyRequest",
    ),
    "secret": Channel(
        address="{prefix}.secret",
        about="Requests to the service that resolves secrets.",
        message="secretRequest",
    ),
    "wakeDelay": Channel(
        address="{prefix}.wake.delay.{waitId}",
        about="Internal: alarms of delays, published by the schedules of the server.",
        message="internal",
        stream="KV_lockstep_delays",
    ),
    "wakeWait": Channel(
        address="{prefix}.wake.wait.{waitId}",
        about="Internal: alarms of waits, published by the schedules of the server.",
        message="internal",
        stream="KV_lockstep_waits",
    ),
    "worker": Channel(
        address="{prefix}.worker.{workerId}",
        about="Internal: a wait of a run that this replica executes has fired.",
        message="internal",
    ),
}

MESSAGES: Final[Mapping[str, Spoken]] = {
    "event": Spoken(
        about="An event: its payload is a JSON object, or a CloudEvent around one.",
        headers="event-headers",
    ),
    "actionDone": Spoken(
        about="The result of a remote action that was accepted.",
        headers="event-headers",
        payload="action-done",
    ),
    "runEvent": Spoken(
        about="What happened to a run or a step.",
        headers="run-event-headers",
        payload="run-event",
        content="application/cloudevents+json",
    ),
    "automationEvent": Spoken(
        about="What happened to an automation.",
        headers="run-event-headers",
        payload="automation-event",
        content="application/cloudevents+json",
    ),
    "deadLetter": Spoken(
        about="An event as it was published, and why it could not be handled.",
        headers="dead-letter-headers",
        content="application/octet-stream",
    ),
    "actionRequest": Spoken(about="What shall be done.", payload="action-request"),
    "actionReply": Spoken(
        about="How it ended, or that the result will follow.", payload="action-reply"
    ),
    "notifyRequest": Spoken(about="Whom to tell what.", payload="notify-request"),
    "notifyReply": Spoken(about="On which channels it was delivered.", payload="notify-reply"),
    "secretRequest": Spoken(about="Which secret, and what for.", payload="secret-request"),
    "secretReply": Spoken(about="The value of a secret.", payload="secret-reply"),
    "error": Spoken(
        about="A request to the control API was refused, or failed.",
        headers="api-error-headers",
        payload="api-error",
    ),
    "internal": Spoken(
        about="Between the parts of the engine; nobody else may rely on it.",
        content="application/octet-stream",
    ),
}

OPERATIONS: Final[Mapping[str, Operation]] = {
    "takeEvent": Operation(
        channel="trigger", action="receive", about="Start and wake runs, once for each event."
    ),
    "takeLaneEvent": Operation(
        channel="laneTrigger", action="receive", about="The same, for the events of a lane."
    ),
    "takeActionResult": Operation(
        channel="actionDone", action="receive", about="Wake the run that waits for the result."
    ),
    "tellRun": Operation(channel="run", action="send", about="Tell what happens to a run."),
    "tellAutomation": Operation(
        channel="automation", action="send", about="Tell that an automation was changed."
    ),
    "putDeadLetter": Operation(
        channel="dead", action="send", about="Keep an event that cannot be handled."
    ),
    "askForAction": Operation(
        channel="action",
        action="send",
        about="Have a service carry out an action; the same idempotency key for every attempt.",
        replies=("actionReply",),
    ),
    "askForSecret": Operation(
        channel="secret",
        action="send",
        about="Ask for the value of a secret, for one call.",
        replies=("secretReply",),
    ),
    "askToNotify": Operation(
        channel="notify",
        action="send",
        about="Have a user told something; the same idempotency key for every attempt.",
        replies=("notifyReply",),
    ),
    "wakeDelay": Operation(channel="wakeDelay", action="receive", about="Wake what is due."),
    "wakeWait": Operation(channel="wakeWait", action="receive", about="Wake what is due."),
    "tellWorker": Operation(channel="worker", action="send", about="Tell a replica of a wait."),
    "hearAsWorker": Operation(channel="worker", action="receive", about="Take a run up again."),
}
