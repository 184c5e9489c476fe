"""The settings of HTTP calls: what may be called, and how much of everything."""

from typing import Annotated

from msgspec import Meta, Struct

MAX_SECONDS = 3600  # what takes longer is begun by a call, and told by an event

HostPattern = Annotated[
    str, Meta(pattern=r"^(\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])$")
]


class HttpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `http.request` may call, and how much it may take."""

    allowed_hosts: Annotated[
        list[HostPattern],
        Meta(
            description="Hosts that may be called; *.example.com: all below example.com, *: all."
            " None is allowed by default."
        ),
    ] = []
    allow_private_addresses: Annotated[
        bool, Meta(description="Loopback and private networks too; link-local ones never.")
    ] = False
    # A scope holds 1 MiB: what is larger could not be kept.
    max_response_bytes: Annotated[
        int, Meta(ge=1, le=1_048_576, description="Largest body of a response, decompressed.")
    ] = 524_288
    max_timeout_seconds: Annotated[
        float, Meta(gt=0, le=MAX_SECONDS, description="Longest timeout_seconds of a call.")
    ] = 300.0
    pool_size: Annotated[int, Meta(ge=1, le=10_000, description="Connections of a replica.")] = 100
    pool_size_per_host: Annotated[
        int, Meta(ge=1, le=10_000, description="Of these, to one host and port.")
    ] = 20
