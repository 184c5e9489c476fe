"""What is wrong with a type, a plug-in or a schema that somebody wants to bring in."""

from lockstep.model.errors import EngineError


class CatalogError(EngineError):
    """A type, a filter or a plug-in was refused; the message names it. Correct its declaration."""

    code = "catalog.refused"


class SchemaRefused(CatalogError):
    """A JSON Schema is wrong, or larger than the engine evaluates for each event."""

    code = "catalog.schema_refused"


class AlreadyRegistered(CatalogError):
    """The id or name is taken; what was there first stays."""

    code = "catalog.already_registered"


class BadResult(CatalogError):
    """An action gave back something that is no `ActionResult`: a fault of its plug-in."""

    code = "action.bad_result"
