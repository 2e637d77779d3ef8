"""What of a new state of an object is not the very same value as in the state before.

In: two states, of which the older one was checked. Out: the newer one without the items of long lists that both
hold, so that one address more in an Endpoints of a thousand is looked at as one address. Short
lists are not worth telling apart, and status is written by components whose values nobody checked.
"""

from __future__ import annotations

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
        known = set(map(id, old))
        left = [item for item in new if id(item) not in known]
        return left if len(left) < len(new) else new
    if len(new) != len(old):
        return new
    less = [
        unshared(one, other) if one.__class__ is dict and other.__class__ is dict else one
        for one, other in zip(new, old, strict=True)
    ]
    return new if all(a is b for a, b in zip(less, new, strict=True)) else less
