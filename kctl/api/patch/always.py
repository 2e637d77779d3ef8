"""Fields that are there in every object of upstream's Go types, set or not.

A struct that is no pointer, or any field without ``omitempty``, exists from the start, so creating an
object does not add it and nobody owns it by its mere presence: an Update entry says
``f:strategy: {f:type: {}}`` without a ``.`` of its own, but ``f:labels: {.: {}, f:app: {}}``. OpenAPI
does not tell the two apart. The table is read off the answers of a running kube-apiserver, kind by
kind; ``metadata``, ``spec`` and ``status`` are such structs in every built-in kind.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from kctl.api.objects import Obj
from kctl.api.schema.node import Node

TEMPLATE = "template template.metadata template.spec template.spec.containers"

FIELDS = {
    "CSINode": "spec.drivers",
    "ClusterRole": "rules",
    "CronJob": "spec.jobTemplate spec.jobTemplate.metadata spec.jobTemplate.spec "
    + " ".join(f"spec.jobTemplate.spec.{path}" for path in TEMPLATE.split()),
    "CustomResourceDefinition": "spec.names spec.versions status.acceptedNames status.conditions status.storedVersions",
    "DaemonSet": "spec.updateStrategy",
    "Deployment": "spec.strategy",
    "EndpointSlice": "endpoints ports",
    "Event": "source eventTime firstTimestamp lastTimestamp reportingComponent reportingInstance "
    "deprecatedSource deprecatedFirstTimestamp deprecatedLastTimestamp",
    "FlowSchema": "spec.priorityLevelConfiguration",
    "HorizontalPodAutoscaler": "spec.scaleTargetRef",
    "Ingress": "status.loadBalancer",
    "NetworkPolicy": "spec.podSelector",
    "Node": "status.daemonEndpoints status.daemonEndpoints.kubeletEndpoint status.nodeInfo",
    "PersistentVolumeClaim": "spec.resources",
    "Pod": "spec.containers",
    "PodTemplate": TEMPLATE,
    "ResourceClaim": "spec.devices",
    "ResourceClaimTemplate": "spec.metadata spec.spec spec.spec.devices",
    "ResourceSlice": "spec.pool",
    "Role": "rules",
    "Service": "status.loadBalancer",
    "StatefulSet": "spec.updateStrategy spec.serviceName",
    "VolumeAttachment": "spec.source",
}
WITH_TEMPLATE = ("DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet")

BUILT_IN_GROUPS = ("", "apps", "autoscaling", "batch", "policy")


def inline_of(obj: Obj, node: Node | None = None) -> dict[str, Any]:
    """Return the tree of such fields for an object's kind; only metadata for custom resources."""
    if node is not None and node.name.startswith("custom:"):
        return CUSTOM
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    if group in BUILT_IN_GROUPS or (group.endswith(".k8s.io") and "." in group):
        return tree(str(obj.get("kind", "")))
    return CUSTOM


CUSTOM: dict[str, Any] = {"metadata": {}}


@cache
def tree(kind: str) -> dict[str, Any]:
    """Return the tree of a built-in kind."""
    out: dict[str, Any] = {"metadata": {}, "spec": {}, "status": {}}
    paths = FIELDS.get(kind, "").split()
    if kind in WITH_TEMPLATE:
        paths += [f"spec.{path}" for path in TEMPLATE.split()]
    for path in paths:
        at = out
        for name in path.split("."):
            at = at.setdefault(name, {})
    return out
