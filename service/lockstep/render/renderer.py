"""The renderer: compiles each text once, as long as it is kept."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

from lockstep.model.errors import RenderError
from lockstep.render.filters import Filters
from lockstep.render.limits import DEFAULT, Limits
from lockstep.render.templates import (
    Expression,
    Template,
    compile_expression,
    compile_template,
)

_MOST_KEPT: Final = 4096  # the templates of some hundred automations
_MOST_CHARACTERS: Final = 4 * 1024 * 1024  # what is compiled takes some 30 to 120 bytes for each

_Made = TypeVar("_Made")


class _Kept(Generic[_Made]):
    """What has been compiled, by its text; what was used longest ago goes first."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._characters = 0

    def get(self, text: str) -> _Made | None:
        """Give what is kept of a text."""
        made = self._made.get(text)
        if made is not None:
            self._made.move_to_end(text)
        return made

    def put(self, text: str, made: _Made) -> _Made:
        """Keep what has been made of a text, and make room for it."""
        if text not in self._made:
            self._characters += len(text)
        self._made[text] = made
        while len(self._made) > _MOST_KEPT or self._characters > _MOST_CHARACTERS:
            gone, _ = self._made.popitem(last=False)
            self._characters -= len(gone)
        return made


class Renderer:
    """Compiles templates and bare expressions.

    Args:
        filters: The filters of plug-ins, by name; looked up anew for each text, so it may grow.
            Each is called with the value before the `|` (null for missing) and its arguments.
        limits: The bounds of what it compiles.
        keeps_faults: Whether a text that is wrong is tried once only; no filter may come later.

    Raises:
        ValueError: A filter has the name of a built-in one, which stays.
    """

    def __init__(
        self,
        filters: Mapping[str, Callable[..., object]] | None = None,
        limits: Limits = DEFAULT,
        *,
        keeps_faults: bool = False,
    ) -> None:
        self._faults: _Kept[RenderError] | None = _Kept() if keeps_faults else None
        self._filters, self._limits = Filters(filters if filters is not None else {}), limits
        self._templates: _Kept[Template] = _Kept()
        self._expressions: _Kept[Expression] = _Kept()

    def template(self, text: str) -> Template:
        """Compile a template.

        Raises:
            SyntaxFault: An expression in it is none or is not closed; the error has message,
                line, column and, at times, a hint.
            LimitExceeded: It is too long, or nested too deep.
        """
        return self._templates.get(text) or self._templates.put(
            text, self._compiled(compile_template, text)
        )

    def expression(self, text: str) -> Expression:
        """See `templates.compile_expression`: a text is compiled once."""
        return self._expressions.get(text) or self._expressions.put(
            text, self._compiled(compile_expression, text)
        )

    def _compiled(self, compile_text: Callable[[str, Filters, Limits], _Made], text: str) -> _Made:
        if self._faults is None:
            return compile_text(text, self._filters, self._limits)
        key = f"{compile_text.__name__} {text}"
        fault = self._faults.get(key)
        if fault is None:
            try:
                return compile_text(text, self._filters, self._limits)
            except RenderError as error:
                fault = self._faults.put(key, error)
        raise fault.with_traceback(None)
