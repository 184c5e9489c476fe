"""A plug-in: tickets that are opened, commented and closed; and a folder that is watched."""

from typing import Annotated, Literal
from zlib import crc32

import msgspec
from msgspec import Meta

from lockstep.catalog import ActionContext, ActionResult, Registry
from lockstep_tickets.folder import Folder, watch

Priority = Literal["low", "normal", "high"]


class Open(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Open a ticket."""

    title: Annotated[str, Meta(min_length=1)]
    priority: Priority = "normal"
    token: Annotated[str, Meta(extra_json_schema={"x-secret": True})] = ""


class Close(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Close the ticket that is open for the context key."""

    comment: str = ""


class Ticket(msgspec.Struct, frozen=True):
    """What `tickets.open` produces."""

    number: str
    title: str
    priority: Priority


class Commented(msgspec.Struct, frozen=True):
    """The payload of `tickets.commented`, which the ticket system publishes."""

    number: str
    text: str


def register(registry: Registry) -> None:
    """Bring the types; called once, at the start of each replica."""
    registry.artifact("ticket", schema=Ticket, description=Ticket.__doc__)
    registry.trigger("commented", payload=Commented, context_key="/number", category="Tickets")
    registry.trigger("file", config=Folder, setup=watch, category="Tickets")
    registry.add_filter("ticket_link", lambda number: f"https://tickets.example.org/{number}")
    registry.add_action(
        "open",
        open_ticket,
        config=Open,
        config_version=2,
        migrations={1: urgent_became_priority},
        produces="ticket",
        timeout_seconds=30,
        category="Tickets",
    )
    registry.add_action(
        "close",
        close_ticket,
        config=Close,
        consumes=["ticket"],
        closes=["ticket"],
        category="Tickets",
    )


async def open_ticket(context: ActionContext) -> ActionResult:
    """Open a ticket, once however often the step is repeated."""
    config = msgspec.convert(context.config, Open)
    # A real one would send the idempotency key along, so that a second call finds the ticket. Of
    # the same key it is the same number in every process: `hash` of a text would not be.
    number = f"T-{crc32(context.idempotency_key.encode()) % 100_000}"
    context.logger.info("action.logged", message="ticket opened", number=number)
    ticket = {"number": number, "title": config.title, "priority": config.priority}
    return ActionResult(artifact=ticket, external_id=number)


async def close_ticket(context: ActionContext) -> ActionResult:
    """Close the newest open ticket of this automation and context key."""
    ticket = context.consumed_artifacts.get("ticket")
    if ticket is None:
        return ActionResult(success=False, error="no ticket is open for this context key")
    config = msgspec.convert(context.config, Close)
    context.logger.info("action.logged", message="ticket closed", comment=config.comment)
    return ActionResult(external_id=ticket["number"])


def urgent_became_priority(config: dict) -> dict:
    """Bring a config of version 1 up to date: it had `urgent: true` in place of `priority`."""
    kept = {name: value for name, value in config.items() if name != "urgent"}
    return {**kept, "priority": "high"} if config.get("urgent") else kept
