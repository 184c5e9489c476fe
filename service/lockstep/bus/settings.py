"""The settings of the bus."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Url = Annotated[str, Meta(pattern=r"^((nats|tls)://)?[^\s/]+$")]
Seconds = Annotated[float, Meta(ge=0.1, le=3600)]
Days = Annotated[float, Meta(gt=0, le=3650)]

_SECRET = frozenset({"password", "token"})


class BusSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where NATS is, who we are there, and how our streams are made.

    Empty texts mean: not set. Several prefixes can live side by side on one server.
    """

    servers: Annotated[list[Url], Meta(min_length=1, max_length=64)] = field(
        default_factory=lambda: ["nats://127.0.0.1:4222"]
    )
    prefix: Name = "lockstep"
    name: str = "lockstep"
    inbox_prefix: str = "_INBOX"

    user: str = ""
    password: str = ""
    token: str = ""
    nkey_seed_file: str = ""
    credentials_file: str = ""
    tls_ca_file: str = ""
    tls_cert_file: str = ""
    tls_key_file: str = ""

    manage_bus: bool = True
    replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    storage: Literal["file", "memory"] = "file"
    lanes: list[Name] = []
    ack_wait_seconds: Seconds = 30.0
    max_ack_pending: Annotated[int, Meta(ge=1, le=1_000_000)] = 2000
    publish_timeout_seconds: Seconds = 5.0
    runs_max_age_days: Days = 7.0
    dead_max_age_days: Days = 30.0
    duplicate_window_seconds: Annotated[float, Meta(ge=0.1, le=86_400)] = 600.0
    triggers_max_bytes: Annotated[int, Meta(ge=0)] = 0
    """0: no limit."""

    def __repr__(self) -> str:
        """Show what is set, without secrets and without what URLs carry of them."""
        shown = (
            f"{name}={'***' if name in _SECRET else value!r}"
            for name in self.__struct_fields__
            if name != "servers" and (value := getattr(self, name))
        )
        return f"BusSettings(servers={[redacted(url) for url in self.servers]}, {', '.join(shown)})"


def redacted(url: str) -> str:
    """Take user and password out of a URL, for logs and messages."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
