"""What would mend a blocker that is no matter of nodes: an object to create, a quota to raise; each tried in a fork.

In: an entry of the third layer with its leaf, and the plane. Out: remedies in the form of those for pods that fit nowhere
(:mod:`kctl.plane.placing`): a text, a cost and what to apply. What is created for a missing object holds
placeholders where only a person knows the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from kctl.api import quantity
from kctl.api import volumes as vol
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, dig, printed_name
from kctl.plan import residual

if TYPE_CHECKING:
    from kctl.plane.plane import ControlPlane

PLACEHOLDER = "placeholder"
SIZE = "1Gi"
MOST_TRIED = 4
MOST_PODS = 2000
"""In a cluster of more pods a fork would take longer than anybody waits for an answer."""
NUMBERS = re.compile(r"(?P<word>requested|used|limited): (?P<list>[^:]+?)(?=, (?:used|limited): |$)")


def remedies(plane: ControlPlane, entry: Obj) -> list[Obj]:
    """Return what lifts the blocker, tried; empty when nothing is known that does."""
    from kctl.plane.forks import forked

    if len(plane.client.list("pods").items) > MOST_PODS:
        return []
    found = []
    for text, cost, step in list(_candidates(plane, entry))[:MOST_TRIED]:
        with forked(plane) as image:
            left = _after(image, entry, step)
        if left is not None:
            rest = f"; then {left}" if left else ""
            found.append(
                {
                    "text": f"goes on if {text}{rest}",
                    "cost": cost,
                    "nodes": [],
                    "evicts": [],
                    "object": entry["owner"],
                    "apply": [step],
                }
            )
    return found


def _after(image: ControlPlane, entry: Obj, step: Obj) -> str | None:
    """Return what blocks the owner once the step was taken ("" for nothing), None when the step did not help."""
    try:
        if "create" in step:
            image.client.create(step["resource"], step["create"])
        else:
            key = Key(step["namespace"], step["name"])
            image.client.patch(step["resource"], key, step["patch"], type="json", subresource=step["subresource"])
        image.run()
    except StatusError:
        return None
    own = [
        blocker
        for blocker in residual.blockers(image.client)
        if (blocker.namespace, blocker.owner) == (entry["namespace"], entry["owner"])
    ]
    if any((blocker.reason, blocker.message) == (entry["reason"], entry["message"]) for blocker in own):
        return None
    return "; ".join(f"{blocker.reason}: {blocker.message}" for blocker in own)


def _candidates(plane: ControlPlane, entry: Obj) -> Iterator[tuple[str, float, Obj]]:
    """Yield what may lift the blocker: in words, what it costs, what to apply."""
    kind, name = entry["leaf"]["kind"], entry["leaf"]["object"].rpartition("/")[2]
    namespace = entry["namespace"]
    if not name:
        return
    match kind:
        case "secret" | "configmap":
            resource = "secrets" if kind == "secret" else "configmaps"
            keys = _keys(plane, entry, kind, name)
            listed = f" with the {'key' if len(keys) == 1 else 'keys'} {', '.join(keys)}" if keys else ""
            word = "Secret" if kind == "secret" else "ConfigMap"
            obj = _made(
                "v1",
                word,
                name,
                namespace,
                {"stringData" if kind == "secret" else "data": dict.fromkeys(keys, PLACEHOLDER)},
            )
            yield f"there is a {word} {name}{listed}", 3, _create(resource, obj)
        case "serviceaccount":
            obj = _made("v1", "ServiceAccount", name, namespace, {})
            yield f"there is a ServiceAccount {name}", 2, _create("serviceaccounts", obj)
        case "priorityclass":
            obj = _made("scheduling.k8s.io/v1", "PriorityClass", name, "", {"value": 0})
            yield f"there is a PriorityClass {name}", 2, _create("priorityclasses.scheduling.k8s.io", obj)
        case "storageclass":
            fields = {"provisioner": vol.LOCAL_DRIVER, "volumeBindingMode": "WaitForFirstConsumer"}
            obj = _made("storage.k8s.io/v1", "StorageClass", name, "", fields)
            yield f"there is a StorageClass {name}", 3, _create("storageclasses.storage.k8s.io", obj)
        case "volume":
            yield from _volume(plane, namespace, name)
        case "quota":
            yield from _quota(plane, entry, name)
        case "finalizer":
            yield from _finalizers(plane, entry)


def _made(api_version: str, kind: str, name: str, namespace: str, fields: Mapping[str, object]) -> Obj:
    meta = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **{k: v for k, v in fields.items() if v != {}}}


def _create(resource: str, obj: Obj) -> Obj:
    meta = obj["metadata"]
    return {"resource": resource, "namespace": meta.get("namespace", ""), "name": meta["name"], "create": obj}


def _keys(plane: ControlPlane, entry: Obj, kind: str, name: str) -> list[str]:
    """Return the keys that the blocked pod uses of a Secret or ConfigMap."""
    try:
        pod = plane.client.get("pods", entry["namespace"], entry["object"].removeprefix("pod/"))
    except StatusError:
        return []
    spec, field = pod["spec"], {"secret": "secretKeyRef", "configmap": "configMapKeyRef"}[kind]
    found: dict[str, None] = {}
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for variable in container.get("env") or ():
            ref = dig(variable, "valueFrom", field, default={})
            if ref.get("name") == name:
                found[ref.get("key", "")] = None
    for volume in spec.get("volumes") or ():
        sources = [volume, *(dig(volume, "projected", "sources", default=()))]
        for source in sources:
            held = source.get("secret" if kind == "secret" else "configMap") or {}
            if name in (held.get("secretName"), held.get("name")):
                found |= dict.fromkeys(item.get("key", "") for item in held.get("items") or ())
    return sorted(found)


def _volume(plane: ControlPlane, namespace: str, name: str) -> Iterator[tuple[str, float, Obj]]:
    """Yield a claim where there is none, else a volume that it fits."""
    try:
        claim = plane.client.get("persistentvolumeclaims", namespace, name)
    except StatusError:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": SIZE}}}
        obj = _made("v1", "PersistentVolumeClaim", name, namespace, {"spec": spec})
        yield f"there is a PersistentVolumeClaim {name}", 3, _create("persistentvolumeclaims", obj)
        return
    size = dig(claim, "spec", "resources", "requests", "storage", default=SIZE)
    spec = {
        "capacity": {"storage": size},
        "accessModes": claim["spec"].get("accessModes") or ["ReadWriteOnce"],
        "hostPath": {"path": f"/mnt/{name}"},
        "storageClassName": claim["spec"].get("storageClassName") or "",
    }
    obj = _made("v1", "PersistentVolume", f"for-{name}", "", {"spec": spec})
    yield f"there is a PersistentVolume of {size} for claim {name}", 4, _create("persistentvolumes", obj)


def _quota(plane: ControlPlane, entry: Obj, name: str) -> Iterator[tuple[str, float, Obj]]:
    """Yield the raising of a quota to what is used and, once for each pod that is missing, asked for."""
    told = {found["word"]: _amounts(found["list"]) for found in NUMBERS.finditer(entry["message"])}
    asked, used = told.get("requested", {}), told.get("used", {})
    if not asked or not asked.keys() <= used.keys():
        return
    missing = _missing(plane, entry)
    hard = {
        resource: quantity.format(
            quantity.parse(used[resource]) + missing * Fraction(quantity.parse(amount)), like=amount
        )
        for resource, amount in asked.items()
    }
    patch = [
        {"op": "add", "path": f"/spec/hard/{resource.replace('~', '~0').replace('/', '~1')}", "value": value}
        for resource, value in sorted(hard.items())
    ]
    listed = ", ".join(f"{resource}={value}" for resource, value in sorted(hard.items()))
    step = {
        "resource": "resourcequotas",
        "namespace": entry["namespace"],
        "name": name,
        "subresource": "",
        "patch": patch,
        "recreate": False,
    }
    yield f"{printed_name('ResourceQuota', '', name)} allows {listed}", 4, step


def _finalizers(plane: ControlPlane, entry: Obj) -> Iterator[tuple[str, float, Obj]]:
    """Yield the taking off of finalizers that no part of Kubernetes would take off itself."""
    word, _, name = entry["object"].partition("/")
    kind = plane.server.registry.find(word)
    if kind is None:
        return
    try:
        obj = plane.client.get(kind.resource, entry["namespace"] if kind.namespaced else "", name)
    except StatusError:
        return
    found = obj["metadata"].get("finalizers") or []
    kept = [finalizer for finalizer in found if finalizer.startswith(OURS) or "/" not in finalizer]
    foreign = [finalizer for finalizer in found if finalizer not in kept]
    if not foreign:
        return
    step = {
        "resource": kind.resource,
        "namespace": entry["namespace"] if kind.namespaced else "",
        "name": name,
        "subresource": "",
        "patch": [{"op": "replace", "path": "/metadata/finalizers", "value": kept}],
        "recreate": False,
    }
    yield f"{entry['object']} has not the finalizer {', '.join(foreign)}, which nobody here takes off", 4, step


OURS = ("kubernetes.io/", "batch.kubernetes.io/", "service.kubernetes.io/", "external-attacher/")
"""Finalizers that controllers take off when it is time."""


def _amounts(text: str) -> dict[str, str]:
    """Read ``pods=1,requests.cpu=2``."""
    pairs = (part.strip().partition("=") for part in text.split(","))
    return {name: value for name, sign, value in pairs if sign}


def _missing(plane: ControlPlane, entry: Obj) -> int:
    """Return how many pods the blocked workload still lacks, at least one."""
    kind, _, name = entry["object"].partition("/")
    resource = {"replicaset.apps": "replicasets.apps", "statefulset.apps": "statefulsets.apps"}.get(kind)
    if resource is None:
        return 1
    try:
        obj = plane.client.get(resource, entry["namespace"], name)
    except StatusError:
        return 1
    lacking: int = dig(obj, "spec", "replicas", default=1) - dig(obj, "status", "replicas", default=0)
    return max(1, lacking)
