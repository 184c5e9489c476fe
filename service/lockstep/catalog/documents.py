"""Types that come as documents: from services over the bus, and from files."""

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from lockstep.catalog.context_keys import extractor
from lockstep.catalog.errors import CatalogError
from lockstep.catalog.options import ActionOptions, Filter
from lockstep.catalog.registry import Batch, Registry, schema_for, title
from lockstep.catalog.remote import RemoteCall
from lockstep.model.types import ActionType, ArtifactType, Catalog, TriggerType
from lockstep_schemas.registration import ActionRegister, TriggerRegister

OWN_WORDS: Final = frozenset({"automation", "http", "lockstep", "nats"})
"""Names of built-in plug-ins, and first words of event ids that are the engine's own."""


def trigger_type(document: TriggerRegister, owner: str) -> TriggerType:
    """Make the type of trigger that a document describes.

    Raises:
        CatalogError: Its schema or context key is wrong, or the id is the engine's own.
    """
    what, plugin = f"trigger '{document.id}'", document.id.partition(".")[0]
    _check_word(what, plugin)
    payload, key = document.payload_schema, document.context_key
    return TriggerType(
        qualified_id=document.id,
        plugin=plugin,
        display_name=document.display_name or title(document.id),
        description=document.description,
        category=document.category,
        payload_schema=None if payload is None else schema_for(payload, what, "payload_schema"),
        context_key=None if key is None else extractor(key, document.id),
        context_key_text=key,
        owner=owner,
    )


def action_type(document: ActionRegister, owner: str, subject: str, catalog: Catalog) -> ActionType:
    """Make the type of action that a document describes; its owner answers on `subject`.

    Raises:
        CatalogError: A schema of it is wrong, or the id is the engine's own.
    """
    plugin, _, name = document.id.partition(".")
    _check_word(f"action '{document.id}'", plugin)
    batch = Batch()
    registry = Registry(plugin, _ArtifactsOf(catalog), batch)
    if document.produces is not None and document.produces_schema is not None:
        registry.artifact(document.produces, schema=document.produces_schema)
    options: ActionOptions = {
        "config": document.config_schema,
        "consumes": document.consumes,
        "closes": document.closes,
        "category": document.category,
        "timeout_seconds": document.timeout_seconds,
        "retry_safe": document.retry_safe,
        "follow_up": "remote",
    }
    if document.produces is not None:
        options["produces"] = document.produces
    if document.display_name is not None:
        options["display_name"] = document.display_name
    registry.add_action(name, RemoteCall(document.id, subject), **options)
    return replace(
        batch.actions[document.id],
        description=document.description,
        owner=owner,
        source="bus",
    )


def _check_word(what: str, word: str) -> None:
    if word in OWN_WORDS:
        raise CatalogError(f"{what}: ids under '{word}.' are the engine's own; choose another word")


class _ArtifactsOf:
    """Lets a registry see the artifact types that there are; ids are judged by their owner."""

    filters = MappingProxyType[str, Filter]({})

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def trigger(self, _event_id: str) -> None:
        """See `registry.TakenIds`."""

    def action(self, _qualified_id: str) -> None:
        """See `registry.TakenIds`."""

    def artifact(self, qualified_id: str) -> ArtifactType | None:
        """See `registry.TakenIds`."""
        return self._catalog.artifact(qualified_id)
