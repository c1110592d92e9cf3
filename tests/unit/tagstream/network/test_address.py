"""Which addresses a photo may come from: every block that is not public is refused, in every disguise."""

import ipaddress

import pytest

from tagstream.errors import BadSettings
from tagstream.network.address import is_public, may_reach, parse_endpoints

NOT_PUBLIC = [
    # IANA's special-purpose registries, the blocks that are not globally reachable, and multicast.
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32"),
    *("::1/128", "::/128", "::ffff:0:0:0/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64"),
    *("2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "2002::/16", "3fff::/20"),
    *("5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "4000::/3", "::/96"),
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "100.128.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "198.20.0.1",
    "223.255.255.254",
]
PUBLIC_V6 = ["2606:4700:4700::1111", "2a00:1450:4001:80b::2004", "2001:4860:4860::8888", "2003::1", "3ffe::1"]


@pytest.mark.parametrize("block", NOT_PUBLIC)
def test_no_address_of_a_special_block_is_public(block: str) -> None:
    network = ipaddress.ip_network(block)
    for address in (network[0], network[network.num_addresses // 2], network[-1]):
        assert not is_public(address), address


@pytest.mark.parametrize("text", [*PUBLIC, *PUBLIC_V6])
def test_addresses_of_the_internet_are_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("prefix", ["::ffff:", "64:ff9b::"])
@pytest.mark.parametrize(
    ("inner", "public"),
    [
        ("8.8.8.8", True),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("224.0.0.1", False),
    ],
)
def test_an_ipv4_address_in_an_ipv6_one_counts_as_itself(prefix: str, inner: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(prefix + inner)) is public


@pytest.mark.parametrize(
    "text", ["2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "::127.0.0.1", "fe80::1%eth0"]
)
def test_tunnels_to_anywhere_are_refused_whatever_they_hold(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


def test_the_allow_list_is_exact() -> None:
    allowed = parse_endpoints(["127.0.0.1:8080", "[::1]:9000"])
    assert allowed == {(ipaddress.ip_address("127.0.0.1"), 8080), (ipaddress.ip_address("::1"), 9000)}
    assert may_reach(ipaddress.ip_address("127.0.0.1"), 8080, allowed)
    for address, port in (("127.0.0.1", 80), ("127.0.0.2", 8080), ("::1", 8080), ("::ffff:127.0.0.1", 8080)):
        assert not may_reach(ipaddress.ip_address(address), port, allowed), (address, port)


def test_public_addresses_are_reached_at_ports_of_the_web_only() -> None:
    address = ipaddress.ip_address("8.8.8.8")
    assert [port for port in (22, 25, 80, 443, 6379, 8080) if may_reach(address, port, ())] == [80, 443]


@pytest.mark.parametrize(
    "pair",
    ["localhost:80", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:80", "10.0.0.0/8:80", "256.0.0.1:80", ""],
)
def test_anything_but_a_pair_is_refused(pair: str) -> None:
    with pytest.raises(BadSettings, match="media_allowed"):
        parse_endpoints([pair])
