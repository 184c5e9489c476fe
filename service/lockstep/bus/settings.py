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

    servers: Annotated[
        list[Url], Meta(min_length=1, max_length=64, description="Addresses of one cluster.")
    ] = field(default_factory=lambda: ["nats://127.0.0.1:4222"])
    prefix: Annotated[
        Name, Meta(description="First word of all subjects; streams and buckets begin with it too.")
    ] = "lockstep"
    name: Annotated[str, Meta(description="How the server calls our connections.")] = "lockstep"
    inbox_prefix: Annotated[str, Meta(description="First words of reply subjects.")] = "_INBOX"

    user: Annotated[str, Meta(description="User, beside a password.")] = ""
    password: Annotated[str, Meta(description="Password of the user.")] = ""
    token: Annotated[str, Meta(description="In place of user and password.")] = ""
    nkey_seed_file: Annotated[
        str, Meta(description="File with the seed of an NKey; needs the extra `nkeys`.")
    ] = ""
    credentials_file: Annotated[
        str, Meta(description="File with a JWT and its seed; needs the extra `nkeys`.")
    ] = ""
    tls_ca_file: Annotated[
        str, Meta(description="File with the certificates to trust; else those of the system.")
    ] = ""
    tls_cert_file: Annotated[str, Meta(description="File with our certificate.")] = ""
    tls_key_file: Annotated[str, Meta(description="File with the key of our certificate.")] = ""

    manage_bus: Annotated[
        bool, Meta(description="False: streams and buckets are made by others, and only checked.")
    ] = True
    replicas: Annotated[
        int, Meta(ge=1, le=5, description="Servers that keep each stream and bucket.")
    ] = 1
    storage: Annotated[
        Literal["file", "memory"], Meta(description="Where the server keeps them.")
    ] = "file"
    lanes: Annotated[
        list[Name], Meta(description="Queues of their own for events, beside that of all others.")
    ] = []
    ack_wait_seconds: Annotated[
        Seconds, Meta(description="Until the server delivers again what was not acknowledged.")
    ] = 30.0
    max_ack_pending: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Events that are delivered and unacknowledged.")
    ] = 2000
    give_up_seconds: Annotated[
        Seconds,
        Meta(description="For which a NATS that is there may refuse us; then the process ends."),
    ] = 300.0
    publish_timeout_seconds: Annotated[
        Seconds, Meta(description="For the server to acknowledge what is published.")
    ] = 5.0
    runs_max_age_days: Annotated[Days, Meta(description="For which run events are kept.")] = 7.0
    runs_max_bytes: Annotated[
        int, Meta(ge=0, description="Size of the stream of run events, the oldest go; 0: no limit.")
    ] = 0
    dead_max_age_days: Annotated[Days, Meta(description="For which dead letters are kept.")] = 30.0
    duplicate_window_seconds: Annotated[
        float, Meta(ge=0.1, le=86_400, description="In which the streams drop repeated ids.")
    ] = 600.0
    triggers_max_bytes: Annotated[
        int, Meta(ge=0, description="Size of the stream of events that refuses more; 0: no limit.")
    ] = 0

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
