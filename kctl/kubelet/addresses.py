"""Addresses of nodes and pods.

In: what is in use. Out: the lowest free one. The ranges are assumptions: nodes have
172.18.0.0/16, the pods of node n have 10.244.n.0/24 (going on in 10.245 to 10.255, then
10.128 to 10.243), the pods of a node without an IPv4 podCIDR share 10.64.0.0/14. Not here:
IPv6 and dual stack.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from kctl.kubelet.facts import BLOCK_BITS, Used, dotted, ipv4

NODES = 172 << 24 | 18 << 16
NODES_SIZE = 1 << 16
SHARED = 10 << 24 | 64 << 16
SHARED_BITS = 14
FIRST_POD = 2
"""The first address of a range names the network, the second is the bridge's."""
FIRST_RANGES = (256 - 244) * 256
"""How many /24 ranges there are from 10.244.0.0 to 10.255.255.0."""


def lowest_free(bits: int) -> int:
    """Return the number of the lowest bit that is not set."""
    return (~bits & (bits + 1)).bit_length() - 1


def pod_range(number: int) -> str:
    """Return the podCIDR of the node with that number."""
    if number < FIRST_RANGES:
        second, third = divmod(number, 256)
        return f"10.{244 + second}.{third}.0/24"
    second, third = divmod(number - FIRST_RANGES, 256)
    return f"10.{128 + second}.{third}.0/24"


def range_number(cidr: str) -> int | None:
    """Return the number that :func:`pod_range` made the range of, None when it did not."""
    base, _, bits = cidr.partition("/")
    number = ipv4(base)
    if number is None or bits != "24" or number >> 24 != 10:
        return None
    second, third = number >> 16 & 255, number >> 8 & 255
    if second >= 244:
        return (second - 244) * 256 + third
    return FIRST_RANGES + (second - 128) * 256 + third if second >= 128 else None


def node_address(used: int) -> str:
    """Return the lowest free node address; ``used`` has a bit for each one in use."""
    return dotted(NODES + lowest_free(used | 3))  # .0 is the network, .1 the gateway


def node_offset(address: str) -> int | None:
    """Return which of the node addresses this is, None when it is none of them."""
    number = ipv4(address)
    return number - NODES if number is not None and NODES <= number < NODES + NODES_SIZE else None


@lru_cache(maxsize=1 << 14)
def _range_of(cidr: str) -> tuple[int, int]:
    """Return where a node's pod range starts and how many addresses it has."""
    base, _, text = cidr.partition("/")
    start = ipv4(base)
    if start is None or not text.isdigit() or not 8 <= int(text) <= 30:
        start, bits = SHARED, SHARED_BITS
    else:
        bits = int(text)
    size = 1 << (32 - bits)
    return start & ~(size - 1), size


def pod_address(cidr: str, used: Callable[[int], Used]) -> str:
    """Return the lowest free address of a node's pod range, "" when all are taken.

    ``used`` answers which addresses of a block are in use.
    """
    start, size = _range_of(cidr)
    for block in range(start >> BLOCK_BITS, (start + size - 1 >> BLOCK_BITS) + 1):
        first = max(start, block << BLOCK_BITS) - (block << BLOCK_BITS)
        end = min(start + size, block + 1 << BLOCK_BITS) - (block << BLOCK_BITS)
        if block << BLOCK_BITS <= start:
            first += FIRST_POD
        free = first + lowest_free(used(block)[0] >> first)
        if free < end and (block << BLOCK_BITS) + free < start + size - 1:
            return dotted((block << BLOCK_BITS) + free)
    return ""
