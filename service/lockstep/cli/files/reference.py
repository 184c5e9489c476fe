"""`lockstep config --reference`: all settings there are, from their structs."""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import NODEFAULT, inspect
from msgspec.structs import FieldInfo

from lockstep.settings import load
from lockstep.settings.structs import Settings

HEAD: Final = f"""\
# Settings

<!-- Written by `lockstep config --reference`; do not change it by hand. -->

Every setting has a default. It is changed in a TOML file (`--config`, else the one that
`{load.CONFIG_VARIABLE}` names, else `{load.CONFIG_FILE}`), under its section, or by a
variable of the environment, which counts more; there a list has commas between its items.
`lockstep config` shows what is in force, and where each comes from.
"""
TABLE: Final = "| setting | default | values | what |\n| --- | --- | --- | --- |\n"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of one setting."""

    name: str
    variable: str
    values: str
    default: object
    description: str
    secret: bool


def settings() -> Iterator[Setting]:
    """Give all settings in order; those for tests are left out."""
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            if field.name.startswith("stub_"):
                continue
            setting = _setting(f"{section.name}.{field.name}", field)
            yield setting
            if setting.name in load.FROM_FILES.values():
                yield _from_file(setting.name)


def page() -> str:
    """Write the reference as Markdown."""
    found = [*settings()]
    parts = [HEAD]
    for section in msgspec.structs.fields(Settings):
        about = " ".join((section.type.__doc__ or "").split())
        mine = [one for one in found if one.name.startswith(f"{section.name}.")]
        parts.append(f"## {section.name}\n\n{about}\n\n{TABLE}{''.join(map(_row, mine))}")
    return "\n".join(parts)


def _setting(name: str, field: FieldInfo) -> Setting:
    kind = inspect.type_info(field.type)
    has_factory = field.default_factory is not NODEFAULT
    description = _described(kind)
    if name in load.ADDRESSES:
        description += " A password in it is masked wherever it is shown."
    return Setting(
        name=name,
        variable=_variable(name),
        values=load.expected(kind).rstrip(","),
        default=field.default_factory() if has_factory else field.default,
        description=description,
        secret=name in load.SECRETS,
    )


def _from_file(name: str) -> Setting:
    return Setting(
        name=f"{name}_file",
        variable=_variable(f"{name}_file"),
        values="a text",
        default="",
        description=f"File with the value of `{name}`, in place of it.",
        secret=False,
    )


def _described(kind: inspect.Type) -> str:
    """Give the description of a field: the outermost, which is about this field."""
    while isinstance(kind, inspect.Metadata):
        if text := (kind.extra_json_schema or {}).get("description"):
            return str(text)
        kind = kind.type
    return ""


def _variable(name: str) -> str:
    return f"{load.PREFIX}{name.replace('.', '__').upper()}"


def _row(one: Setting) -> str:
    default = "not set" if one.default == "" else f"`{msgspec.json.encode(one.default).decode()}`"
    secret = "**Secret.** " if one.secret else ""
    cells = (
        f"`{one.name}`<br>`{one.variable}`",
        default,
        one.values,
        f"{secret}{one.description}",
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
