"""Taints and tolerations, as the API defines them.

In: a toleration of a pod and a taint of a node. Out: whether the one covers the other. Who acts
on it (the scheduler, taint eviction, the reports) decides what follows.
"""

from __future__ import annotations

from collections.abc import Iterable

from kctl.api.objects import Obj

NO_EXECUTE = "NoExecute"


def tolerates(toleration: Obj, taint: Obj) -> bool:
    """Say whether the toleration covers the taint, as Toleration.ToleratesTaint."""
    effect = toleration.get("effect")
    if effect and effect != taint.get("effect"):
        return False
    key = toleration.get("key")
    if key and key != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Equal":
        return (toleration.get("value") or "") == (taint.get("value") or "")
    return bool(operator == "Exists")


def first_match(taint: Obj, tolerations: Iterable[Obj]) -> Obj | None:
    """Return the toleration that counts for the taint, the first, as GetMatchingTolerations."""
    return next((toleration for toleration in tolerations if tolerates(toleration, taint)), None)


def no_execute(node: Obj | None) -> list[Obj]:
    """Return the node's NoExecute taints."""
    spec = (node or {}).get("spec") or {}
    return [taint for taint in spec.get("taints") or () if taint.get("effect") == NO_EXECUTE]
