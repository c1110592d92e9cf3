"""The addresses that strangers may have us connect to: those that anybody on the internet could reach.

Owns that decision for one address and port. Resolves nothing and connects to nothing. The tables are our own, taken
from IANA's special-purpose registries: `ipaddress` knows the newer entries (`3fff::/20`, `5f00::/16`) only in the
newest Pythons, and counts deprecated tunnels (6to4, site-local, IPv4-compatible) as global in all of them. An address
must pass both.
"""

import ipaddress
import re
from collections.abc import Collection, Iterable

from tagstream.errors import BadSettings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Endpoint = tuple[Address, int]

WEB_PORTS = frozenset({80, 443})

_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # the host of a virtual machine in Azure
        "169.254.0.0/16",  # link-local; the metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# Networks are given addresses of this block alone. Loopback, link-local, unique-local, multicast and unassigned
# addresses lie outside it.
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID and others
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address in disguise
        "3fff::/20",  # documentation
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PAIR = re.compile(r"\[([0-9A-Fa-f:.]+)\]:([0-9]{1,5})|([0-9.]+):([0-9]{1,5})")


def is_public(address: Address) -> bool:
    """Says whether anybody on the internet could reach this address.

    An IPv4 address inside an IPv6 one counts as that IPv4 address: a mapped address, or one with the well-known NAT64
    prefix, which a network without IPv4 gives for every host.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
        refused = address not in _UNICAST_V6 or any(address in network for network in _REFUSED_V6)
    else:
        refused = any(address in network for network in _REFUSED_V4)
    return not refused and address.is_global and not address.is_multicast


def may_reach(address: Address, port: int, allowed: Collection[Endpoint]) -> bool:
    """Says whether we may connect to it: a public address at a web port, or exactly an allowed pair."""
    return (address, port) in allowed or (port in WEB_PORTS and is_public(address))


def parse_endpoints(pairs: Iterable[str], setting: str = "media_allowed") -> frozenset[Endpoint]:
    """Reads a setting such as `media_allowed`: pairs `address:port`, an IPv6 address in brackets.

    Raises:
        BadSettings: one of them is no such pair. A host name is none, because it could come to mean any address.
    """
    return frozenset(_endpoint(pair, setting) for pair in pairs)


def _endpoint(pair: str, setting: str) -> Endpoint:
    parts = _PAIR.fullmatch(pair)
    try:
        if parts is None:
            raise ValueError
        address, port = ipaddress.ip_address(parts[1] or parts[3]), int(parts[2] or parts[4])
        if not 0 < port < 65536:
            raise ValueError
    except ValueError as error:
        raise BadSettings(
            f"{setting}: {pair!r} is not an address and a port such as 127.0.0.1:8080 or [::1]:8080; "
            "see docs/reference/settings.md"
        ) from error
    return address, port


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
