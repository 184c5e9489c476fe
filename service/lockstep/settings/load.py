"""The settings: one struct; where each value came from; all wrong ones named at once."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import inspect

from lockstep.model.errors import SettingError
from lockstep.settings.structs import MASK, SecretSettings, Settings, without_secrets
from lockstep_schemas.base import Json

PREFIX: Final = "LOCKSTEP_"
CONFIG_VARIABLE: Final = "LOCKSTEP_CONFIG"
CONFIG_FILE: Final = Path("lockstep.toml")
DEV_FILE: Final = Path(".lockstep/dev.json")
SECRETS: Final = frozenset({"nats.password", "nats.token"})
ADDRESSES: Final = frozenset({"nats.servers", "postgres.dsn"})
FROM_FILES: Final = {f"{name}_file": name for name in SECRETS | ADDRESSES}

DEV: Final = "lockstep dev"
"""The source of what `lockstep dev` says itself."""
DEV_DEFAULTS: Final[Mapping[str, object]] = {"engine.catalog": "open"}
"""Where `lockstep dev` differs from `serve` unless it is told: any event id may be used at once."""
DEV_FIXED: Final[Mapping[str, object]] = {
    "nats.user": "",
    "nats.password": "",
    "nats.token": "",
    "nats.nkey_seed_file": "",
    "nats.credentials_file": "",
    "nats.tls_ca_file": "",
    "nats.tls_cert_file": "",
    "nats.tls_key_file": "",
    "nats.manage_bus": True,
    "nats.replicas": 1,
    "postgres.password_file": "",
}
"""What servers of our own leave no choice about, beside their addresses: they know no users,
are one each, and nobody else makes their streams."""

# What Kubernetes sets for a Service whose name begins with `lockstep`; none of ours.
# Source: kubernetes.io, Service, "Environment variables".
_KUBERNETES: Final = re.compile(r"LOCKSTEP_(\w+_)?(SERVICE_HOST|SERVICE_PORT|PORT)(_[A-Z0-9_]+)?")
_MEANT: Final = {"nats.url": "nats.servers", "postgres.url": "postgres.dsn"}
_BOOLEANS: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class DevServers(msgspec.Struct, frozen=True):
    """What `lockstep dev` writes for the other commands in its folder."""

    nats_url: str
    postgres_dsn: str
    pid: int
    settings: Mapping[str, tuple[Json, str]] = {}
    """Value and source of what is not the default of `serve`; nothing of it is secret."""


class Loaded(msgspec.Struct, frozen=True):
    """Settings, and for each (`engine.max_walks`) the source that it came from."""

    settings: Settings
    sources: Mapping[str, str]

    def shown(self) -> Iterator[tuple[str, object, str]]:
        """Give name, value and source of every setting but those for tests; secrets masked."""
        for section in msgspec.structs.fields(Settings):
            values = getattr(self.settings, section.name)
            for field in msgspec.structs.fields(type(values)):
                name = f"{section.name}.{field.name}"
                if not field.name.startswith("stub_") or name in self.sources:
                    value = masked(name, getattr(values, field.name))
                    yield name, value, self.sources.get(name, "default")


_FIELDS: Final[Mapping[str, inspect.Type]] = {
    f"{section.name}.{one.name}": inspect.type_info(one.type)
    for section in msgspec.structs.fields(Settings)
    for one in msgspec.structs.fields(section.type)
}
_TYPES: Final[Mapping[str, object]] = {
    f"{section.name}.{one.name}": one.type
    for section in msgspec.structs.fields(Settings)
    for one in msgspec.structs.fields(section.type)
}


def load(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    use_dev: bool = True,
    of_dev: bool = False,
) -> Loaded:
    """Read the settings: defaults, then a TOML file, then the environment, then `overrides`.

    Where no address is set and a `lockstep dev` runs in this folder or one above, its servers are
    used, unless `use_dev` says no; what it was told, or has by default, lies below the file.
    `of_dev` is for `lockstep dev` itself: its defaults lie there.

    Raises:
        SettingError: Some are wrong; the message names all of them, each with its source.
    """
    environ = os.environ if environ is None else environ
    reader = _Reader()
    named = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if named is not None or CONFIG_FILE.is_file():
        reader.file(named or CONFIG_FILE)
        beside = (named or CONFIG_FILE).parent / "triggers"
        if beside.is_dir():
            reader.sources.setdefault("engine.triggers_folder", f"beside {named or CONFIG_FILE}")
            reader.values.setdefault("engine.triggers_folder", str(beside))
    reader.environment(environ)
    for name, value in (overrides or {}).items():
        reader.put(name, value, "command line")
    if of_dev:
        reader.below({name: (value, DEV) for name, value in DEV_DEFAULTS.items()})
    elif use_dev and not ADDRESSES & set(reader.values):
        reader.dev()
    return reader.settings()


def in_dev(loaded: Loaded, nats_url: str, postgres_dsn: str) -> Loaded:
    """Point settings at servers of our own, and replace nothing else."""
    fixed = {**DEV_FIXED, "nats.servers": [nats_url], "postgres.dsn": postgres_dsn}
    settings = loaded.settings
    for name, value in fixed.items():
        section, _, one = name.partition(".")
        part = msgspec.structs.replace(getattr(settings, section), **{one: value})
        settings = msgspec.structs.replace(settings, **{section: part})
    sources = {name: source for name, source in loaded.sources.items() if name not in fixed}
    return Loaded(settings, {**sources, **dict.fromkeys(ADDRESSES, DEV)})


def passed_over(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """Give what is set and not used by `lockstep dev`, each with its source."""
    for name, source in loaded.sources.items():
        if name in ADDRESSES or (name in DEV_FIXED and _at(loaded, name) != DEV_FIXED[name]):
            yield name, source


def note_of(loaded: Loaded) -> DevServers:
    """Make what `lockstep dev` writes of the settings that it uses."""
    settings = {
        name: (_absolute(name, _at(loaded, name)), source)
        for name, source in loaded.sources.items()
        if name not in ADDRESSES
    }
    nats, postgres = loaded.settings.nats, loaded.settings.postgres
    return DevServers(nats.servers[0], postgres.dsn, os.getpid(), settings)


def _at(loaded: Loaded, name: str) -> Json:
    section, _, one = name.partition(".")
    return getattr(getattr(loaded.settings, section), one)


def _absolute(name: str, value: Json) -> Json:
    """Make a path mean the same in every folder."""
    is_path = name.endswith(("folder", "_file")) and value
    return str(Path(value).absolute()) if is_path else value


class _Reader:
    """Collects values and faults."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.sources: dict[str, str] = {}
        self.faults: list[str] = []

    def put(self, name: str, value: object, source: str, *, lax: bool = False) -> None:
        """Take a value, if there is such a setting and it may have this value."""
        if name in FROM_FILES:
            self._put_content(FROM_FILES[name], name, value, source)
        elif name in _TYPES:
            try:
                self.values[name] = msgspec.convert(value, _TYPES[name], strict=not lax)
            except msgspec.ValidationError:
                shown = masked(name, value)
                allowed = f"{expected(_FIELDS[name])} is expected"
                self.faults.append(f"{name} = {shown!r} ({source}): {allowed}")
            self.sources[name] = source
        elif name in {section.name for section in msgspec.structs.fields(Settings)}:
            self.faults.append(f"{name} ({source}): a table is expected: [{name}]")
        else:
            self.faults.append(f"{name} ({source}): there is no such setting{_near(name)}")

    def _put_content(self, name: str, file_name: str, path: object, source: str) -> None:
        """Take the content of a file as the value of `name`."""
        if self.sources.get(name) == source or f"{self.sources.get(name)}_FILE" == source:
            self.faults.append(f"{file_name} ({source}): {name} is given too; give one of them")
            return
        text = self._content(file_name, path, source)
        if text is not None:
            self.put(name, _read(text, _FIELDS[name]), f"{source}, file {path}", lax=True)

    def _content(self, file_name: str, path: object, source: str) -> str | None:
        """Read the file of a secret, without the end of its last line."""
        try:
            return Path(str(path)).read_text().rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            self.faults.append(f"{file_name} = {str(path)!r} ({source}): {reason}")
            return None

    def file(self, path: Path) -> None:
        """Take the values of a TOML file."""
        try:
            document = tomllib.loads(path.read_text())
        except OSError as error:
            self.faults.append(f"{path}: cannot be read: {error.strerror}")
            return
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.faults.append(f"{path}: no TOML: {error}")
            return
        for section, values in document.items():
            if not isinstance(values, dict):
                self.put(section, values, str(path))
                continue
            for name in sorted(values, key=lambda one: f"{section}.{one}" in FROM_FILES):
                self.put(f"{section}.{name}", values[name], str(path))

    def environment(self, environ: Mapping[str, str]) -> None:
        """Take `LOCKSTEP_SECTION__NAME`; an empty one counts as not set."""
        for variable, text in sorted(environ.items()):
            if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE or not text:
                continue
            if variable.startswith(SecretSettings().environment_prefix):
                continue  # a value for automations
            name = variable.removeprefix(PREFIX).lower().replace("__", ".", 1)
            source = f"environment {variable}"
            if name in FROM_FILES:
                self.put(name, text, source)
            elif name in _TYPES:
                self.put(name, _read(text, _FIELDS[name]), source, lax=True)
            elif not _KUBERNETES.fullmatch(variable):
                near = _near(name, [*_variables()])
                self.faults.append(f"{variable} (environment): there is no such setting{near}")

    def dev(self) -> None:
        """Take the addresses of a `lockstep dev` in this folder or one above."""
        here = Path.cwd()
        for folder in (here, *here.parents):
            path = folder / DEV_FILE
            if not path.is_file():
                continue
            try:
                found = msgspec.json.decode(path.read_bytes(), type=DevServers)
            except (OSError, msgspec.DecodeError) as error:
                self.faults.append(f"{path}: cannot be read: {error}; delete it")
                return
            if is_alive(found.pid):
                self.below(found.settings)
                for name in DEV_FIXED.keys() & self.values.keys():
                    self.put(name, DEV_FIXED[name], str(path))
                self.put("nats.servers", [found.nats_url], str(path))
                self.put("postgres.dsn", found.postgres_dsn, str(path))
            return

    def below(self, values: Mapping[str, tuple[object, str]]) -> None:
        """Take what `lockstep dev` uses, with its sources, where nothing else is set."""
        for name, (value, source) in values.items():
            if name not in self.sources:
                self.put(name, value, source if source == DEV else f"{DEV}, {source}")

    def settings(self) -> Loaded:
        """Put all together; raise SettingError with everything that is wrong."""
        sections: dict[str, dict[str, object]] = {}
        for name, value in self.values.items():
            section, _, one = name.partition(".")
            sections.setdefault(section, {})[one] = value
        settings = Settings(
            **{
                section.name: section.type(**sections.get(section.name, {}))
                for section in msgspec.structs.fields(Settings)
            }
        )
        settings = self._with_password(settings)
        engine = settings.engine
        if engine.stale_seconds <= engine.heartbeat_seconds:
            source = self.sources.get("engine.stale_seconds", "default")
            self.faults.append(
                f"engine.stale_seconds = {engine.stale_seconds:g} ({source}): more than "
                f"engine.heartbeat_seconds ({engine.heartbeat_seconds:g}) is expected"
            )
        if self.faults:
            raise SettingError("wrong settings:\n" + "\n".join(f"  {f}" for f in self.faults))
        return Loaded(settings, self.sources)

    def _with_password(self, settings: Settings) -> Settings:
        """Put the password of its file into the DSN of PostgreSQL."""
        path, dsn = settings.postgres.password_file, settings.postgres.dsn
        if not path:
            return settings
        source = self.sources["postgres.password_file"]
        if without_secrets(dsn) != dsn:
            self.faults.append(
                f"postgres.password_file = {path!r} ({source}): postgres.dsn has a password too; "
                "give one of them"
            )
            return settings
        password = self._content("postgres.password_file", path, source)
        if password is None:
            return settings
        dsn += f"{'&' if '?' in dsn else '?'}password={quote(password, safe='')}"
        postgres = msgspec.structs.replace(settings.postgres, dsn=dsn)
        return msgspec.structs.replace(settings, postgres=postgres)


def expected(kind: inspect.Type) -> str:
    """Say in words what values a type allows."""
    match kind:
        case inspect.Metadata():
            return expected(kind.type)
        case inspect.LiteralType():
            return "one of " + ", ".join(str(value) for value in kind.values)
        case inspect.IntType() | inspect.FloatType():
            whole = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
            bounds = {"above": kind.gt, "from": kind.ge, "below": kind.lt, "to": kind.le}
            limits = [f"{word} {bound:,}" for word, bound in bounds.items() if bound is not None]
            return " ".join([whole, *limits])
        case inspect.BoolType():
            return "true or false"
        case inspect.ListType():
            least = f" of {kind.min_length} or more" if kind.min_length else ""
            return f"a list{least}, each {expected(kind.item_type)},"
        case inspect.StrType() if kind.pattern is not None:
            return f"a text like {kind.pattern}"
    return "a text"


def masked(name: str, value: object) -> object:
    """Show the value of a setting without what must stay secret."""
    if name in SECRETS:
        return MASK if value else value
    if isinstance(value, list):
        return [masked(name, one) for one in value]
    if name in ADDRESSES:
        # A NATS URL may carry a token in place of a user.
        return without_secrets(str(value), keep_user=name == "postgres.dsn")
    return value


def is_alive(pid: int) -> bool:
    """Tell whether a process is there."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _variables() -> Mapping[str, str]:
    """Each setting as a variable of the environment."""
    return {f"{PREFIX}{name.replace('.', '__').upper()}": name for name in _TYPES}


def _near(name: str, shown: Sequence[str] = ()) -> str:
    """Give the hint for a name that is none of ours; in the words of `shown` where it is given."""
    known = list(_TYPES)
    exact = [one for one in known if one.partition(".")[2] == name.rpartition(".")[2]]
    meant = _MEANT.get(name)
    near = [meant] if meant else exact[:1] or get_close_matches(name, known, 1)
    if near:
        return f"; did you mean {shown[known.index(near[0])] if shown else near[0]}?"
    section = name.partition(".")[0]
    siblings = [one for one in known if one.startswith(f"{section}.")]
    if siblings:
        return f"; there are {', '.join(siblings)}"
    return f"; there are {', '.join(one.name for one in msgspec.structs.fields(Settings))}"


def _read(text: str, kind: inspect.Type) -> object:
    """Read a text as its setting wants it."""
    if isinstance(kind, inspect.Metadata):
        return _read(text, kind.type)
    if isinstance(kind, inspect.ListType):
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(kind, inspect.BoolType):
        return _BOOLEANS.get(text.lower(), text)
    return text
