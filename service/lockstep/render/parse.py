"""Reads one expression with the parser of Jinja2; says where and why it cannot be read."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from lockstep.model.errors import SyntaxFault
from lockstep.render.faults import excess, fault
from lockstep.render.limits import Limits
from lockstep.render.scanner import Scanner

_ENVIRONMENT: Final = Environment(autoescape=False)  # noqa: S701 - it renders nothing
_OPENING: Final = frozenset({"lparen", "lbracket", "lbrace"})
_CLOSING: Final = frozenset({"rparen", "rbracket", "rbrace"})
_LITERAL: Final = frozenset({"string", "integer", "float"})
_FRAMES: Final = 20
"""Brackets from which on the parser, at some 15 frames for each, needs a stack of its own."""


def parse_bare(
    text: str, limits: Limits, write: Callable[[nodes.Expr], str] | None = None
) -> nodes.Expr:
    """Give the syntax tree of a bare expression. Raise as `parse`."""
    scanner = Scanner(text, len(text) - len(text.lstrip()), limits)
    return parse(text, scanner.bare(), len(text.rstrip()), scanner.deepest, write)


def parse(
    text: str,
    tokens: Sequence[Token],
    end: int,
    deepest: int,
    write: Callable[[nodes.Expr], str] | None = None,
) -> nodes.Expr:
    """Give the syntax tree of an expression; `lineno` of its nodes is the offset in `text`.

    Args:
        text: The whole text, for faults.
        tokens: The tokens of the expression, with their offsets for lines.
        end: Offset of the end of the expression.
        deepest: The most brackets that are open at once.
        write: Gives the hint how to write an expression of another language.

    Raises:
        SyntaxFault: It is no expression.
        LimitExceeded: It is nested too deep.
    """
    try:
        if deepest < _FRAMES:
            return _parsed(text, tokens, end)
        with ThreadPoolExecutor(max_workers=1) as fresh:  # a thread begins with an empty stack
            return fresh.submit(_parsed, text, tokens, end).result()
    except RecursionError:
        raise excess(text, tokens[0].lineno, "the expression is nested too deep") from None
    except SyntaxFault as error:
        bracketed = _bracketed(tokens)
        if write is not None and len(bracketed) != len(tokens) and deepest < _FRAMES:
            with suppress(SyntaxFault):
                error.hint = write(_parsed(text, bracketed, end))
        raise


def _bracketed(tokens: Sequence[Token]) -> list[Token]:
    """Put brackets around the arguments of filters: `x | f: 1, 2` is `x | f(1, 2)` elsewhere."""
    made: list[Token] = []
    opened: list[int] = []
    depth = 0
    for token in tokens:
        depth -= token.type in _CLOSING
        while opened and (depth < opened[-1] or (depth == opened[-1] and token.type == "pipe")):
            made.append(Token(token.lineno, "rparen", ")"))
            opened.pop()
        depth += token.type in _OPENING
        named = [one.type for one in made[-2:]] == ["pipe", "name"]
        if named and (token.type == "colon" or token.type in _LITERAL):
            made.append(Token(token.lineno, "lparen", "("))
            opened.append(depth)
        if not (named and token.type == "colon"):
            made.append(token)
    return [*made, *[Token(token.lineno, "rparen", ")") for _ in opened]]


def _parsed(text: str, tokens: Sequence[Token], end: int) -> nodes.Expr:
    if not tokens:
        raise fault(text, end, "the expression is empty")
    parser = Parser(_ENVIRONMENT, "")
    parser.stream = TokenStream(tokens, None, None)
    try:
        tree = parser.parse_expression()
    except TemplateSyntaxError as error:
        if parser.stream.current.type == "eof":
            raise fault(text, end, "the expression ends too early") from None
        message = (error.message or "invalid syntax").replace("template", "expression")
        raise fault(text, error.lineno, message) from None
    if not parser.stream.eos:
        token = parser.stream.current
        hint = "write `==` to compare" if token.value == "=" else ""
        raise fault(text, token.lineno, f"unexpected '{token.value}'", hint)
    return tree
