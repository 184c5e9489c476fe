"""Render: expressions and templates, hardened. The only package that imports Jinja2."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from lockstep.render.filters import BUILT_IN, Filter, made
from lockstep.render.limits import Limits
from lockstep.render.templates import (
    Expression,
    Template,
    compile_expression,
    compile_template,
)
from lockstep.render.values import as_number, to_text, truth

__all__ = ["Expression", "Limits", "Renderer", "Template", "as_number", "to_text", "truth"]

CACHED: Final = 4096

Made = TypeVar("Made")


class Renderer:
    """Compiles expressions and templates, each text once as long as it is in the cache."""

    def __init__(
        self,
        filters: Mapping[str, Callable[..., object]] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Take filters of plug-ins.

        Raises:
            ValueError: One has the name of a built-in filter; the built-in stays.
        """
        taken = sorted(set(filters or ()) & set(BUILT_IN))
        if taken:
            raise ValueError(f"filter '{taken[0]}' is built in and cannot be replaced")
        ours: dict[str, Filter] = dict(BUILT_IN)
        for name, function in (filters or {}).items():
            ours[name] = made(function, is_ours=False)
        self._filters, self._limits = ours, limits or Limits()
        self._expressions: OrderedDict[str, Expression] = OrderedDict()
        self._templates: OrderedDict[str, Template] = OrderedDict()

    def expression(self, text: str) -> Expression:
        """Compile a bare expression.

        Raises:
            SyntaxFault: It is none; the error has message, line, column, hint.
            LimitExceeded: It is too long, or nested too deep.
        """
        return self._cached(self._expressions, compile_expression, text)

    def template(self, text: str) -> Template:
        """Compile a template.

        Raises:
            SyntaxFault: An expression in it is none, or not closed.
            LimitExceeded: It is too long, or nested too deep.
        """
        return self._cached(self._templates, compile_template, text)

    def _cached(
        self,
        cache: OrderedDict[str, Made],
        compile_text: Callable[[str, Mapping[str, Filter], Limits], Made],
        text: str,
    ) -> Made:
        found = cache.get(text)
        if found is None:
            found = cache[text] = compile_text(text, self._filters, self._limits)
            if len(cache) > CACHED:
                cache.popitem(last=False)
        return found
