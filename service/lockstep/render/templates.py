"""Templates and bare expressions: compiled once, evaluated often, never changed."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from jinja2 import nodes

from lockstep.model.errors import LimitExceeded, RenderError, SyntaxFault
from lockstep.model.program import Explanation
from lockstep.model.secrets import PLACEHOLDER
from lockstep.render.compile import Compiler, Path, Run
from lockstep.render.explain import Explainer
from lockstep.render.faults import excess, fault, locate, unexpected
from lockstep.render.filters import Filters
from lockstep.render.limits import Limits, Work
from lockstep.render.parse import parse, parse_bare
from lockstep.render.scanner import Scanner, native
from lockstep.render.translate import Translator
from lockstep.render.values import MISSING, SCALARS, truth

Scope: TypeAlias = Mapping[str, object]
_Made = TypeVar("_Made")

_NO_BLOCKS: Final = "a bare expression has no blocks `{% %}`"
_NOT_TRIMMED: Final = "`{{-` trims nothing here, it is the sign of a number"
_LEAVE_OUT: Final = "leave the sign out, or write a space before it"
_TRIMMING: Final = re.compile(r"\{\{[-+]\s")
_SIGNED: Final = re.compile(
    r"\{\{(?:\{\s*([^{}]+?)\s*\}|[-+]\s+(.+?)\s*[-+]?|[-+]?\s*(.+?)\s*[-+])\}\}", re.DOTALL
)
_BRACES: Final = re.compile(r"\$?\{\{(?:[-+](?=\s))?|[-+]?\}\}")
_LONGEST: Final = 60  # characters of what is shown again
_TOO_LARGE: Final = "the value has more than {} bytes"


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One expression, and where it begins in which text."""

    source: str
    begin: int
    run: Run

    def finish(self, work: Work, finish: Callable[[Work, object], _Made]) -> _Made:
        """Evaluate it and finish its value; whatever goes wrong is an error of the expression."""
        try:
            return finish(work, self.run(work))
        except RenderError as error:
            locate(error, self.source, self.begin)
            raise
        except Exception as error:
            raise unexpected(error, self.source, self.begin) from error


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A bare expression."""

    text: str
    references: tuple[Path, ...]
    """The static paths that it refers to: `a.b[0].c` refers to `("a", "b")`."""
    outdated: tuple[RenderError, ...]
    """What in it works as it has, and may not be written any more."""
    _part: _Part
    _limits: Limits
    _explainer: Explainer

    def evaluate(self, scope: Scope) -> object:
        """Give its value, None where it is missing.

        Raises:
            RenderError: It cannot be evaluated on this scope.
            LimitExceeded: It takes too long, or its value is too large.
        """
        return self._part.finish(Work(scope, self._limits), _value)

    def holds(self, scope: Scope) -> bool:
        """Give its truth.

        Raises:
            RenderError: It cannot be evaluated on this scope.
            LimitExceeded: It takes too long.
        """
        return self._part.finish(Work(scope, self._limits), _truth)

    def explain(self, scope: Scope) -> Explanation:
        """Say what decides its truth, with the values; it never raises."""
        return self._explainer.explain(scope)


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A text with expressions in it."""

    text: str
    references: tuple[Path, ...]
    """The static paths that it refers to: `{{ a.b[0].c }}` refers to `("a", "b")`."""
    constant: bool
    """Whether there is no expression in it."""
    outdated: tuple[RenderError, ...]
    """What in it works as it has, and may not be written any more."""
    _parts: tuple[str | _Part, ...]
    _limits: Limits

    def render(self, scope: Scope) -> str:
        """Give text.

        Raises:
            RenderError: An expression in it cannot be evaluated on this scope.
            LimitExceeded: It takes too long, or the text is too large.
        """
        if self.constant:
            return self.text
        work, texts = Work(scope, self._limits), []
        for part in self._parts:
            if isinstance(part, str):
                texts.append(part)
            else:
                texts.append(part.finish(work, _text))
        made = "".join(texts)
        if _is_larger(made, self._limits.value_bytes):
            raise excess(self.text, 0, _TOO_LARGE.format(self._limits.value_bytes))
        return made

    def value(self, scope: Scope) -> object:
        """Give the value itself, None for missing, if it is one expression and nothing else.

        Raises:
            RenderError: An expression in it cannot be evaluated on this scope.
            LimitExceeded: It takes too long, or the value is too large.
        """
        only = self._parts[0] if len(self._parts) == 1 else ""
        if isinstance(only, str):
            return self.render(scope)
        return only.finish(Work(scope, self._limits), _value)


def compile_expression(text: str, filters: Filters, limits: Limits) -> Expression:
    """Compile a bare expression.

    Raises:
        SyntaxFault: It is none; the error has message, line, column and, at times, a hint.
        LimitExceeded: It is too long, or nested too deep.
    """
    _check_text(text, limits)
    if text.lstrip().startswith(("{{", "${{")):
        raise _braced(text, text.index("{{"), filters, limits)
    try:
        return _expression(text, filters, limits)
    except SyntaxFault:
        if "{%" in text and "%}" in text:
            hint = "write what it gives: `condition`, or `a if condition else b`"
            raise fault(text, text.index("{%"), _NO_BLOCKS, hint) from None
        if "{{" in text and "}}" in text:
            raise _braced(text, text.index("{{"), filters, limits) from None
        raise


def _expression(text: str, filters: Filters, limits: Limits) -> Expression:
    begin = len(text) - len(text.lstrip())
    compiler = Compiler(text, filters, limits)
    tree = parse_bare(text, limits, Translator(filters).hint)
    part = _Part(text, begin, compiler.compile_root(tree))
    explainer = Explainer(text, filters, limits)
    return Expression(text, compiler.references, compiler.outdated, part, limits, explainer)


def compile_template(text: str, filters: Filters, limits: Limits) -> Template:
    """Compile a template.

    Raises:
        SyntaxFault: An expression in it is none or is not closed; the error has message, line,
            column and, at times, a hint.
        LimitExceeded: It is too long, or nested too deep.
    """
    _check_text(text, limits)
    compiler = Compiler(text, filters, limits)
    parts: list[str | _Part] = []
    outdated: list[RenderError] = []
    at = seek = 0
    while (begin := text.find("{{", seek)) >= 0:
        if begin and (secret := PLACEHOLDER.match(text, begin - 1)):
            seek = secret.end()  # resolved for the call only
            continue
        if begin > at:
            parts.append(text[at:begin])
        try:
            tree, at = _tree(text, begin, filters, limits)
        except SyntaxFault as error:
            error.hint = _without_signs(text, begin, filters, limits) or error.hint
            raise
        parts.append(_Part(text, begin, compiler.compile_root(tree)))
        if _TRIMMING.match(text, begin):
            hint = _without_signs(text, begin, filters, limits)
            outdated.append(fault(text, begin, _NOT_TRIMMED, hint or _LEAVE_OUT))
        seek = at
    constant = not parts
    if at < len(text):
        parts.append(text[at:])
    outdated += compiler.outdated
    return Template(text, compiler.references, constant, tuple(outdated), tuple(parts), limits)


def _tree(text: str, begin: int, filters: Filters, limits: Limits) -> tuple[nodes.Expr, int]:
    """Read the expression in the braces at a place; give the place behind them, too."""
    scanner = Scanner(text, begin + 2, limits)
    tokens, at = scanner.braced(begin)
    if not tokens:
        raise fault(text, begin, "the expression is empty")
    return parse(text, tokens, at - 2, scanner.deepest, Translator(filters).hint), at


def _without_signs(text: str, begin: int, filters: Filters, limits: Limits) -> str:
    """Say what to write for braces with signs of others: `{{- x -}}` of Jinja2, `{{{ x }}}`."""
    found = _SIGNED.match(text, begin)
    bare = native(found[1] or found[2] or found[3]) if found else ""
    if not bare or len(bare) > _LONGEST:
        return ""
    try:
        _expression(bare, filters, limits)
    except RenderError:
        return ""
    return f"write `{{{{ {bare} }}}}`"


def _braced(text: str, at: int, filters: Filters, limits: Limits) -> SyntaxFault:
    """Say that braces do not belong there; the text without them is shown if it is right."""
    signed = _SIGNED.match(text, at)
    within = (
        [signed[1] or signed[2] or signed[3]] if signed and not text[signed.end() :].strip() else []
    )
    plain = _BRACES.sub("", text).strip()
    hint = "write it without `{{` and `}}`" if plain else ""
    for bare in map(native, (*within, plain)):
        with suppress(RenderError):
            _expression(bare, filters, limits)
            hint = f"write `{bare}`"
            break
    return fault(text, at, "a bare expression has no braces", hint)


def _check_text(text: str, limits: Limits) -> None:
    if _is_larger(text, limits.text_bytes):
        raise excess(text, 0, f"a template may have {limits.text_bytes} bytes")


def _is_larger(text: str, most: int) -> bool:
    """Say whether a text has more bytes than that as UTF-8."""
    if len(text) > most or text.isascii():
        return len(text) > most
    return len(text.encode("utf-8", "surrogatepass")) > most


def _value(work: Work, value: object) -> object:
    if value is MISSING:
        return None
    if isinstance(value, str):
        if _is_larger(value, work.limits.value_bytes):
            raise LimitExceeded(_TOO_LARGE.format(work.limits.value_bytes))
    elif type(value) not in SCALARS:
        work.weigh(value)
    return value


def _text(work: Work, value: object) -> str:
    text = work.text(value)
    work.fit(len(text))
    return text


def _truth(_: Work, value: object) -> bool:
    return truth(value)
