"""What lets a refused request through the next time: more room in a quota, looser limits or labels.

In: a change of an object that admission judges by. Out: the namespace in which refusals may be
over. A loop that was refused there tries again when its back-off ends, as upstream's does anyway;
without such a change it would be refused again, and convergence need not wait for that.
"""

from __future__ import annotations

from kctl.api.objects import Obj, dig, labels_of
from kctl.api.resourcelist import compare, minus, written
from kctl.client.client import WatchEvent

JUDGED_BY = frozenset(("resourcequotas", "limitranges", "namespaces"))


def eased(event: WatchEvent) -> str:
    """Return the namespace that the change gives more room, "" for none."""
    meta = event.object["metadata"]
    old, new = event.old, event.object
    if event.resource == "namespaces":
        relabelled = event.type == "MODIFIED" and old is not None and labels_of(old) != labels_of(new)
        return str(meta["name"]) if relabelled else ""
    namespace = str(meta.get("namespace") or "")
    if event.type == "DELETED":
        return namespace
    if event.type == "ADDED" or old is None:
        return ""
    if event.resource == "limitranges":
        return namespace if old.get("spec") != new.get("spec") else ""
    return namespace if _has_more_room(old, new) else ""


def _has_more_room(old: Obj, new: Obj) -> bool:
    """Say whether any resource of a quota has more left than before, or is not limited any more."""
    before, after = _left(old), _left(new)
    if dig(old, "spec", "scopeSelector") != dig(new, "spec", "scopeSelector"):
        return True
    return any(name not in after or compare(after[name], left) > 0 for name, left in before.items())


def _left(quota: Obj) -> dict[str, str]:
    hard, used = (written(dig(quota, "status", field)) for field in ("hard", "used"))
    return {name: minus(most, used.get(name, "0")) for name, most in hard.items()}
