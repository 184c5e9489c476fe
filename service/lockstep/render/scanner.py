"""Splits a template into text and expressions: only `{{` and `}}` are special."""

from typing import Final

import msgspec

from lockstep.model.errors import SyntaxFault

QUOTES: Final = "'\""


class Part(msgspec.Struct, frozen=True):
    """A piece of a template: plain text, or the inside of braces with its place."""

    text: str
    is_expression: bool
    line: int = 1
    column: int = 1


def place(text: str, index: int) -> tuple[int, int]:
    """Give line and column of a position, both from 1."""
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


def split(text: str) -> list[Part]:
    """Split a template.

    Raises:
        SyntaxFault: An expression is not closed.
    """
    parts: list[Part] = []
    at = 0
    while True:
        begin = text.find("{{", at)
        if begin < 0:
            if at < len(text):
                parts.append(Part(text[at:], is_expression=False))
            return parts
        if begin > at:
            parts.append(Part(text[at:begin], is_expression=False))
        end = _end(text, begin)
        line, column = place(text, begin + 2)
        parts.append(Part(text[begin + 2 : end], is_expression=True, line=line, column=column))
        at = end + 2


def _end(text: str, begin: int) -> int:
    """Find the braces that close an expression, past texts and objects inside it."""
    at, depth, quote = begin + 2, 0, ""
    while at < len(text):
        character = text[at]
        if quote:
            if character == "\\":
                at += 1
            elif character == quote:
                quote = ""
        elif character in QUOTES:
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth:
                depth -= 1
            elif text.startswith("}}", at):
                return at
        at += 1
    line, column = place(text, begin)
    what = "a text in it is not closed" if quote else "`}}` is missing"
    raise SyntaxFault(f"the expression is not closed: {what}", line=line, column=column)


def outside_texts(text: str) -> str:
    """Blank out the texts in an expression, so that its operators can be looked for."""
    made, quote, skip = [], "", False
    for character in text:
        if quote:
            made.append(" ")
            if skip:
                skip = False
            elif character == "\\":
                skip = True
            elif character == quote:
                quote = ""
        else:
            if character in QUOTES:
                quote = character
            made.append(" " if quote else character)
    return "".join(made)
