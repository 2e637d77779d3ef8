"""The Node authoriser: what a kubelet may do beside what all kubelets may.

In: a request of ``system:node:<name>`` in the group ``system:nodes``. Out: a decision with
kube-apiserver's reason (plugin/pkg/auth/authorizer/node). A kubelet reads the Secrets, ConfigMaps,
claims and volumes of the pods on its node, keeps its own Lease, CSINode, Node and ResourceSlices,
and sees its own pods; all else goes by the rules of the ClusterRole ``system:node``. Upstream
keeps a graph; here the node's pods are looked at when a kubelet asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from kctl.api import rbac
from kctl.api.objects import Key, Obj, dig
from kctl.apiserver.authz import Attributes, Decision

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

PREFIX, NODES = "system:node:", "system:nodes"
READ = ("get", "list", "watch")
KEEP = ("get", "create", "update", "patch", "delete")
NO_RELATION = "no relationship found between node '{}' and this object"
LEASES = "kube-node-lease"
REFUSED = " "
"""As the answer of a function below: no, and upstream says no more."""


def decide(server: APIServer, asked: Attributes) -> Decision:
    """Say whether the request is one of a kubelet that may do it."""
    if not asked.user.name.startswith(PREFIX) or NODES not in asked.user.groups:
        return Decision(False)
    node = asked.user.name[len(PREFIX) :]
    if not asked.path:
        own = OWN.get((asked.group, asked.resource))
        if own is not None:
            why = own(server, node, asked)
            return Decision(not why, why.strip())
    if asked.path:
        return Decision(any(rbac.allows_path(rule, asked.verb, asked.path) for rule in _rules()))
    rules = _rules_for(asked.verb, asked.group, asked.resource, asked.subresource)
    return Decision(any(rbac.allows_name(rule, asked.name) for rule in rules))


@lru_cache(1024)
def _rules_for(verb: str, group: str, resource: str, subresource: str) -> tuple[Obj, ...]:
    """Return the rules about such requests: kubelets ask the same few things thousands of times."""
    return tuple(rule for rule in _rules() if rbac.allows_resource(rule, verb, group, resource, subresource))


@cache
def _rules() -> tuple[Obj, ...]:
    from kctl.apiserver import bootstrap_rbac

    return tuple(rule for row in bootstrap_rbac.rows() if row.name == "system:node" for rule in row.rules)


def _named(server: APIServer, node: str, asked: Attributes) -> str:
    """Secrets and ConfigMaps: those that pods of the node name."""
    if asked.verb not in READ:
        return "can only read resources of this type"
    if asked.subresource:
        return "cannot read subresource"
    if not asked.namespace:
        return "can only read namespaced object of this type"
    return _related(server, node, asked)


def _single(server: APIServer, node: str, asked: Attributes) -> str:
    """Volumes, claims and attachments: those of pods of the node, one at a time."""
    if asked.resource == "persistentvolumeclaims" and asked.subresource == "status":
        return "" if asked.verb in ("update", "patch") else "can only get/update/patch this type"
    if asked.verb != "get":
        return "can only get individual resources of this type"
    if asked.subresource:
        return "cannot get subresource"
    return _related(server, node, asked)


def _related(server: APIServer, node: str, asked: Attributes) -> str:
    if not asked.name:
        return "No Object name found"
    key = Key(asked.namespace, asked.name)
    for pod in _pods(server, node):
        if any(found == (asked.resource, key) for found in _references(server, pod)):
            return ""
    return NO_RELATION.format(node)


def _pods(server: APIServer, node: str) -> Iterator[Obj]:
    for pod in server.storage.objects("pods").values():
        if dig(pod, "spec", "nodeName") == node:
            yield pod


def _references(server: APIServer, pod: Obj) -> Iterator[tuple[str, Key]]:
    """Yield what a pod needs on its node: resource and key of each."""
    namespace, spec = pod["metadata"]["namespace"], pod["spec"]
    for reference in spec.get("imagePullSecrets") or ():
        yield "secrets", Key(namespace, reference.get("name", ""))
    yield "serviceaccounts", Key(namespace, spec.get("serviceAccountName") or "default")
    for container in (
        *(spec.get("initContainers") or ()),
        *spec["containers"],
        *(spec.get("ephemeralContainers") or ()),
    ):
        for source in container.get("envFrom") or ():
            yield from _sources(namespace, source)
        for variable in container.get("env") or ():
            yield from _sources(namespace, variable.get("valueFrom") or {})
    for claim in dig(pod, "spec", "resourceClaims", default=()):
        if claim.get("resourceClaimName"):
            yield "resourceclaims", Key(namespace, claim["resourceClaimName"])
    for volume in spec.get("volumes") or ():
        yield from _of_volume(server, namespace, pod["metadata"]["name"], volume)


def _sources(namespace: str, source: Obj) -> Iterator[tuple[str, Key]]:
    for field, resource in (("secret", "secrets"), ("configMap", "configmaps")):
        for form in ("Ref", "KeyRef"):
            name = dig(source, field + form, "name")
            if name:
                yield resource, Key(namespace, name)


def _of_volume(server: APIServer, namespace: str, pod: str, volume: Obj) -> Iterator[tuple[str, Key]]:
    for source in (volume, *(dig(volume, "projected", "sources", default=()))):
        secret = dig(source, "secret", "secretName") or dig(source, "secret", "name")
        if secret:
            yield "secrets", Key(namespace, secret)
        if dig(source, "configMap", "name"):
            yield "configmaps", Key(namespace, source["configMap"]["name"])
    claim = dig(volume, "persistentVolumeClaim", "claimName")
    if volume.get("ephemeral") is not None:
        claim = f"{pod}-{volume['name']}"
    if claim:
        key = Key(namespace, claim)
        yield "persistentvolumeclaims", key
        bound = dig(server.storage.get("persistentvolumeclaims", key), "spec", "volumeName")
        if bound:
            yield "persistentvolumes", Key("", bound)


def _token(server: APIServer, node: str, asked: Attributes) -> str:
    """ServiceAccounts: tokens for those of pods of the node."""
    if asked.verb != "create" or not asked.name:
        return "can only create tokens for individual service accounts"
    if asked.subresource != "token":
        return "can only create token subresource of serviceaccount"
    return "" if not _related(server, node, asked) else NO_RELATION.format(node)


def _lease(server: APIServer, node: str, asked: Attributes) -> str:
    del server
    if asked.verb not in KEEP:
        return "can only get, create, update, patch, or delete a node lease"
    if asked.namespace != LEASES:
        return f'can only access leases in the "{LEASES}" system namespace'
    if asked.verb != "create" and asked.name != node:
        return "can only access node lease with the same name as the requesting node"
    return ""


def _csi_node(server: APIServer, node: str, asked: Attributes) -> str:
    del server
    if asked.verb not in KEEP:
        return "can only get, create, update, patch, or delete a CSINode"
    if asked.subresource:
        return "cannot authorize CSINode subresources"
    if asked.verb != "create" and asked.name != node:
        return "can only access CSINode with the same name as the requesting node"
    return ""


def _slice(server: APIServer, node: str, asked: Attributes) -> str:
    if asked.subresource:
        return "cannot authorize ResourceSlice subresources"
    if asked.verb in ("watch", "list", "deletecollection"):
        if f"nodeName={node}" in asked.field_selector.split(","):
            return ""
        return "can only list/watch/deletecollection resourceslices with nodeName field selector"
    if asked.verb == "create":
        return ""
    found = server.storage.get("resourceslices.resource.k8s.io", Key("", asked.name))
    return "" if dig(found, "spec", "nodeName") == node else NO_RELATION.format(node)


def _node(server: APIServer, node: str, asked: Attributes) -> str:
    """Nodes: its own."""
    del server
    if asked.verb in ("update", "patch") and asked.subresource in ("", "status"):
        return ""
    if asked.subresource or asked.verb not in (*READ, "create"):
        return REFUSED
    if asked.verb == "create" or asked.name == node:
        return ""
    what = f"'{asked.name}'" if asked.name else "all nodes"
    return f"node '{node}' cannot read {what}, only its own Node object"


POD_VERBS = {"": (*READ, "create", "delete"), "status": ("update", "patch"), "eviction": ("create",)}


def _pod(server: APIServer, node: str, asked: Attributes) -> str:
    """Pods: those bound to it, and whatever it reports of them."""
    if asked.verb not in POD_VERBS.get(asked.subresource, ()):
        return REFUSED
    if asked.verb not in READ or f"spec.nodeName={node}" in asked.field_selector.split(","):
        return ""
    if not asked.name:
        return "can only list/watch pods with spec.nodeName field selector"
    found = server.storage.get("pods", Key(asked.namespace, asked.name))
    return "" if dig(found, "spec", "nodeName") == node else NO_RELATION.format(node)


OWN = {
    ("", "secrets"): _named,
    ("", "configmaps"): _named,
    ("", "persistentvolumeclaims"): _single,
    ("", "persistentvolumes"): _single,
    ("resource.k8s.io", "resourceclaims"): _single,
    ("storage.k8s.io", "volumeattachments"): _single,
    ("", "serviceaccounts"): _token,
    ("coordination.k8s.io", "leases"): _lease,
    ("storage.k8s.io", "csinodes"): _csi_node,
    ("resource.k8s.io", "resourceslices"): _slice,
    ("", "nodes"): _node,
    ("", "pods"): _pod,
}
"""The resources to which kubelets have no equal access, and what decides about each."""
