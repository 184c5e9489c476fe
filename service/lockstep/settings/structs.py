"""The settings: structs with units, bounds and what each is for; `config` reads them."""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from lockstep.bus.settings import BusSettings
from lockstep.fetch.settings import HttpSettings

MASK = "***"

Positive = Annotated[float, Meta(gt=0, le=3600)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Dsn = Annotated[str, Meta(pattern="^postgres(ql)?://")]


class PostgresSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where PostgreSQL is."""

    dsn: Annotated[Dsn, Meta(description="As libpq has it: postgresql://user@host/database.")] = (
        "postgresql://lockstep@127.0.0.1/lockstep"
    )
    password_file: Annotated[str, Meta(description="A file with the password of the DSN.")] = ""
    pool_size: Annotated[
        int, Meta(ge=4, le=200, description="Connections of a replica, and three more.")
    ] = 10

    def __repr__(self) -> str:
        """Show all of it, without what is secret."""
        return (
            f"PostgresSettings(dsn={without_secrets(self.dsn)!r}, "
            f"password_file={self.password_file!r}, pool_size={self.pool_size})"
        )


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
    late_wakes_per_second: Annotated[
        float, Meta(ge=1, le=100_000, description="Overdue runs that are woken, after an outage.")
    ] = 500.0
    expire_look_ms: Annotated[
        int,
        Meta(
            ge=1,
            le=60_000,
            description="Between two looks whether events that may still end a wait are handled.",
        ),
    ] = 50
    expire_hold_max_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=31_536_000,
            description="For which one event that is not handled may hold up what is to expire.",
        ),
    ] = 600.0
    triggers_folder: Annotated[
        str,
        Meta(description="YAML files with types of triggers; else `triggers` beside this file."),
    ] = ""
    step_events: Annotated[bool, Meta(description="Whether steps are told as run events.")] = True
    hop_limit: Annotated[
        int, Meta(ge=1, le=1000, description="Longest chain of causes of an event.")
    ] = 16
    receipts_hours: Annotated[
        int, Meta(ge=1, le=8760, description="For which a message id is remembered.")
    ] = 24
    keep_runs_days: Annotated[
        float, Meta(ge=0, le=36_500, description="For which finished runs are kept; 0: for ever.")
    ] = 30.0
    judgements: Annotated[
        int, Meta(ge=0, le=10_000_000, description="Kept for `lockstep why`; 0: none.")
    ] = 100_000
    lookback_bytes: Annotated[
        int,
        Meta(
            ge=1_048_576,
            le=1 << 40,
            description="For events that waits look back on; the oldest ones give way, and waits "
            "that needed them fail.",
        ),
    ] = 268_435_456
    keep_io_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=65_536,
            description="Of each step, for what went in and came out; 64 times as much of a run; "
            "0: nothing is kept.",
        ),
    ] = 4096
    stub_actions: Annotated[bool, Meta(description="The plug-in `test`: for tests only.")] = False
    stub_record_file: Annotated[str, Meta(description="Where stub actions note calls.")] = ""


class ParkedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows that no replica can handle: they are put aside, see `lockstep parked list`."""

    hours: Annotated[
        float,
        Meta(
            gt=0,
            le=8760,
            description="For which an event is kept for an automation that no replica can compile.",
        ),
    ] = 72.0


class SecretSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where `${{ secrets.NAME }}` is looked for: the environment, then files, then the bus."""

    environment_prefix: Annotated[
        str, Meta(min_length=1, description="Before the name, in the environment.")
    ] = "LOCKSTEP_SECRET_"
    folder: Annotated[str, Meta(description="With a file for each secret; empty: none.")] = ""
    bus: Annotated[bool, Meta(description="Ask the service on `lockstep.secret`.")] = False
    timeout_seconds: Annotated[Positive, Meta(description="For that service to answer.")] = 5.0


class ProbeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where `/livez`, `/readyz` and `/metrics` are answered, over HTTP."""

    host: Annotated[
        str, Meta(min_length=1, description="The address to listen on; 0.0.0.0 for all.")
    ] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65_535, description="0: none. Each replica needs one of its own.")
    ] = 0
    stuck_seconds: Annotated[
        float,
        Meta(
            ge=10,
            le=86_400,
            description="Without PostgreSQL while NATS answers, until `/livez` asks for a restart.",
        ),
    ] = 300.0
    automations: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000,
            description="Automations that `/metrics` has figures of, the oldest ones; all others "
            "are one, called `other`. Each is some 15 series for each replica. 0: no such figures.",
        ),
    ] = 100


class TraceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Traces by OpenTelemetry, for which the extra `otel` must be installed."""

    enabled: Annotated[bool, Meta(description="Whether there are any.")] = False
    endpoint: Annotated[
        str,
        Meta(description="http://HOST:4318/v1/traces; else as OTEL_EXPORTER_OTLP_ENDPOINT says."),
    ] = ""
    ratio: Annotated[
        float, Meta(ge=0, le=1, description="Of traces that no publisher has begun.")
    ] = 1.0


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged, and how."""

    level: Annotated[
        Literal["debug", "info", "warning", "warn", "error"],
        Meta(description="The least that is logged; `warn` is `warning`."),
    ] = "info"
    format: Annotated[
        Literal["auto", "json", "console"], Meta(description="auto: console on a terminal.")
    ] = "auto"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings."""

    nats: BusSettings = field(default_factory=BusSettings)
    postgres: PostgresSettings = field(default_factory=PostgresSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    parked: ParkedSettings = field(default_factory=ParkedSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    secrets: SecretSettings = field(default_factory=SecretSettings)
    probes: ProbeSettings = field(default_factory=ProbeSettings)
    traces: TraceSettings = field(default_factory=TraceSettings)
    log: LogSettings = field(default_factory=LogSettings)


def without_secrets(url: str, *, keep_user: bool = True) -> str:
    """Mask passwords in an address: before its host, in its query, or as libpq's words."""
    # The first `://`: a password may hold another.
    head, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    user, at, tail = rest.rpartition("@")
    if at and (":" in user or not keep_user):
        user = f"{user.partition(':')[0]}:{MASK}" if keep_user else MASK
    words = re.sub(r"((?:ssl)?password\s*=\s*)('[^']*'|[^&\s]*)", rf"\1{MASK}", f"{user}{at}{tail}")
    return f"{head}{separator}{words}"
