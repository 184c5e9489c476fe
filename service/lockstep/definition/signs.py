"""Signs of other template languages: they stand in a text as what they are, and mean nothing."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lockstep.definition.tree import Path, actions, called, rendered, texts
from lockstep.model.errors import RenderError
from lockstep.model.secrets import PLACEHOLDER
from lockstep.model.types import Catalog
from lockstep.render import Renderer, native
from lockstep_schemas.actions import Action, Stop, Variables, Wait
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json
from lockstep_schemas.definition import Definition

_BLOCK: Final = re.compile(r"\{%-?\s*(\w*).*?%\}", re.DOTALL)
_COMMENT: Final = re.compile(r"\{#.*?#\}", re.DOTALL)
_DOLLAR: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_BRACED: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LONGEST: Final = 60  # characters of what is shown again
_CHOICE: Final = "write `{{ a if condition else b }}`, or the action `choose`"
_INSTEAD: Final[Mapping[str, str]] = {
    **dict.fromkeys(("if", "elif", "else", "endif"), _CHOICE),
    **dict.fromkeys(
        ("for", "endfor"), "write `{{ list | join(', ') }}` or the like, or the action `repeat`"
    ),
    **dict.fromkeys(("set", "endset"), "set it with the action `variables`"),
}


def warned(definition: Definition, catalog: Catalog, renderer: Renderer) -> Iterator[Issue]:
    """Give each text with such a sign, once for each kind of them."""
    for text in texts(definition, catalog):
        found = _BRACED.search(text.text) if text.form == "expression" else None
        if found is not None and _is_expression(text.text, renderer):
            yield Issue(  # these stand in a text that is written out
                path=list(text.path),
                message=f"{_shown(found)} is no template in the text of an expression",
                hint=_instead(found[1], renderer),
            )
    for path, action in actions(definition.actions, ("actions",)):
        for place, written in _written(action, path, catalog):
            yield from _signs(list(place), written)


def _is_expression(text: str, renderer: Renderer) -> bool:
    try:
        renderer.expression(text)
    except RenderError:
        return False  # it is refused, with what to write
    return True


def _instead(braced: str, renderer: Renderer) -> str:
    """Say what to write for braces in a text; what is no expression itself is not proposed."""
    bare = native(braced.strip())
    if len(bare) > _LONGEST or not _is_expression(bare, renderer):
        return "an expression stands without braces and quotes; `~` joins texts"
    return f"write `{bare}`, no quotes around it; `~` joins texts"


def _signs(path: list[str | int], text: str) -> Iterator[Issue]:
    if block := _BLOCK.search(text):
        hint = _INSTEAD.get(block[1], "only `{{ expression }}` is a template")
        yield Issue(path=path, message=f"{_shown(block)} means nothing, it stays text", hint=hint)
    if comment := _COMMENT.search(text):
        hint = "write a comment of YAML, or a `description`"
        yield Issue(path=path, message=f"{_shown(comment)} means nothing, it stays text", hint=hint)
    for dollar in _DOLLAR.finditer(text):
        if PLACEHOLDER.match(dollar[0]) is None:
            bare = native(dollar[1].strip())
            hint = f"write `{{{{ {bare} }}}}`" if len(bare) <= _LONGEST else "leave the `$` out"
            message = f"the `$` of {_shown(dollar)} means nothing, it stays text"
            yield Issue(path=path, message=message, hint=hint)
            return


def _shown(found: re.Match[str]) -> str:
    text = found[0]
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[:_LONGEST]}...`"


def _written(action: Action, path: Path, catalog: Catalog) -> Iterator[tuple[Path, str]]:
    """Give the texts of an action that may be templates, whether they are or not."""
    call = called(action)
    if call is not None:
        yield from _strings(rendered(call, catalog), (*path, "config"))
    elif isinstance(action, Variables):
        yield from _strings(action.variables, (*path, "variables"))
    elif isinstance(action, Stop):
        yield from _strings(action.stop.reason, (*path, "stop", "reason"))
    elif isinstance(action, Wait):
        key = action.wait_for_trigger.context_key
        yield from _strings(key, (*path, "wait_for_trigger", "context_key"))


def _strings(value: Json, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _strings(inner, (*path, index))
