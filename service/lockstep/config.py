"""The settings: one struct; where each value came from; all wrong ones named at once."""

import os
import tomllib
import types
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from urllib.parse import quote

import msgspec
from msgspec import Meta, field

from lockstep.bus.settings import BusSettings, redacted
from lockstep.model.errors import SettingError

PREFIX: Final = "LOCKSTEP_"
CONFIG_VARIABLE: Final = "LOCKSTEP_CONFIG"
DEV_FILE: Final = Path(".lockstep/dev.json")
SECRET_FIELDS: Final = frozenset({"password", "token"})
URL_FIELDS: Final = frozenset({"servers", "dsn"})

Positive = Annotated[float, Meta(gt=0, le=3600)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class PostgresSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where PostgreSQL is."""

    dsn: Annotated[str, Meta(description="As libpq has it: postgresql://user@host/database.")] = (
        "postgresql://lockstep@127.0.0.1/lockstep"
    )
    password_file: Annotated[str, Meta(description="A file with the password.")] = ""
    pool_size: Annotated[int, Meta(ge=4, le=200, description="Connections of a replica.")] = 10


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a replica works."""

    catalog: Annotated[
        Literal["open", "strict"],
        Meta(description="Whether any event id may be used, or registered ones only."),
    ] = "strict"
    max_walks: Annotated[Count, Meta(description="Runs that a replica walks at once.")] = 256
    batch_size: Annotated[int, Meta(ge=1, le=1000, description="Events in a transaction.")] = 256
    max_ready_runs: Annotated[
        Count, Meta(description="Ready runs without a place above which no event is fetched.")
    ] = 10_000
    heartbeat_seconds: Annotated[Positive, Meta(description="Between two signs of life.")] = 1.0
    stale_seconds: Annotated[
        Positive, Meta(description="Without a sign of life, until others adopt its runs.")
    ] = 4.0
    grace_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="For walks to end at a shutdown.")
    ] = 20.0
    step_events: Annotated[bool, Meta(description="Whether steps are told as run events.")] = True
    hop_limit: Annotated[
        int, Meta(ge=1, le=1000, description="Longest chain of causes of an event.")
    ] = 16
    receipts_hours: Annotated[
        int, Meta(ge=1, le=8760, description="For which a message id is remembered.")
    ] = 24
    stub_actions: Annotated[bool, Meta(description="The plug-in `test`: for tests only.")] = False
    stub_record_file: Annotated[str, Meta(description="Where stub actions note calls.")] = ""


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Annotated[
        Literal["auto", "json", "console"], Meta(description="auto: console on a terminal.")
    ] = "auto"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings."""

    nats: BusSettings = field(default_factory=BusSettings)
    postgres: PostgresSettings = field(default_factory=PostgresSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    log: LogSettings = field(default_factory=LogSettings)


class Loaded(msgspec.Struct, frozen=True):
    """Settings, and for each (`engine.max_walks`) the source that it came from."""

    settings: Settings
    sources: Mapping[str, str]

    def shown(self) -> Iterator[tuple[str, object, str]]:
        """Give name, value and source of every setting; secrets masked."""
        for section in msgspec.structs.fields(Settings):
            values = getattr(self.settings, section.name)
            for one in msgspec.structs.fields(type(values)):
                name = f"{section.name}.{one.name}"
                value = _masked(one.name, getattr(values, one.name))
                yield name, value, self.sources.get(name, "default")


def load(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Loaded:
    """Read the settings: defaults, then a TOML file, then the environment, then `overrides`.

    Where no address is set and a `lockstep dev` runs in this folder or one above, its servers are
    used.

    Raises:
        SettingError: Some are wrong; the message names all of them, each with its source.
    """
    environ = os.environ if environ is None else environ
    reader = _Reader()
    path = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if path is not None or Path("lockstep.toml").is_file():
        reader.file(path or Path("lockstep.toml"))
    reader.environment(environ)
    for name, value in (overrides or {}).items():
        reader.put(name, value, "command line")
    if not {"nats.servers", "postgres.dsn"} & set(reader.values):
        reader.dev()
    return reader.settings()


class _Reader:
    """Collects values and faults."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.sources: dict[str, str] = {}
        self.faults: list[str] = []
        self._kinds: dict[str, Any] = {
            f"{section.name}.{one.name}": one.type
            for section in msgspec.structs.fields(Settings)
            for one in msgspec.structs.fields(section.type)
        }

    def put(self, name: str, value: object, source: str) -> None:
        """Take a value, if there is such a setting."""
        if name not in self._kinds:
            near = get_close_matches(name, self._kinds, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.faults.append(f"{name} ({source}): there is no such setting{hint}")
            return
        self.values[name], self.sources[name] = value, source

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
            if isinstance(values, dict):
                for name, value in values.items():
                    self.put(f"{section}.{name}", value, str(path))
            else:
                self.put(section, values, str(path))

    def environment(self, environ: Mapping[str, str]) -> None:
        """Take `LOCKSTEP_SECTION__NAME`."""
        for variable, text in sorted(environ.items()):
            if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
                continue
            name = variable.removeprefix(PREFIX).lower().replace("__", ".", 1)
            self.put(name, _read(text, self._kinds.get(name)), f"environment {variable}")

    def dev(self) -> None:
        """Take the addresses of a `lockstep dev` in this folder or one above."""
        here = Path.cwd()
        for folder in (here, *here.parents):
            path = folder / DEV_FILE
            if path.is_file():
                found = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
                self.put("nats.servers", [found["nats_url"]], str(path))
                self.put("postgres.dsn", found["postgres_dsn"], str(path))
                return

    def settings(self) -> Loaded:
        """Convert all; raise SettingError with everything that is wrong."""
        good: dict[str, dict[str, object]] = {}
        for name, value in self.values.items():
            section, _, one = name.partition(".")
            try:
                converted = msgspec.convert(value, self._kinds[name], strict=False)
            except msgspec.ValidationError as error:
                shown = _masked(one, value)
                self.faults.append(f"{name} = {shown!r} ({self.sources[name]}): {error}")
            else:
                good.setdefault(section, {})[one] = converted
        if self.faults:
            raise SettingError("wrong settings:\n" + "\n".join(f"  {f}" for f in self.faults))
        sections = {
            section.name: section.type(**good.get(section.name, {}))
            for section in msgspec.structs.fields(Settings)
        }
        return Loaded(_with_password(Settings(**sections)), self.sources)


def _with_password(settings: Settings) -> Settings:
    """Put the password of its file into the DSN of PostgreSQL."""
    path = settings.postgres.password_file
    if not path:
        return settings
    try:
        password = Path(path).read_text().rstrip("\n")
    except OSError as error:
        raise SettingError(f"postgres.password_file: {path}: {error.strerror}") from None
    joint = "&" if "?" in settings.postgres.dsn else "?"
    dsn = f"{settings.postgres.dsn}{joint}password={quote(password, safe='')}"
    postgres = msgspec.structs.replace(settings.postgres, dsn=dsn)
    return msgspec.structs.replace(settings, postgres=postgres)


def _read(text: str, kind: Any) -> object:  # noqa: ANN401 - any annotation of a field
    """Read the text of a variable as its setting wants it."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    if get_origin(kind) in {Union, types.UnionType} or kind is bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        return words.get(text.lower(), text)
    return text


def _masked(name: str, value: object) -> object:
    """Show a value without what must stay secret."""
    if name in SECRET_FIELDS:
        return "***" if value else ""
    if name in URL_FIELDS:
        if isinstance(value, list):
            return [_without_password(str(url)) for url in value]
        return _without_password(str(value))
    return value


def _without_password(url: str) -> str:
    head, found, query = redacted(url).partition("?")
    kept = [part for part in query.split("&") if not part.startswith("password=")]
    return head + (found + "&".join(kept) if kept and found else "")
