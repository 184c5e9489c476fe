"""What is wrong with a type, a plug-in or a schema that somebody wants to bring in."""

from typing import ClassVar

from lockstep.model.errors import Category, EngineError


class CatalogError(EngineError):
    """A type, a filter or a plug-in was refused; the message names it."""

    code = "catalog.refused"
    category: ClassVar[Category] = "bad_request"
    advice = "Correct the declaration that the message names."


class SchemaRefused(CatalogError):
    """A JSON Schema is wrong, or larger than the engine evaluates for each event."""

    code = "catalog.schema_refused"
    advice = "Correct the schema, or make it smaller."


class AlreadyRegistered(CatalogError):
    """The id or name is taken; what was there first stays."""

    code = "catalog.already_registered"
    category = "conflict"
    advice = "Take another id, or ask the owner of the one that is there."


class BadResult(CatalogError):
    """An action gave back something that is no `ActionResult`: a fault of its plug-in."""

    code = "action.bad_result"
    category = "internal"
    advice = "Correct the plug-in: an action returns an `ActionResult`."
