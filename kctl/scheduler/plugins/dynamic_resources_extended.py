"""Extended resources that a DeviceClass stands behind: the claim the scheduler makes for a pod that asks for them.

In: a pod, and a node, of which a device plugin may offer the same resource. Out: the claim as it would be on that node,
and which of its requests serves which container. It is made only when the pod is bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api import deviceclaims as dra
from kctl.api import names
from kctl.api.objects import Obj, annotations_of, owner_reference
from kctl.api.quantity import value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kctl.scheduler.cluster import Cluster
    from kctl.scheduler.nodeinfo import NodeInfo
    from kctl.scheduler.podinfo import PodInfo

LONGEST = 58
"""So long the base of a generated name is at most."""


def backed_by_devices(pod: PodInfo, cluster: Cluster, node: NodeInfo) -> dict[str, Obj]:
    """Return the pod's extended resources that a node has as devices, with their classes; not those of its plugins."""
    if not len(cluster.caches[dra.CLASSES]):
        return {}
    return {
        name: cls
        for name, amount in sorted(pod.requests.scalar.items())
        if amount and not node.allocatable_scalar.get(name) and (cls := cluster.devices.backing(name)) is not None
    }


def left_behind(pod: PodInfo, cluster: Cluster) -> Obj | None:
    """Return the claim for the pod's extended resources that an earlier attempt has made."""
    uid = pod.obj["metadata"].get("uid")
    found = cluster.caches[dra.CLAIMS].index("extended claims", _owners).get(uid)
    return next(iter(found), None)


def _owners(claim: Obj) -> Iterable[str]:
    if annotations_of(claim).get(dra.EXTENDED) != "true":
        return ()
    return tuple(ref["uid"] for ref in claim["metadata"].get("ownerReferences") or () if ref.get("controller"))


def claim_on(pod: PodInfo, cluster: Cluster, node: NodeInfo) -> tuple[Obj | None, list[Obj]]:
    """Return the claim for what a pod wants of a node's devices, None for nothing, and which request serves whom."""
    wanted = backed_by_devices(pod, cluster, node)
    if not wanted:
        return None, []
    requests: list[Obj] = []
    mappings: list[Obj] = []
    for resource, cls in wanted.items():
        asked, served = _requests(pod.spec, resource, cls["metadata"]["name"])
        requests += asked
        mappings += served
    base = f"{pod.key.name}-extended-resources-"[:LONGEST]
    uid = pod.obj["metadata"].get("uid") or str(pod.key)
    owner = {**owner_reference(pod.obj), "uid": uid}
    owner.pop("blockOwnerDeletion")
    metadata = {
        "name": base + names.suffix(uid, 0),
        "generateName": base,
        "namespace": pod.namespace,
        "annotations": {dra.EXTENDED: "true"},
        "ownerReferences": [owner],
    }
    spec = {"devices": {"requests": sorted(requests, key=lambda one: str(one["name"]))}}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": metadata, "spec": spec}, mappings


def _requests(spec: Obj, resource: str, cls: str) -> tuple[list[Obj], list[Obj]]:
    """Return the requests for one resource and whom they serve; init containers use what later ones will have."""
    first = spec.get("initContainers") or ()
    containers = [*first, *(spec.get("containers") or ())]
    is_short = [n < len(first) and one.get("restartPolicy") != "Always" for n, one in enumerate(containers)]
    lasting: dict[int, Obj] = {}
    mappings: list[Obj] = []
    for n, container in enumerate(containers):
        if not is_short[n]:
            request, served = _request(n, container, resource, cls, ())
            mappings += served
            if request is not None:
                lasting[n] = request
    passing: list[Obj] = []
    brief: list[Obj] = []
    for n, container in enumerate(containers):
        if is_short[n]:
            request, served = _request(n, container, resource, cls, [r for m, r in lasting.items() if m >= n])
            brief += served
            passing += [request] if request is not None else []
    most = max(passing, key=lambda one: int(one["exactly"]["count"]), default=None)
    known = {one["name"] for one in passing}
    brief = [{**one, "requestName": most["name"]} if most and one["requestName"] in known else one for one in brief]
    return [*([most] if most else []), *lasting.values()], [*mappings, *brief]


def _request(n: int, container: Obj, resource: str, cls: str, shared: Sequence[Obj]) -> tuple[Obj | None, list[Obj]]:
    """Return what a container asks for beyond the requests it can share, and all that serve it."""
    asked = (container.get("resources") or {}).get("requests") or {}
    amount = value(asked[resource]) if resource in asked else 0
    served: list[Obj] = []
    have = 0
    if not amount:
        return None, served

    def mapping(name: str) -> Obj:
        return {"containerName": container["name"], "resourceName": resource, "requestName": name}

    for other in shared:
        have += int(other["exactly"]["count"])
        served.append(mapping(other["name"]))
        if have >= amount:
            return None, served
    name = f"container-{n}-request-{sorted(asked).index(resource)}"
    exactly = {"deviceClassName": cls, "allocationMode": "ExactCount", "count": amount - have}
    return {"name": name, "exactly": exactly}, [*served, mapping(name)]
