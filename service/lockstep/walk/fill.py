"""Fill the templates of a config or of a block of variables."""

from collections.abc import Mapping, Sequence

from lockstep.model.catalog import ActionType
from lockstep.model.errors import RenderError
from lockstep.model.program import Scope, Slot
from lockstep_schemas.base import Json, JsonObject


def fill(slot: Slot, scope: Scope) -> Json:
    """Give the value of a slot: a text that is one expression keeps the type of its value.

    Raises:
        RenderError: A template of it failed.
    """
    match slot:
        case str() | int() | float() | None:
            return slot
        case Mapping():
            return {name: fill(inner, scope) for name, inner in slot.items()}
        case Sequence():
            return [fill(inner, scope) for inner in slot]
        case _:
            return slot.value(scope)


def fill_config(config: Mapping[str, Slot], kind: ActionType, scope: Scope) -> JsonObject:
    """Render a config for its type: fields declared as text get text, code is left alone.

    Raises:
        RenderError: A template of it failed; the message names the field.
    """
    return {
        name: _raw(slot) if name in kind.code_fields else _field(slot, scope, kind, (name,))
        for name, slot in config.items()
    }


def _field(slot: Slot, scope: Scope, kind: ActionType, path: tuple[str, ...]) -> Json:
    match slot:
        case str() | int() | float() | None:
            return slot
        case Mapping():
            return {name: _field(s, scope, kind, (*path, name)) for name, s in slot.items()}
        case Sequence():
            return [_field(inner, scope, kind, (*path, "*")) for inner in slot]
    try:
        return slot.render(scope) if kind.takes_text(path) else slot.value(scope)
    except RenderError as error:
        raise RenderError(f"config.{'.'.join(path)}: {error}", line=error.line) from error


def _raw(slot: Slot) -> Json:
    """Give a slot as its author wrote it."""
    match slot:
        case str() | int() | float() | None:
            return slot
        case Mapping():
            return {name: _raw(inner) for name, inner in slot.items()}
        case Sequence():
            return [_raw(inner) for inner in slot]
    return slot.text
