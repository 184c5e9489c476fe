"""Which hosts may be called, by name."""

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, ip_address


class Hosts:
    """An allow-list: `api.example.com`, `*.example.com` for what is below it, `*` for all."""

    def __init__(self, patterns: Iterable[str]) -> None:
        wanted = [normal(pattern) for pattern in patterns]
        self._names = frozenset(wanted)
        self._tails = tuple(one.removeprefix("*") for one in wanted if one.startswith("*."))

    def allows(self, host: str) -> bool:
        """Say whether a host is on the list."""
        name = normal(host)
        return "*" in self._names or name in self._names or name.endswith(self._tails)


def normal(host: str) -> str:
    """Give the one spelling of a host that all others are compared by."""
    name = host.lower().removesuffix(".").removeprefix("[").removesuffix("]")
    try:
        return str(ip_address(name))
    except ValueError:
        return name


def is_odd_address(host: str) -> bool:
    """Say whether a host is an IPv4 address in a spelling that is not the usual one.

    `0x7f.1`, `2130706433` and `0177.0.0.1` are 127.0.0.1 for many systems, for others names.
    Source: WHATWG URL, 3.5, "ends in a number".
    """
    if ":" in host:  # IPv6, which Python from 3.13 on may write with an IPv4 address at its end
        return False
    last = host.removesuffix(".").rpartition(".")[2].lower()
    is_hexadecimal = last.startswith("0x") and not last[2:].strip("0123456789abcdef")
    if not (last.isdigit() or is_hexadecimal):
        return False
    try:
        return str(IPv4Address(host)) != host
    except AddressValueError:
        return True
