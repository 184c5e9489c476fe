"""Which addresses may be called. `ipaddress` judges differently from version to version.

Sources: the special-purpose address registries of IANA for IPv4 and IPv6 (RFC 6890), and what the
large clouds say of their metadata services.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

Kind = Literal["public", "private", "forbidden"]

_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure: public by its number
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
    )
)
_PRIVATE_4: Final = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared address space
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
    )
)
_FORBIDDEN_4: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local, with the metadata services of most clouds
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
_PRIVATE_6: Final = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))
_GLOBAL_6: Final = IPv6Network("2000::/3")
_FORBIDDEN_6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo, ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4: any IPv4 address is in it
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
# An IPv4 address is in the last 32 bits of these.
_EMBEDDING: Final = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


def kind_of(text: str) -> Kind:
    """Say whether an address is public, private (loopback too), or never to be called."""
    try:
        address = ip_address(text)
    except ValueError:
        return "forbidden"
    return _kind(address)


def _kind(address: IPv4Address | IPv6Address) -> Kind:
    if address in _METADATA:
        return "forbidden"
    if isinstance(address, IPv4Address):
        if any(address in network for network in _FORBIDDEN_4):
            return "forbidden"
        return "private" if any(address in network for network in _PRIVATE_4) else "public"
    if any(address in network for network in _EMBEDDING):
        return _kind(IPv4Address(int(address) & 0xFFFF_FFFF))
    if any(address in network for network in _PRIVATE_6):
        return "private"
    if address not in _GLOBAL_6 or any(address in network for network in _FORBIDDEN_6):
        return "forbidden"
    return "public"
