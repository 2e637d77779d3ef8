"""Claims of pods that are only tried: as resourceclaim-controller would make them, taken as the scheduler would take them.

In: a pod that exists in thought only, and the scheduler's picture of a cluster. Out: the pod with its claims in that
picture; once it has its node there, its devices are no longer free.
"""

from __future__ import annotations

from kctl.api import names
from kctl.api.deviceclaims import TEMPLATES, claim_of
from kctl.api.objects import Key, Obj, evolve, key_of, owner_reference
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.podinfo import PodInfo


def with_claims(cluster: Cluster, pod: Obj) -> Obj:
    """Return the pod with a claim for each template it names; one whose template is not there still waits for it."""
    made: list[Obj] = []
    for entry in pod["spec"].get("resourceClaims") or ():
        named = claim_of(pod, entry)
        if named.name or not named.problem:
            continue
        namespace = key_of(pod).namespace
        template = cluster.caches[TEMPLATES].get(Key(namespace, entry.get("resourceClaimTemplateName") or ""))
        if template is None:
            continue
        name = f"{pod['metadata']['name']}-{entry['name']}"
        uid = names.uid("tried", namespace, name)
        owner = owner_reference({"apiVersion": "v1", "kind": "Pod", "metadata": pod["metadata"]})
        metadata = {"name": name, "namespace": namespace, "uid": uid, "ownerReferences": [owner]}
        cluster.devices.assume({"metadata": metadata, "spec": template["spec"]["spec"], "status": {}})
        made.append({"name": entry["name"], "resourceClaimName": name})
    return evolve(pod, {"status": {"resourceClaimStatuses": made}}) if made else pod


def take(cluster: Cluster, pod: PodInfo, node: str) -> None:
    """Count the devices that a pod gets on its node as taken."""
    from kctl.scheduler.plugins.dynamic_resources import claims_of
    from kctl.scheduler.plugins.dynamic_resources_binding import promise

    place, claims = cluster.node(node), claims_of(pod, cluster)
    found = promise(cluster, pod, place, claims) if place is not None and isinstance(claims, list) else None
    if found is not None:
        found.suppose()


def asks_for_devices(pod: Obj) -> bool:
    """Say whether a pod may want devices: by claims, or by an extended resource."""
    return bool(pod["spec"].get("resourceClaims")) or bool(PodInfo(pod).requests.scalar)
