"""Definitions that are stored: they were judged before, maybe by another version."""

from lockstep.definition.shape import Shaper
from lockstep.model.errors import EngineError
from lockstep.model.texts import path_text
from lockstep_schemas.base import Json
from lockstep_schemas.definition import Definition


class DefinitionRefused(EngineError):
    """A definition that is not of the shape of the language."""

    code = "definition.refused"
    category = "bad_request"
    advice = "Correct the definition, or update the engine: a later version may know it."


def parse(raw: Json) -> Definition:
    """Convert a definition that was validated before.

    Raises:
        DefinitionRefused: It is not of this language, or of a later version of it.
    """
    shaper = Shaper()
    made = shaper.definition(raw)
    if made is None:
        first = shaper.issues[0]
        place = path_text(first.path)
        raise DefinitionRefused(f"{place or 'definition'}: {first.message}")
    return made
