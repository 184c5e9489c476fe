"""Render: templates and expressions, hardened. The only package that imports Jinja2."""

from lockstep.render.compare import less
from lockstep.render.explain import joined, shown
from lockstep.render.filters import BUILT_IN
from lockstep.render.limits import Limits
from lockstep.render.renderer import Renderer
from lockstep.render.scanner import native
from lockstep.render.templates import Expression, Template
from lockstep.render.values import as_number, to_text, truth

__all__ = [
    "BUILT_IN",
    "Expression",
    "Limits",
    "Renderer",
    "Template",
    "as_number",
    "joined",
    "less",
    "native",
    "shown",
    "to_text",
    "truth",
]
