"""Kubernetes' libraries of IP addresses and CIDR ranges."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.standard import tenth
from kctl.api.cel.values import Opaque, cost_size, no_overload

DECLARATIONS = """
ip: (string) net.IP; net.CIDR.() net.IP
isIP: (string) bool
ip.isCanonical: (string) bool
family: net.IP.() int
isUnspecified: net.IP.() bool
isLoopback: net.IP.() bool
isLinkLocalMulticast: net.IP.() bool
isLinkLocalUnicast: net.IP.() bool
isGlobalUnicast: net.IP.() bool
string: (net.IP) string; (net.CIDR) string
cidr: (string) net.CIDR
isCIDR: (string) bool
containsIP: net.CIDR.(net.IP) bool; net.CIDR.(string) bool
containsCIDR: net.CIDR.(net.CIDR) bool; net.CIDR.(string) bool
masked: net.CIDR.() net.CIDR
prefixLength: net.CIDR.() int
"""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class IP(Opaque):
    """An address."""

    __slots__ = ("address",)
    type_name = "net.IP"

    def __init__(self, address: Address) -> None:
        self.address = address

    def equals(self, other: Any) -> bool:
        """Say whether two addresses are the same."""
        return isinstance(other, IP) and other.address == self.address


class CIDR(Opaque):
    """A range of addresses, written with an address that may lie within it."""

    __slots__ = ("address", "bits")
    type_name = "net.CIDR"

    def __init__(self, address: Address, bits: int) -> None:
        self.address = address
        self.bits = bits

    def equals(self, other: Any) -> bool:
        """Say whether two ranges are written alike."""
        return isinstance(other, CIDR) and (other.address, other.bits) == (self.address, self.bits)

    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """Return the range itself."""
        return ipaddress.ip_network(f"{self.address}/{self.bits}", strict=False)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise no_overload()
    return value


def _address(text: str) -> Address:
    """Read an address as netip.ParseAddr, without zones and IPv4 in IPv6."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise EvaluationError(f'IP address "{text}" with zone value is not allowed')
        if address.ipv4_mapped is not None:
            raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return address


def parse_ip(value: Any) -> IP:
    """Read an address; EvaluationError for what is none."""
    if isinstance(value, CIDR):
        return IP(value.address)
    text = _text(value)
    try:
        return IP(_address(text))
    except EvaluationError:
        raise
    except ValueError:
        raise EvaluationError(
            f'IP Address "{text}" parse error during conversion from string: ParseAddr("{text}"): unable to parse IP'
        ) from None


def parse_cidr(value: Any) -> CIDR:
    """Read a range; EvaluationError for what is none."""
    text = _text(value)
    host, slash, bits = text.partition("/")
    why = ""
    try:
        if not slash:
            why = "no '/'"
        elif not re.fullmatch(r"0|[1-9]\d{0,2}", bits):
            why = f'bad bits after slash: "{bits}"'
        else:
            address = _address(host)
            if int(bits) <= address.max_prefixlen:
                return CIDR(address, int(bits))
            why = "prefix length out of range"
    except EvaluationError:
        raise
    except ValueError:
        why = f'ParseAddr("{host}"): unable to parse IP'
    raise EvaluationError(
        f'network address parse error during conversion from string: netip.ParsePrefix("{text}"): {why}'
    )


def _is(parse: Callable[[Any], Any]) -> Callable[[Any], bool]:
    def function(value: Any) -> bool:
        _text(value)
        try:
            parse(value)
        except EvaluationError:
            return False
        return True

    return function


def _of_ip(read: Callable[[Address], Any]) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        if not isinstance(value, IP):
            raise no_overload()
        return read(value.address)

    return function


def _cidr(value: Any) -> CIDR:
    if not isinstance(value, CIDR):
        raise no_overload()
    return value


def contains_ip(value: Any, other: Any) -> bool:
    """Say whether an address lies in a range."""
    address = (other if isinstance(other, IP) else parse_ip(other)).address
    network = _cidr(value).network()
    return address.version == network.version and address in network


def contains_cidr(value: Any, other: Any) -> bool:
    """Say whether a range lies in another."""
    outer, inner = _cidr(value), other if isinstance(other, CIDR) else parse_cidr(other)
    if outer.address.version != inner.address.version or inner.bits < outer.bits:
        return False
    return inner.address in outer.network()


def write(value: Any) -> str:
    """Return an address or a range as a text."""
    if isinstance(value, IP):
        return str(value.address)
    if isinstance(value, CIDR):
        return f"{value.address}/{value.bits}"
    raise no_overload()


def _masked(value: Any) -> CIDR:
    found = _cidr(value)
    return CIDR(found.network().network_address, found.bits)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ip": parse_ip,
    "isIP": _is(parse_ip),
    "ip.isCanonical": lambda value: str(parse_ip(_text(value)).address) == value,
    "family": _of_ip(lambda address: address.version),
    "isUnspecified": _of_ip(lambda address: address.is_unspecified),
    "isLoopback": _of_ip(lambda address: address.is_loopback),
    "isLinkLocalMulticast": _of_ip(
        lambda address: address in ipaddress.ip_network("224.0.0.0/24" if address.version == 4 else "ff02::/16")
    ),
    "isLinkLocalUnicast": _of_ip(lambda address: address.is_link_local),
    "isGlobalUnicast": _of_ip(
        lambda address: (
            not (
                address.is_unspecified
                or address.is_loopback
                or address.is_multicast
                or address.is_link_local
                or str(address) == "255.255.255.255"
            )
        )
    ),
    "string": write,
    "cidr": parse_cidr,
    "isCIDR": _is(parse_cidr),
    "containsIP": contains_ip,
    "containsCIDR": contains_cidr,
    "masked": _masked,
    "prefixLength": lambda value: _cidr(value).bits,
}
COSTS: dict[str, Callable[[list[Any], Any], int]] = {
    "isIP": lambda args, _: tenth(cost_size(args[0])),
    "isCIDR": lambda args, _: tenth(cost_size(args[0])),
    "cidr": lambda args, _: tenth(cost_size(args[0])),
    "ip": lambda args, _: tenth(cost_size(args[0])) if isinstance(args[0], str) else 1,
    "ip.isCanonical": lambda args, _: tenth(cost_size(args[0]) * 2),
}
