"""Pods that upstream would take off their node, and that stay here.

The taint eviction controller is not simulated: a pod on a node with a NoExecute taint that it does
not tolerate for ever is no longer what a cluster would show, and the reports say so. So they do of
a pod whose node does not exist, as long as the pod garbage collector has not come to it.
"""

from __future__ import annotations

from collections.abc import Mapping

from kctl.api.objects import Obj, dig
from kctl.plan.health import Health


def displaced(pod: Obj, nodes: Mapping[str, Obj]) -> Health | None:
    """Say why upstream would remove the pod from its node; None when it would not."""
    name = dig(pod, "spec", "nodeName")
    if not name or dig(pod, "status", "phase") in ("Succeeded", "Failed"):
        return None
    node = nodes.get(name)
    if node is None:
        return Health("Failed", "NodeGone", f'node "{name}" does not exist')
    for taint in dig(node, "spec", "taints", default=()):
        if taint.get("effect") == "NoExecute" and not _is_tolerated(taint, dig(pod, "spec", "tolerations", default=())):
            text = f"{taint.get('key', '')}={taint.get('value', '')}".removesuffix("=")
            why = f'node "{name}" has the NoExecute taint {text}; taint eviction, which would delete the pod, is not simulated'
            return Health("Failed", "NodeTainted", why)
    return None


def _is_tolerated(taint: Obj, tolerations: list[Obj]) -> bool:
    """Say whether the taint is tolerated for ever, as v1.Toleration.ToleratesTaint."""
    return any(
        toleration.get("tolerationSeconds") is None
        and toleration.get("effect") in (None, "", "NoExecute")
        and toleration.get("key") in (None, "", taint.get("key"))
        and (
            toleration.get("operator") == "Exists"
            or (bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or ""))
        )
        for toleration in tolerations or ()
    )
