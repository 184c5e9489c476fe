"""Binds filters and tests to their arguments when an expression is compiled."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol, TypeAlias

from jinja2 import nodes

from lockstep.model.errors import LimitExceeded, RenderError, SyntaxFault
from lockstep.render import loops, patterns
from lockstep.render.faults import excess, fault, locate
from lockstep.render.filters import Filter, Filters, misfit, takes
from lockstep.render.limits import Limits, Work
from lockstep.render.predicates import PREDICATES, Predicate
from lockstep.render.translate import HANDED, Translator

Arguments: TypeAlias = Callable[[Work], tuple[Sequence[object], Mapping[str, object]]]
Bound: TypeAlias = tuple[Filter, Arguments]

_PATTERNED: Final = frozenset({"regex_match", "regex_search", "regex_findall", "regex_replace"})


class Compiling(Protocol):
    """What compiles the arguments."""

    def compile(self, node: nodes.Node, depth: int) -> Callable[[Work], object]:
        """Give the closure of a node."""
        ...


class Binder:
    """Looks filters and tests up; an unknown one is a fault, also where it is never reached."""

    def __init__(self, compiler: Compiling, text: str, filters: Filters, limits: Limits) -> None:
        self._compiler, self._text = compiler, text
        self._filters, self._nesting = filters, limits.nesting
        self.outdated: list[RenderError] = []

    def filter(self, node: nodes.Filter, depth: int) -> Bound:
        """Bind a filter.

        Raises:
            SyntaxFault: There is none of this name, or it does not take these arguments.
            LimitExceeded: The pattern in its arguments is too large.
        """
        self._check_plain(node)
        return self._filter(node, node.name, node.args, node.kwargs, depth)

    def test(self, node: nodes.Test, depth: int) -> Bound:
        """Bind a test, as a filter that says yes or no.

        Raises:
            SyntaxFault: There is none of this name, or it does not take these arguments.
        """
        self._check_plain(node)
        predicate = self._predicate(node, node.name, len(node.args), node.kwargs)
        return predicate, self._arguments(node.args, [], depth)

    def hint(self, node: nodes.Expr, name: str = "", known: Iterable[str] = ()) -> str:
        """Say what to write instead of what the language does not have; or which name is meant."""
        translator = Translator(self._filters)
        return translator.hint(node) or translator.near(name, known)

    def check_test(self, test: nodes.Test, whole: nodes.Expr) -> None:
        """Refuse an unknown test with a hint for all that hangs on it: `x is not match("a")`.

        Raises:
            SyntaxFault: There is none of this name.
        """
        if test.name not in PREDICATES:
            raise self._unknown_test(whole, test.name, test.lineno)

    def _unknown_test(self, node: nodes.Expr, name: str, at: int) -> SyntaxFault:
        hint = self.hint(node, name, PREDICATES)
        return fault(self._text, at, f"unknown test '{name}'", hint)

    def _filter(
        self,
        node: nodes.Filter,
        name: str,
        args: Sequence[nodes.Expr],
        named: Sequence[nodes.Pair],
        depth: int,
    ) -> Bound:
        at = node.lineno
        if depth > self._nesting:
            raise excess(self._text, at, "filters are nested too deep")
        if name == "map" and args:
            inner = self._word(args[0], at, "filter")
            call, arguments = self._filter(node, inner, args[1:], named, depth + 1)
            return partial(loops.mapped, call), arguments
        if name in loops.TESTED and len(args) > loops.TESTED[name].before:
            return self._tested(node, name, args, named, depth)
        known = self._filters.find(name)
        if known is None:
            hint = self.hint(node, name, self._filters.names())
            raise fault(self._text, at, f"unknown filter '{name}'", hint)
        wrong = misfit(known.function, known.handed, len(args), [str(pair.key) for pair in named])
        if wrong:
            hint = takes(known.function, known.handed)
            raise fault(self._text, at, f"filter '{name}': {wrong}", hint)
        if name in _PATTERNED:
            self._check_pattern(args, at)
        return known.call, self._arguments(args, named, depth)

    def _tested(
        self,
        node: nodes.Filter,
        name: str,
        args: Sequence[nodes.Expr],
        named: Sequence[nodes.Pair],
        depth: int,
    ) -> Bound:
        """Bind `select` and its kin to a test that is named by an argument."""
        before, run, wanted = loops.TESTED[name]
        more = args[before + 1 :]
        word = self._word(args[before], node.lineno, "test")
        predicate = self._predicate(node, word, len(more), named)
        arguments = self._arguments([*args[:before], *more], [], depth)
        return partial(run, predicate, wanted), arguments

    def _predicate(
        self,
        node: nodes.Filter | nodes.Test,
        name: str,
        count: int,
        named: Sequence[nodes.Pair],
    ) -> Predicate:
        at, predicate = node.lineno, PREDICATES.get(name)
        if predicate is None:
            raise self._unknown_test(node, name, at)
        wrong = misfit(predicate, HANDED, count, [str(pair.key) for pair in named])
        if wrong or named:
            reason = wrong or "it takes no arguments by name"
            hint = takes(predicate, HANDED)
            raise fault(self._text, at, f"test '{name}': {reason}", hint)
        return predicate

    def _arguments(
        self, args: Sequence[nodes.Expr], named: Sequence[nodes.Pair], depth: int
    ) -> Arguments:
        runs = [self._compiler.compile(arg, depth) for arg in args]
        more = {str(pair.key): self._compiler.compile(pair.value, depth) for pair in named}
        if not more and all(isinstance(arg, nodes.Const) for arg in args):
            constant = tuple([arg.value for arg in args if isinstance(arg, nodes.Const)]), more
            return lambda work: constant
        return lambda work: (
            [run(work) for run in runs],
            {key: run(work) for key, run in more.items()},
        )

    def _check_plain(self, node: nodes.Filter | nodes.Test) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise fault(self._text, node.lineno, "arguments cannot be unpacked with `*` or `**`")

    def _check_pattern(self, args: Sequence[nodes.Expr], at: int) -> None:
        """Find the fault of a pattern that is written out before it is used."""
        if not args or not isinstance(args[0], nodes.Const) or not isinstance(args[0].value, str):
            return
        try:
            outdated = patterns.check(args[0].value)
            if outdated is not None:
                locate(outdated, self._text, at)
                self.outdated.append(outdated)
        except LimitExceeded as error:
            raise excess(self._text, at, error.message) from None
        except RenderError as error:
            raise fault(self._text, at, error.message) from None

    def _word(self, node: nodes.Expr, at: int, what: str) -> str:
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            return node.value
        raise fault(self._text, at, f"the name of a {what} must be a text that is written out")
