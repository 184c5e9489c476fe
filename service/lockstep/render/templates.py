"""Templates and bare expressions, compiled once and evaluated often."""

from collections.abc import Callable, Mapping

from lockstep.model.errors import LimitExceeded, RenderError, SyntaxFault
from lockstep.render.compile import Compiler, Evaluate
from lockstep.render.filters import Filter
from lockstep.render.limits import Budget, Limits
from lockstep.render.parse import parse
from lockstep.render.scanner import split
from lockstep.render.values import MISSING, plain, to_text, truth

Scope = Mapping[str, object]
Path = tuple[str, ...]


class Expression:
    """A bare expression; immutable."""

    __slots__ = ("_evaluate", "_limits", "references", "text")

    def __init__(
        self, text: str, evaluate: Evaluate, references: frozenset[Path], limits: Limits
    ) -> None:
        self.text, self.references = text, references
        self._evaluate, self._limits = evaluate, limits

    def evaluate(self, scope: Scope) -> object:
        """Give its value, None where it is missing.

        Raises:
            RenderError: It cannot be evaluated, or goes past a limit.
        """
        value = _guarded(self._evaluate, scope, Budget(self._limits))
        return _plain(value, self._limits)

    def holds(self, scope: Scope) -> bool:
        """Give its truth. Raises RenderError."""
        return truth(_guarded(self._evaluate, scope, Budget(self._limits)))


class Template:
    """A text with expressions in it; immutable."""

    __slots__ = ("_limits", "_parts", "constant", "references", "text")

    def __init__(
        self, text: str, parts: list[str | Evaluate], references: frozenset[Path], limits: Limits
    ) -> None:
        self.text, self.references = text, references
        self.constant = all(isinstance(part, str) for part in parts)
        self._parts, self._limits = parts, limits

    def render(self, scope: Scope) -> str:
        """Give text. Raises RenderError."""
        if self.constant:
            return self.text
        budget, made, size = Budget(self._limits), [], 0
        for part in self._parts:
            text = part if isinstance(part, str) else _text(_guarded(part, scope, budget), budget)
            size += len(text)
            if size > self._limits.value_bytes:
                budget.room(size)
            made.append(text)
        return "".join(made)

    def value(self, scope: Scope) -> object:
        """Give text, or the value itself where the template is exactly one expression."""
        if len(self._parts) == 1 and not isinstance(self._parts[0], str):
            return _plain(_guarded(self._parts[0], scope, Budget(self._limits)), self._limits)
        return self.render(scope)


def _text(value: object, budget: Budget) -> str:
    if isinstance(value, str):
        return value
    try:
        return to_text(value, budget.limits.value_bytes)
    except ValueError as error:  # an integer of too many digits
        raise RenderError(f"the value has no text: {error}") from None


def _plain(value: object, limits: Limits) -> object:
    if value is MISSING or value is None or isinstance(value, bool):
        return None if value is MISSING else value
    return plain(value, limits.value_bytes, limits.nesting)[0]


def _guarded(evaluate: Evaluate, scope: Scope, budget: Budget) -> object:
    """Evaluate; whatever goes wrong is an error of the expression."""
    try:
        return evaluate(scope, budget)
    except RenderError:
        raise
    except RecursionError:
        raise LimitExceeded("the evaluation is nested too deep") from None
    except Exception as error:
        raise RenderError(f"{type(error).__name__}: {error}") from error


def _compiled(
    text: str, filters: Mapping[str, Filter], limits: Limits
) -> tuple[Evaluate, set[Path]]:
    compiler = Compiler(filters, limits.nesting)
    try:
        return compiler.compile(parse(text)), compiler.references
    except RecursionError:
        raise LimitExceeded("the expression is nested too deep", line=1, column=1) from None


def _check_size(text: str, limits: Limits) -> None:
    size = len(text.encode("utf-8", "replace"))
    if size > limits.text_bytes:
        raise LimitExceeded(
            f"the text has {size} bytes, {limits.text_bytes} are allowed", line=1, column=1
        )


def compile_expression(text: str, filters: Mapping[str, Filter], limits: Limits) -> Expression:
    """Compile a bare expression. Raises SyntaxFault, LimitExceeded."""
    _check_size(text, limits)
    stripped = text.strip()
    if stripped.startswith("{{"):
        raise _braces(stripped)
    try:
        evaluate, references = _compiled(text, filters, limits)
    except SyntaxFault:
        if "{{" in text and "}}" in text:
            raise _braces(stripped) from None
        raise
    return Expression(text, evaluate, frozenset(references), limits)


def _braces(text: str) -> SyntaxFault:
    bare = text.replace("{{", "").replace("}}", "").strip()
    return SyntaxFault("a bare expression has no braces", line=1, column=1, hint=f"write `{bare}`")


def compile_template(text: str, filters: Mapping[str, Filter], limits: Limits) -> Template:
    """Compile a template. Raises SyntaxFault, LimitExceeded."""
    _check_size(text, limits)
    parts: list[str | Evaluate] = []
    references: set[Path] = set()
    for part in split(text):
        if not part.is_expression:
            parts.append(part.text)
            continue
        try:
            evaluate, found = _compiled(part.text, filters, limits)
        except (SyntaxFault, LimitExceeded) as fault:
            raise _placed(fault, part.line, part.column) from None
        parts.append(evaluate)
        references |= found
    return Template(text, parts, frozenset(references), limits)


def _placed(fault: RenderError, line: int, column: int) -> RenderError:
    """Count the place of a fault from the beginning of the whole text."""
    at_line, at_column = fault.line or 1, fault.column or 1
    make: Callable[..., RenderError] = type(fault)
    return make(
        fault.message,
        line=line + at_line - 1,
        column=column + at_column - 1 if at_line == 1 else at_column,
        hint=fault.hint,
    )
