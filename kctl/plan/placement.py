"""Pods that are about to be taken off their node.

A pod whose node does not exist, or has a NoExecute taint that it does not tolerate for ever, does
not count as running, as long as the pod garbage collector or taint eviction has not come to it:
a run that ended before, or does without these controllers, says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from kctl.api.health import Health
from kctl.api.objects import Obj, dig
from kctl.api.tolerations import first_match, no_execute


def displaced(pod: Obj, nodes: Mapping[str, Obj]) -> Health | None:
    """Say why the pod is to leave its node; None when it may stay."""
    name = dig(pod, "spec", "nodeName")
    if not name or dig(pod, "status", "phase") in ("Succeeded", "Failed"):
        return None
    node = nodes.get(name)
    if node is None:
        return Health("Failed", "NodeGone", f'node "{name}" does not exist')
    for taint in no_execute(node):
        toleration = first_match(taint, dig(pod, "spec", "tolerations", default=()))
        if toleration is None or toleration.get("tolerationSeconds") is not None:
            text = f"{taint.get('key', '')}={taint.get('value', '')}".removesuffix("=")
            return Health("Failed", "NodeTainted", f'node "{name}" has the NoExecute taint {text}')
    return None
