"""Takes text apart: a template into plain text and expressions, an expression into tokens.

Every token knows its offset in the whole text, so that every fault has its line and column.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

from jinja2.lexer import Token, operators

from lockstep.model.errors import SyntaxFault
from lockstep.render.faults import excess, fault
from lockstep.render.limits import INTEGER_BITS, Limits

_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<float>(?<!\.)(?:[0-9]+_)*[0-9]+
        (?:(?:\.(?:[0-9]+_)*[0-9]+)?[eE][+-]?(?:[0-9]+_)*[0-9]+|\.(?:[0-9]+_)*[0-9]+))
    | (?P<integer>0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+
        |[1-9](?:_?[0-9])*|0(?:_?0)*)
    | (?P<name>[^\W\d]\w*)
    | (?P<string>'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*")
    | (?P<foreign>&&|\|\||===|!==|\?\?|\?\.|\?|!(?!=))
    | (?P<operator>//|\*\*|[=!<>]=|[-+*/%~<>=.:|,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4})"
    r"|(\r\n|[\s\S]))"
)
_ESCAPED: Final[Mapping[str, str]] = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "f": "\f",
    "v": "\v",
    **{mark: mark for mark in "\\'\"/"},
    **dict.fromkeys(("\n", "\r", "\r\n"), ""),
}
_FOREIGN: Final[Mapping[str, str]] = {
    "&&": "`and`",
    "||": "`or`",
    "!": "`not`",
    "?": "`a if condition else b`",
    "===": "`==`",
    "!==": "`!=`",
    "??": "`value | default(other)`",
    "?.": "`.`: a member of what is missing is missing",
}
_NATIVE: Final[Mapping[str, str]] = {
    "&&": "and",
    "||": "or",
    "!": "not",
    "===": "==",
    "!==": "!=",
    "?.": ".",
}
_END: Final = "end of the expression"
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


def native(text: str) -> str:
    """Write operators of other languages as ours, where one stands in their place."""
    made, at = "", 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        token = found.group() if found else text[at]
        at += len(token)
        word = _NATIVE.get(token) if found and found.lastgroup == "foreign" else None
        if word is None:
            made += token
        elif word.isalpha():
            before = "" if not made or made[-1] in " (" else " "
            made += before + word + ("" if text[at : at + 1].isspace() else " ")
        else:
            made += word
    return made


class Scanner:
    """Reads the tokens of one expression."""

    def __init__(self, text: str, begin: int, limits: Limits) -> None:
        self._text, self._at, self._nesting = text, begin, limits.nesting
        self._braced = False
        self._open: list[tuple[str, int]] = []
        self.deepest = 0
        """The most brackets that were open at once."""

    def bare(self) -> list[Token]:
        """Read to the end of the text.

        Raises:
            SyntaxFault: Something is no token, or a bracket is not closed.
            LimitExceeded: Brackets are nested too deep, or a number is too large.
        """
        return list(self._tokens())

    def braced(self, begin: int) -> tuple[list[Token], int]:
        """Read to the `}}` that closes the `{{` at `begin`.

        Returns:
            The tokens, and the offset after the braces.

        Raises:
            SyntaxFault: Something is no token, or a bracket or the braces are not closed.
            LimitExceeded: Brackets are nested too deep, or a number is too large.
        """
        found: list[Token] = []
        self._braced = True
        if self._text.find("}}", begin) >= 0:
            for token in self._tokens():
                if token.type == _END:
                    return found, self._at
                found.append(token)
        raise fault(self._text, begin, "'{{' is not closed: '}}' is missing")

    def _tokens(self) -> Iterator[Token]:
        text, end = self._text, len(self._text)
        while self._at < end:
            at = self._at
            if not self._open and text.startswith("}}", at):
                if not self._braced:
                    raise fault(text, at, "unexpected '}'")
                self._at += 2
                yield Token(at, _END, "}}")
                return
            found = _TOKEN.match(text, at)
            if found is None:
                raise self._stray(at)
            self._at = found.end()
            if found.lastgroup != "space":
                yield self._token(found.lastgroup or "", found.group(), at)
        if self._open:
            mark, at = self._open[-1]
            raise fault(text, at, f"'{mark}' is not closed: '{_CLOSING[mark]}' is missing")

    def _token(self, group: str, value: str, at: int) -> Token:
        match group:
            case "operator":
                self._balance(value, at)
                return Token(at, operators[value], value)
            case "string":
                return Token(at, group, _unescaped(value[1:-1]))
            case "foreign":
                hint = f"write {_FOREIGN[value]}"
                raise fault(self._text, at, f"'{value}' is no operator of the language", hint)
            case "name" if value.isidentifier():
                return Token(at, group, value)
            case "name":
                raise fault(self._text, at, f"'{value}' is no name")
            case _:
                # The parser passes the value of a number on as it is.
                return Token(at, group, self._number(group, value, at))  # type: ignore[arg-type]

    def _number(self, group: str, value: str, at: int) -> int | float:
        digits = value.replace("_", "")
        if group == "float":
            number = float(digits)
            if not math.isfinite(number):
                raise fault(self._text, at, f"the number {value[:40]} is too large")
            return number
        # No integer within the bound has more characters, in whatever base.
        integer = int(digits, 0) if len(digits) <= INTEGER_BITS + 2 else None
        if integer is None or integer.bit_length() > INTEGER_BITS:
            raise excess(self._text, at, "an integer has too many digits")
        return integer

    def _balance(self, value: str, at: int) -> None:
        if value in _CLOSING:
            self._open.append((value, at))
            self.deepest = max(self.deepest, len(self._open))
            if len(self._open) > self._nesting:
                raise excess(self._text, at, f"brackets are nested deeper than {self._nesting}")
        elif value in _CLOSING.values():
            wanted = _CLOSING[self._open[-1][0]] if self._open else ""
            if value != wanted:
                hint = f"'{wanted}' is missing" if wanted else ""
                raise fault(self._text, at, f"unexpected '{value}'", hint)
            self._open.pop()

    def _stray(self, at: int) -> SyntaxFault:
        character = self._text[at]
        if character in "'\"":
            return fault(self._text, at, "a text is not closed: its quote is missing")
        return fault(self._text, at, f"unexpected character {character!r}")


def _unescaped(text: str) -> str:
    r"""Resolve the escapes of a literal; `\d`, `\b` and the like stay, so that patterns work."""
    if "\\" not in text:
        return text
    made = _ESCAPE.sub(_resolved, text)
    # Two escapes may be one character; half of one is no character at all.
    return made.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _resolved(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code is not None:
        return chr(int(code, 16))
    return _ESCAPED.get(found[4], found[0])
