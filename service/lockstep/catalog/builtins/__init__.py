"""What comes with the engine: a module for each plug-in."""

from lockstep.catalog.builtins.automation import register_automation
from lockstep.catalog.builtins.http import register_http
from lockstep.catalog.builtins.nats import Publish, Request, publisher, register_nats
from lockstep.catalog.memory import MemoryCatalog

__all__ = ["Publish", "Request", "publisher", "register_builtins"]


def register_builtins(catalog: MemoryCatalog, *, prefix: str = "lockstep") -> None:
    """Add the triggers and actions that come with the engine.

    Args:
        catalog: Where they go.
        prefix: The first word of the engine's own subjects, which automations must leave alone.
    """
    catalog.register("automation", register_automation(prefix))
    catalog.register("nats", register_nats(prefix))
    catalog.register("http", register_http)
