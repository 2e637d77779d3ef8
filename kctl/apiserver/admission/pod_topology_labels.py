"""PodTopologyLabels: a pod on a node carries its node's zone and region.

In: a pod that is created with a node. Out: the labels of that node on it; nothing when there is no such node.
For a Binding the same is done where bindings are (:func:`kctl.apiserver.binding.topology`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.objects import Obj, labels_of
from kctl.apiserver.binding import topology
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer


def admit(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> Obj:
    """Copy the labels of the node a new pod names."""
    node = (obj.get("spec") or {}).get("nodeName")
    if old is not None or not node or request.kind.resource != "pods" or request.subresource:
        return obj
    found = topology(server, node)
    if not found:
        return obj
    return {**obj, "metadata": {**obj["metadata"], "labels": {**labels_of(obj), **found}}}
