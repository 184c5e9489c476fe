"""The catalog: types of triggers, actions and artifacts, and who brings them.

Plug-ins import from here alone.
"""

from lockstep.catalog.builtins import register_builtins
from lockstep.catalog.context_keys import ContextKey, extractor
from lockstep.catalog.documents import action_type, trigger_type
from lockstep.catalog.errors import AlreadyRegistered, BadResult, CatalogError, SchemaRefused
from lockstep.catalog.files import load_triggers
from lockstep.catalog.memory import MemoryCatalog
from lockstep.catalog.options import ActionOptions, Filter, Shape, TriggerOptions
from lockstep.catalog.plugins import PluginFailure, load_plugins
from lockstep.catalog.registered import Registered
from lockstep.catalog.registry import Registry
from lockstep.catalog.remote import result_of
from lockstep.catalog.schema import CompiledSchema, compile_schema
from lockstep.catalog.services import ServiceBag
from lockstep.catalog.shapes import schema_of, text_paths
from lockstep.catalog.stubs import Recorder, Sleeper, register_stubs
from lockstep.model.errors import EngineError, NobodyAnswers, Unavailable
from lockstep.model.http import HttpRequest, HttpResponse
from lockstep.model.messages import Reply
from lockstep.model.types import ActionContext, ActionResult, Fire, Identity, Logger, Services
from lockstep.ports.actions import Asker, Children, HttpCaller, Messages, Secrets
from lockstep.ports.bus import Publisher

__all__ = [
    "ActionContext",
    "ActionOptions",
    "ActionResult",
    "AlreadyRegistered",
    "Asker",
    "BadResult",
    "CatalogError",
    "Children",
    "CompiledSchema",
    "ContextKey",
    "EngineError",
    "Filter",
    "Fire",
    "HttpCaller",
    "HttpRequest",
    "HttpResponse",
    "Identity",
    "Logger",
    "MemoryCatalog",
    "Messages",
    "NobodyAnswers",
    "PluginFailure",
    "Publisher",
    "Recorder",
    "Registered",
    "Registry",
    "Reply",
    "SchemaRefused",
    "Secrets",
    "ServiceBag",
    "Services",
    "Shape",
    "Sleeper",
    "TriggerOptions",
    "Unavailable",
    "action_type",
    "build_catalog",
    "compile_schema",
    "extractor",
    "load_plugins",
    "load_triggers",
    "register_builtins",
    "register_stubs",
    "result_of",
    "schema_of",
    "text_paths",
    "trigger_type",
]


def build_catalog(
    open: bool,  # noqa: A002 - the setting is called so
    with_stubs: bool = False,
    *,
    prefix: str = "lockstep",
) -> MemoryCatalog:
    """Make a catalog with what comes with the engine; plug-ins are added by `load_plugins`.

    Args:
        open: Any event id may be used and published, registered or not.
        with_stubs: The plug-in `test` too.
        prefix: The first word of the engine's own subjects.
    """
    catalog = MemoryCatalog(is_open=open)
    register_builtins(catalog, prefix=prefix)
    if with_stubs:
        register_stubs(catalog)
    return catalog
