"""What all structs that cross the edge share: the base class and the bounded types."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

# A value as JSON has it. `Any`, because JSON nests without end and msgspec takes it as such.
Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A value that refuses keys it does not know."""


WORD = "[A-Za-z0-9_:-]+"
END = r"$(?!\n)"  # `$` alone is before a last line break too

EventId = Annotated[
    str,
    Meta(
        pattern=rf"^{WORD}(\.{WORD})*{END}",
        max_length=256,
        description="Id of a trigger: dot-separated words of letters, digits, `_`, `-`, `:`.",
    ),
]
EventPattern = Annotated[
    str,
    Meta(
        min_length=1,
        pattern=r"^[^\x00]*$",
        description="An event id; `orders.*` for all that begin with `orders.`; `*` for all.",
    ),
]
TriggerId = Annotated[
    str,
    Meta(
        pattern=f"^[A-Za-z][A-Za-z0-9_-]*{END}",
        max_length=64,
        description="A letter, then letters, digits, `_`, `-`.",
    ),
]
Identifier = Annotated[
    str,
    Meta(
        pattern=f"^[A-Za-z_][A-Za-z0-9_]*{END}",
        min_length=1,
        max_length=64,
        description="A letter or `_`, then letters, digits, `_`.",
    ),
]
QualifiedId = Annotated[
    str,
    Meta(
        pattern=rf"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+{END}",
        max_length=256,
        description="`<plugin>.<name>`: at least two dot-separated words.",
    ),
]
Expression = Annotated[
    str, Meta(pattern=r"\S", description="A bare expression: no braces, keeps its type.")
]
OptionalExpression = Annotated[
    str, Meta(description="A bare expression; an empty text counts as none.")
]
Template = Annotated[str, Meta(description="Text with `{{ expression }}`.")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
# The store takes no zero bytes; texts that it keeps as text say so where they come in.
Text = Annotated[str, Meta(pattern=r"^[^\x00]*$", description="A text without U+0000.")]
Part = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1000,
        pattern=r"^[^\x00]*$",
        description="A text without U+0000, to be looked for.",
    ),
]
Title = Annotated[Name, Meta(pattern=r"^[^\x00]*$", description="A text without U+0000.")]
Limit = Annotated[int, Meta(ge=1, le=200)]
Offset = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Enabled = Literal["enabled", "disabled"]
AutomationId = Annotated[
    str,
    Meta(
        pattern=f"^[A-Za-z0-9_-]{{1,64}}{END}",
        description="A UUIDv7 where the engine gives it; letters, digits, `_`, `-` where you do.",
    ),
]
