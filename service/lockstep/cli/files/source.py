"""An automation as YAML that `apply` reads back."""

import re
from typing import Any, Final

import yaml

from lockstep_schemas.api import Automation
from lockstep_schemas.base import Json

# A plain word that our reader, or a YAML 1.1 reader, may take for something else than a text.
_PLAIN: Final = re.compile(r"[A-Za-z_][\w ./-]*", re.ASCII)

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _SourceDumper(_Base):  # type: ignore[misc] # a class of the C library, where there is one
    """Quotes every text that is not plainly one, and shows texts of several lines as such."""

    def ignore_aliases(self, _: object) -> bool:
        """Write the same twice rather than with an anchor."""
        return True


def _text(dumper: Any, text: str) -> Any:  # noqa: ANN401 - PyYAML has no types for these
    if "\n" in text and text.strip() and text.replace("\n", "").isprintable():
        style: str | None = "|"
    else:
        style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_SourceDumper.add_representer(str, _text)


def dump(value: Json) -> str:
    """Write JSON as YAML."""
    return str(
        yaml.dump(value, Dumper=_SourceDumper, sort_keys=False, allow_unicode=True, width=100)
    )


def document(automation: Automation) -> str:
    """Write an automation as `apply` takes it."""
    beside = {
        "id": automation.id,
        "name": automation.name,
        "group": automation.group,
        "status": automation.status,
        "description": automation.description,
    }
    given = {name: value for name, value in beside.items() if value is not None}
    return dump({**given, "definition": automation.definition})
