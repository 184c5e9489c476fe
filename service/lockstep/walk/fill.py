"""Fill the templates of a config or of a block of variables."""

from collections.abc import Mapping, Sequence

from lockstep.model.errors import RenderError
from lockstep.model.program import Scope, Slot
from lockstep.model.secrets import PLACEHOLDER, names_in, texts_in
from lockstep.model.types import ActionType
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


def fill_config(
    config: Mapping[str, Slot], kind: ActionType, scope: Scope, filled: JsonObject
) -> None:
    """Render a config for its type: fields declared as text get text, code is left alone.

    Raises:
        RenderError: A template of it failed; the message names the field, `filled` has those
            before it.
    """
    for name, slot in config.items():
        is_code = name in kind.code_fields
        filled[name] = _raw(slot) if is_code else _field(slot, scope, kind, (name,))


def _field(slot: Slot, scope: Scope, kind: ActionType, path: tuple[str, ...]) -> Json:
    match slot:
        case str() | int() | float() | None:
            return slot
        case Mapping():
            return {name: _field(s, scope, kind, (*path, name)) for name, s in slot.items()}
        case Sequence():
            return [_field(inner, scope, kind, (*path, "*")) for inner in slot]
    try:
        value = slot.render(scope) if kind.takes_text(path) else slot.value(scope)
    except RenderError as error:
        raise RenderError(f"config.{'.'.join(path)}: {error}", line=error.line) from error
    _check_secrets(slot.text, value, kind, path)
    return value


def _check_secrets(written: str, value: Json, kind: ActionType, path: tuple[str, ...]) -> None:
    """Refuse a value that asks for secrets its author did not: an event could say anything."""
    if not kind.secret_paths or not kind.takes_secrets(path):
        return
    asked = sum(len(names_in(text)) for _, text in texts_in(value))
    if asked != len(names_in(written)):
        raise RenderError(
            f"config.{'.'.join(path)}: a rendered value asks for a secret; only the text of an "
            "automation may"
        )


def secrets_of(config: JsonObject, kind: ActionType) -> list[str]:
    """Name the secrets that a rendered config asks for, where its type lets it."""
    asked = (names_in(text) for path, text in texts_in(config) if kind.takes_secrets(path))
    return sorted({name for names in asked for name in names})


def with_secrets(
    value: Json, kind: ActionType, values: Mapping[str, str], path: tuple[str, ...] = ()
) -> Json:
    """Put the values of secrets where a rendered config asks for them."""
    match value:
        case str():
            if not kind.takes_secrets(path):
                return value
            return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), value)
        case dict():
            return {k: with_secrets(v, kind, values, (*path, k)) for k, v in value.items()}
        case list():
            return [with_secrets(inner, kind, values, (*path, "*")) for inner in value]
    return value


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
