"""Reads one expression with the parser of Jinja2; says where and why it cannot be read."""

import re
from typing import Final

from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.parser import Parser

from lockstep.model.errors import LimitExceeded, SyntaxFault
from lockstep.render.scanner import outside_texts

ENVIRONMENT: Final = Environment(autoescape=False)  # noqa: S701 - nothing of it renders
HINT: Final = "write `and`, `or`, `not`, and `a if condition else b`"
FOREIGN: Final = re.compile(r"&&|\|\||!(?!=)|\?")


def parse(text: str) -> nodes.Expr:
    """Give the syntax tree of an expression; lines and columns of errors count in `text`.

    Raises:
        SyntaxFault: It is no expression.
        LimitExceeded: It is nested too deep to be read.
    """
    if not text.strip():
        raise SyntaxFault("the expression is empty", line=1, column=1)
    foreign = FOREIGN.search(outside_texts(text))
    if foreign:
        line, column = _place(text, foreign.start())
        raise SyntaxFault(
            f"`{foreign.group()}` is not an operator of the language",
            line=line,
            column=column,
            hint=HINT,
        )
    parser: Parser | None = None
    try:
        parser = Parser(ENVIRONMENT, text, state="variable")
        tree = parser.parse_expression()
    except TemplateSyntaxError as error:
        line, column = _where(text, parser, error)
        raise SyntaxFault(str(error.message), line=line, column=column) from None
    except RecursionError:
        raise LimitExceeded("the expression is nested too deep", line=1, column=1) from None
    except (ValueError, OverflowError, MemoryError) as error:
        raise SyntaxFault(f"the expression cannot be read: {error}", line=1, column=1) from None
    if not parser.stream.eos:
        line, column = _where(text, parser, None)
        raise SyntaxFault(f"unexpected '{parser.stream.current.value}'", line=line, column=column)
    return tree


def _place(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


def _where(text: str, parser: Parser | None, error: TemplateSyntaxError | None) -> tuple[int, int]:
    """Find the place of the token at which the parser stopped, as well as can be told."""
    lines = text.split("\n")
    if parser is None:
        line = getattr(error, "lineno", None) or 1
        found = re.search(r"unexpected (?:char )?'(.)", str(error))
        column = lines[line - 1].find(found.group(1)) if found else -1
        return line, max(0, column) + 1
    token = parser.stream.current
    line = min(max(1, token.lineno), len(lines))
    if parser.stream.eos:
        return len(lines), len(lines[-1]) + 1
    column = outside_texts(lines[line - 1]).rfind(str(token.value))
    return line, max(0, column) + 1
