"""How many pods the owner of a pod is asked for, whatever kind it is.

In: who controls pods. Out: whose scale counts and its size, as the finders of the disruption
controller: a ReplicaSet's Deployment, the ReplicaSet, ReplicationController or StatefulSet itself,
and for other kinds the scale that their definition points to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kctl.api.objects import Key, Obj, controller_of, dig
from kctl.api.registry import builtin
from kctl.client.cache import Caches, by_controller
from kctl.controllers.disruption_pods import Owner

DEPLOYMENTS = "deployments.apps"
REPLICASETS = "replicasets.apps"
CRDS = "customresourcedefinitions.apiextensions.k8s.io"
BUILT_IN = {
    ("v1", "ReplicationController"): "replicationcontrollers",
    ("apps/v1", "ReplicaSet"): REPLICASETS,
    ("apps/v1", "StatefulSet"): "statefulsets.apps",
    ("apps/v1", "Deployment"): DEPLOYMENTS,
}
OWNERS_OF_PODS = tuple(BUILT_IN.values())


class Scale(NamedTuple):
    """Whose scale it is, and how large."""

    uid: str
    replicas: int


class ScaleError(Exception):
    """Nobody's scale counts for pods of this owner."""


def scales(caches: Caches, namespace: str) -> Callable[[Owner], Scale]:
    """Return what finds the scale of an owner in a namespace; it raises ScaleError."""

    def find(owner: Owner) -> Scale:
        resource = BUILT_IN.get((owner.version, owner.kind))
        if resource is not None:
            obj = caches[resource].get(Key(namespace, owner.name))
            found = _scale_of(caches, namespace, obj) if obj is not None else None
        else:
            obj, path = _custom(caches, namespace, owner)
            found = Scale(owner.uid, int(dig(obj, *path, default=0) or 0)) if obj is not None else None
        if obj is None or obj["metadata"]["uid"] != owner.uid or found is None:
            raise ScaleError(f'found no controllers for pod "{_a_pod(caches, owner)}"')
        return found

    return find


def _scale_of(caches: Caches, namespace: str, obj: Obj) -> Scale:
    """Return the scale of an object, of its Deployment when it is a ReplicaSet that has one."""
    above = controller_of(obj) if obj["kind"] == "ReplicaSet" else None
    if above is not None and above["kind"] == "Deployment":
        deployment = caches[DEPLOYMENTS].get(Key(namespace, above["name"]))
        if deployment is not None and deployment["metadata"]["uid"] == above["uid"]:
            return _plain(deployment)
    return _plain(obj)


def _plain(obj: Obj) -> Scale:
    replicas = obj["spec"].get("replicas")
    return Scale(obj["metadata"]["uid"], 1 if replicas is None else int(replicas))


def _custom(caches: Caches, namespace: str, owner: Owner) -> tuple[Obj | None, tuple[str, ...]]:
    """Return an object of another kind and where its scale stands, as getScaleController."""
    group, _, version = owner.version.rpartition("/")
    kind = builtin().by_kind(owner.version, owner.kind)
    if kind is not None:
        raise ScaleError(f"{kind.resource} does not implement the scale subresource")
    for crd in caches[CRDS].all():
        spec = crd["spec"]
        served = next((one for one in spec["versions"] if one["name"] == version and one.get("served")), None)
        if spec["group"] != group or spec["names"]["kind"] != owner.kind or served is None:
            continue
        path = dig(served, "subresources", "scale", "specReplicasPath")
        resource = f"{spec['names']['plural']}.{group}"
        if not path:
            raise ScaleError(f"{resource} does not implement the scale subresource")
        return caches[resource].get(Key(namespace, owner.name)), tuple(str(path).removeprefix(".").split("."))
    raise ScaleError(f'no matches for kind "{owner.kind}" in version "{owner.version}"')


def _a_pod(caches: Caches, owner: Owner) -> str:
    """Return the name of a pod of the owner."""
    pods = by_controller(caches["pods"]).get(owner.uid)
    return str(pods[0]["metadata"]["name"]) if pods else ""
