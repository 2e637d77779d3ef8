"""Resource lists: quantities by name, as texts, added up and compared exactly.

In come the lists of manifests (``requests``, ``limits``, ``hard``, ``used``); out come lists whose
quantities are written as a real API server writes sums: in the suffix family of the first addend
that is not zero. As k8s.io/apiserver/pkg/quota/v1 and resource.Quantity. No floating point.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from kctl.api.quantity import Amount, amount, as_text, canonical, write

ResourceList = Mapping[str, str]


@lru_cache(maxsize=4096)
def plus(a: str, b: str) -> str:
    """Return the sum of two quantities, as Quantity.Add."""
    return _sum(a, b, 1)


@lru_cache(maxsize=4096)
def minus(a: str, b: str) -> str:
    """Return the difference of two quantities, as Quantity.Sub."""
    return _sum(a, b, -1)


@lru_cache(maxsize=4096)
def times(a: str, number: int) -> str:
    """Return a quantity taken ``number`` times."""
    one = amount(as_text(a))
    return write(one._replace(unscaled=one.unscaled * number, typed=""))


@lru_cache(maxsize=4096)
def compare(a: str, b: str) -> int:
    """Return -1, 0 or 1 as the first quantity is less than, equal to or more than the second."""
    x, y, _ = _aligned(a, b)
    return (x > y) - (x < y)


def is_zero(a: str) -> bool:
    """Say whether a quantity is nothing."""
    return amount(as_text(a)).unscaled == 0


def _sum(a: str, b: str, sign: int) -> str:
    x, y, scale = _aligned(a, b)
    family = amount(as_text(a if x else b)).format
    return write(Amount(x + sign * y, scale, family, ""))


def _aligned(a: str, b: str) -> tuple[int, int, int]:
    """Return both numbers as integers in the same power of ten, and that power."""
    x, y = amount(as_text(a)), amount(as_text(b))
    scale = min(x.scale, y.scale)
    return int(x.unscaled * 10 ** (x.scale - scale)), int(y.unscaled * 10 ** (y.scale - scale)), scale


def written(found: Mapping[str, object] | None) -> dict[str, str]:
    """Return a resource list of an object with its quantities in canonical form."""
    return {name: canonical(as_text(value)) for name, value in (found or {}).items()}


def add(a: ResourceList, b: ResourceList) -> dict[str, str]:
    """Return the sum of two lists; what only one of them has counts alone."""
    out = dict(a)
    for name, value in b.items():
        out[name] = plus(out[name], value) if name in out else value
    return out


def greatest(a: ResourceList, b: ResourceList) -> dict[str, str]:
    """Return the larger quantity of each name."""
    out = dict(a)
    for name, value in b.items():
        if name not in out or compare(value, out[name]) > 0:
            out[name] = value
    return out


def increase(new: ResourceList, old: ResourceList) -> dict[str, str]:
    """Return how much more ``new`` holds, never less than nothing, as SubtractWithNonNegativeResult."""
    out = {}
    for name, value in new.items():
        less = old.get(name)
        out[name] = value if less is None else minus(value, less) if compare(value, less) > 0 else "0"
    return out


def mask(found: ResourceList, names: Iterable[str]) -> dict[str, str]:
    """Return the part of the list that has one of the names."""
    wanted = frozenset(names)
    return {name: value for name, value in found.items() if name in wanted}
