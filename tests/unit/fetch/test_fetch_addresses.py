"""Which addresses and hosts may be called."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.fetch.addresses import kind_of
from lockstep.fetch.hosts import Hosts, is_odd_address
from lockstep.model.errors import SettingError
from lockstep.settings.load import load

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "223.255.255.255", "2606:4700::1111"]
PRIVATE = [
    "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.255", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "::1", "fc00::1", "fd12:3456::1",
]  # fmt: skip
FORBIDDEN = [
    "0.0.0.0", "0.1.2.3",  # noqa: S104 - not bound to
    "169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16",
    "192.0.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::7f00:1", "fe80::1",
    "fe80::1%1", "fec0::1", "ff02::1", "fd00:ec2::254", "fd20:ce::254", "2001::1", "2001:db8::1",
    "2002:7f00:1::", "3fff::1", "64:ff9b:1::7f00:1", "100::1", "5f00::1", "", "localhost",
    "127.1", "0x7f.1", "2130706433",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str) -> None:
    assert kind_of(address) == "public"


@pytest.mark.parametrize("address", PRIVATE)
def test_a_loopback_or_private_address_is_private(address: str) -> None:
    assert kind_of(address) == "private"


@pytest.mark.parametrize("address", FORBIDDEN)
def test_link_local_metadata_multicast_and_reserved_addresses_are_never_called(
    address: str,
) -> None:
    assert kind_of(address) == "forbidden"


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_address_in_an_ipv6_coat_is_judged_as_what_it_is(inner: IPv4Address) -> None:
    for coat in (0xFFFF << 32, 0x64FF9B << 96):
        assert kind_of(str(IPv6Address(coat | int(inner)))) == kind_of(str(inner))


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_what_python_calls_private_multicast_or_reserved_is_never_public(
    address: IPv4Address | IPv6Address,
) -> None:
    is_special = (
        address.is_private or address.is_multicast or address.is_link_local
        or address.is_loopback or address.is_unspecified or address.is_reserved
    )  # fmt: skip
    if is_special and int(address) >> 32 not in (0xFFFF, 0x64FF9B << 64):
        assert kind_of(str(address)) != "public"


@pytest.mark.parametrize(
    ("patterns", "host", "is_allowed"),
    [
        ([], "example.com", False),
        (["*"], "example.com", True),
        (["example.com"], "example.com", True),
        (["example.com"], "EXAMPLE.com.", True),
        (["Example.COM"], "example.com", True),
        (["example.com"], "api.example.com", False),
        (["example.com"], "example.com.evil.org", False),
        (["example.com"], "evil-example.com", False),
        (["*.example.com"], "api.example.com", True),
        (["*.example.com"], "a.b.example.com", True),
        (["*.example.com"], "example.com", False),
        (["*.example.com"], "evilexample.com", False),
        (["10.0.0.5"], "10.0.0.5", True),
        (["10.0.0.5"], "10.0.0.6", False),
        (["[::1]"], "::1", True),
        (["[0:0:0:0:0:0:0:1]"], "::1", True),
    ],
)
def test_the_allow_list_names_hosts_and_what_is_below_them(
    patterns: list[str], host: str, is_allowed: bool
) -> None:
    assert Hosts(patterns).allows(host) is is_allowed


@pytest.mark.parametrize(
    "host",
    ["0x7f.1", "2130706433", "0177.0.0.1", "127.1", "127.0.1", "0x7f000001", "1.2.3.4.5", "0x",
     "127.0.0.01", "256.1.1.1", "evil.0x7f", "10.0.0.0x1.", "127.0.0.1."],
)  # fmt: skip
def test_an_address_in_an_odd_spelling_is_known_as_one(host: str) -> None:
    assert is_odd_address(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "example.com", "1e100.net", "a1", "::1", "0xg.de"])
def test_names_and_plain_addresses_are_not_odd(host: str) -> None:
    assert not is_odd_address(host)


@given(st.integers(0, 2**32 - 1))
def test_the_usual_spelling_is_the_only_one(number: int) -> None:
    plain = str(ip_address(number))
    assert not is_odd_address(plain)
    assert is_odd_address(str(number))
    assert is_odd_address(hex(number))


NUMBERS = st.tuples(st.integers(0, 2**32), st.sampled_from(["{:d}", "0x{:x}", "0X{:X}", "0{:o}"]))


@given(st.lists(NUMBERS, min_size=1, max_size=4), st.sampled_from(["", "."]))
def test_whatever_the_system_takes_for_an_address_is_plain_or_odd(
    parts: list[tuple[int, str]], end: str
) -> None:
    host = ".".join(shape.format(number % 256**(2 if i else 4)) for i, (number, shape) in
                    enumerate(parts))  # fmt: skip
    try:
        packed = socket.inet_aton(host)
    except OSError:
        return
    assert is_odd_address(host + end) or host == str(IPv4Address(packed))


def test_the_allow_list_is_a_setting() -> None:
    environ = {"LOCKSTEP_HTTP__ALLOWED_HOSTS": "api.example.com, *.example.org,[::1]"}
    settings = load(environ=environ, use_dev=False).settings.http
    assert settings.allowed_hosts == ["api.example.com", "*.example.org", "[::1]"]
    assert load(environ={}, use_dev=False).settings.http.allowed_hosts == []


@pytest.mark.parametrize("host", ["https://a.org", "a.org/x", "a.*.org", "*a.org", "a b", "a:80"])
def test_what_is_no_host_is_refused_when_the_settings_are_read(host: str) -> None:
    with pytest.raises(SettingError, match=r"http\.allowed_hosts"):
        load(environ={"LOCKSTEP_HTTP__ALLOWED_HOSTS": host}, use_dev=False)
