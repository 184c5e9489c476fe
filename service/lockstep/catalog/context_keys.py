"""How the context key is found in a payload: a JSON Pointer, an expression, or a function."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import structlog

from lockstep.catalog.errors import CatalogError
from lockstep.model.errors import RenderError
from lockstep.model.foreign import called, reason_of
from lockstep.model.types import own
from lockstep.render import Renderer, to_text
from lockstep_schemas.base import Json, JsonObject

ContextKey: TypeAlias = str | Callable[[JsonObject], object]

log = structlog.get_logger()


def extractor(context_key: ContextKey, event_id: str) -> Callable[[JsonObject], str | None]:
    """Make the function that gives the context key of a payload.

    Args:
        context_key: A JSON Pointer (`/incidentId`), a bare expression over the payload
            (`incident.id`), or a function of the payload.
        event_id: Qualified id of the trigger, for messages.

    Returns:
        A function that never raises. It gives the text of what it finds, as a template would;
        None for what is missing, null, empty, a list or an object, and after an error.

    Raises:
        CatalogError: It is no pointer, no expression, or a coroutine function.
    """
    if callable(context_key):
        if inspect.iscoroutinefunction(context_key):
            raise CatalogError(
                f"trigger '{event_id}': context_key is a coroutine function; a plain one is needed"
            )
        return _Guarded(lambda payload: context_key(own(payload)), event_id)
    if context_key.startswith("/"):
        words = _words(context_key, event_id)
        return _Guarded(lambda payload: _lookup(payload, words), event_id)
    try:
        expression = _renderer().expression(context_key)
    except RenderError as error:
        raise CatalogError(f"trigger '{event_id}': context_key: {error}") from error
    return _Guarded(expression.evaluate, event_id)


class _Guarded:
    """Calls what may raise, and tells the first time that it does."""

    __slots__ = ("_event_id", "_extract", "_is_logged")

    def __init__(self, extract: Callable[[JsonObject], object], event_id: str) -> None:
        self._extract, self._event_id, self._is_logged = extract, event_id, False

    def __call__(self, payload: JsonObject) -> str | None:
        try:
            return called(self._text, payload)
        except Exception as error:  # noqa: BLE001 - a plug-in's function: anything may come
            if not self._is_logged:
                self._is_logged = True
                reason = reason_of(error)
                log.warning("context_key.failed", event_id=self._event_id, error=reason)
            return None

    def _text(self, payload: JsonObject) -> str | None:
        return _text(self._extract(payload))


@cache
def _renderer() -> Renderer:
    return Renderer()


def _words(pointer: str, event_id: str) -> tuple[str, ...]:
    """Take a JSON Pointer apart. Source: RFC 6901."""
    words = pointer.split("/")[1:]
    if any("~" in word.replace("~0", "").replace("~1", "") for word in words):
        raise CatalogError(
            f"trigger '{event_id}': context_key '{pointer}' is no JSON Pointer: ~ stands there"
            " without 0 or 1 behind it"
        )
    return tuple(word.replace("~1", "/").replace("~0", "~") for word in words)


def _lookup(value: Json, words: tuple[str, ...]) -> Json:
    for word in words:
        if isinstance(value, dict):
            value = value.get(word)
        elif isinstance(value, list) and word.isascii() and word.isdigit():
            value = value[int(word)] if len(word) < 10 and int(word) < len(value) else None
        else:
            return None
    return value


def _text(value: object) -> str | None:
    return (to_text(value) or None) if isinstance(value, (str, bool, int, float)) else None
