"""Which of the best nodes is taken.

Upstream draws one at random, each as likely as the others (selectHost). Here the first in scheduling order is
taken, or, with a seed, one that a hash of seed, pod and node picks: as evenly spread, and the same every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Ties = Callable[[str, Sequence[str]], str]
"""Takes a pod's uid and the names of the best nodes in scheduling order; returns one of them."""


def first(uid: str, best: Sequence[str]) -> str:
    """Return the first node."""
    return best[0]


def seeded(seed: int) -> Ties:
    """Return what picks a node by hash; seed 0 takes the first one."""
    if not seed:
        return first
    from hashlib import blake2b  # 4 ms, and most runs have no seed

    def pick(uid: str, best: Sequence[str]) -> str:
        if len(best) == 1:
            return best[0]
        return max(best, key=lambda node: blake2b(f"{seed}/{uid}/{node}".encode(), digest_size=8).digest())

    return pick
