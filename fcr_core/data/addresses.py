"""Decide which network addresses a download may connect to: public ones only, so that no link reaches into the local network."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# IPv6 addresses that a gateway turns into the IPv4 address in their last 32 bits (RFC 6052).
NAT64 = ip_network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, each once. Raises `OSError` or `UnicodeError` when it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


def may_connect(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Return True if an address is public or lies in one of the `allowed` networks.

    Loopback, private, link-local, shared, multicast and reserved addresses are not public. An IPv4 address inside an IPv6 address
    is checked too.

    >>> [may_connect(ip_address(a)) for a in ("93.184.216.34", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1")]
    [True, False, False, False]
    """
    target = embedded(address)
    return any(target in network for network in allowed) or (target.is_global and not target.is_multicast)


def embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, address))[1]
