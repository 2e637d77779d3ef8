"""What of a new state of an object is not the very same value as in the state before.

In: two states, of which the older one was checked. Out: the newer one without the items of long lists that both
hold, so that one address more in an Endpoints of a thousand is looked at as one address. Short
lists are not worth telling apart, and status is written by components whose values nobody checked.
"""

from __future__ import annotations

from operator import is_
from typing import Any

from kctl.api.objects import Obj

LONG = 16
"""How many items a list has at least whose items are told apart."""


def unshared(new: Obj, old: Obj) -> Obj:
    """Return ``new`` without what its long lists share with those of ``old``; ``new`` itself where that is nothing."""
    out: Obj | None = None
    for name, value in new.items():
        if value.__class__ is not list or not value or name == "status":
            continue
        before = old.get(name)
        left = _items(value, before) if before.__class__ is list else value
        if left is value:
            continue
        if out is None:
            out = dict(new)
        if left:
            out[name] = left
        else:
            del out[name]
    return new if out is None else out


def _items(new: list[Any], old: list[Any]) -> list[Any]:
    if len(new) >= LONG:
        first, last = _same_ends(new, old)
        known = set(map(id, old[first : len(old) - last]))
        left = [item for item in new[first : len(new) - last] if id(item) not in known]
        return left if len(left) < len(new) else new
    if len(new) != len(old):
        return new
    less = [
        unshared(one, other) if one.__class__ is dict and other.__class__ is dict else one
        for one, other in zip(new, old, strict=True)
    ]
    return new if all(a is b for a, b in zip(less, new, strict=True)) else less


def _same_ends(new: list[Any], old: list[Any]) -> tuple[int, int]:
    """Return how many items two lists share at their beginnings, and how many of the others at their ends."""
    most = min(len(new), len(old))
    same = list(map(is_, new, old))
    first = same.index(False) if False in same else most
    same = list(map(is_, reversed(new), reversed(old)))
    last = same.index(False) if False in same else most
    return first, min(last, most - first)
