"""NodeRestriction: what a kubelet may change is its own node, its pods' statuses, and mirror pods it makes itself.

As plugin/pkg/admission/noderestriction; off by default, as upstream (kubeadm turns it on). The kubelets that are simulated here
share one user for all nodes and are not asked. Not here: what tokens a kubelet may ask for, and evictions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import forbidden, not_found
from kctl.api.objects import Key, Obj, dig
from kctl.api.staticpods import MIRROR, references
from kctl.apiserver.request import Request, shown_name

if TYPE_CHECKING:
    from kctl.api.errors import StatusError
    from kctl.apiserver.server import APIServer

PREFIX, NODES, SIMULATED = "system:node:", "system:nodes", "system:node:simulated"
LEASES = "kube-node-lease"
RESTRICTED = "node-restriction.kubernetes.io"
KUBELET_LABELS = frozenset(
    {
        *("kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch"),
        *("topology.kubernetes.io/zone", "topology.kubernetes.io/region", "node.kubernetes.io/instance-type"),
        *("failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"),
        *("beta.kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type"),
    }
)
KUBELET_NAMESPACES = ("kubelet.kubernetes.io", "node.kubernetes.io")


def validate(server: APIServer, request: Request, obj: Obj | None, old: Obj | None) -> None:
    """Refuse what is not a kubelet's; ``obj`` is None for a deletion."""
    user = request.user
    if not user.name.startswith(PREFIX) or NODES not in user.groups or user.name == SIMULATED:
        return
    node = user.name[len(PREFIX) :]
    match request.kind.resource:
        case "pods":
            _pod(server, request, node, obj, old)
        case "nodes":
            _node(request, node, obj, old)
        case "persistentvolumeclaims":
            _claim(request, node, obj, old)
        case "leases.coordination.k8s.io":
            if request.namespace != LEASES:
                raise _refused(request, obj, f'can only access leases in the "{LEASES}" system namespace')
            _of_its_name(request, node, obj, "node lease", "the requesting node")
        case "csinodes.storage.k8s.io":
            _of_its_name(request, node, obj, "CSINode", "the requesting node")


def _refused(request: Request, obj: Obj | None, why: str) -> StatusError:
    name = request.name or (shown_name(obj) if obj is not None else "")
    return forbidden(request.kind.resource, name, why)


def _of_its_name(request: Request, node: str, obj: Obj | None, what: str, whose: str) -> None:
    name = request.name or (obj or {}).get("metadata", {}).get("name")
    if name != node:
        raise _refused(request, obj, f"can only access {what} with the same name as {whose}")


def _pod(server: APIServer, request: Request, node: str, obj: Obj | None, old: Obj | None) -> None:
    if obj is None:
        if old is not None and dig(old, "spec", "nodeName") != node:
            raise _refused(request, old, f'node "{node}" can only delete pods with spec.nodeName set to itself')
    elif old is None:
        why = _why_no_mirror(server, node, obj)
        if why:
            raise _refused(request, obj, why)
    elif request.subresource == "status":
        _pod_status(request, node, obj, old)
    elif request.subresource:
        why = f"unexpected pod subresource \"{request.subresource}\", only 'status' and 'eviction' are allowed"
        raise _refused(request, obj, why)
    else:
        why = f'unexpected operation "UPDATE", node "{node}" can only create and delete mirror pods'
        raise _refused(request, obj, why)


def _why_no_mirror(server: APIServer, node: str, pod: Obj) -> str:
    """Say why a kubelet may not create the pod, "" when it may (admitPodCreate)."""
    meta = pod["metadata"]
    if MIRROR not in (meta.get("annotations") or {}):
        return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
    if dig(pod, "spec", "nodeName") != node:
        return f'node "{node}" can only create pods with spec.nodeName set to itself'
    owners = meta.get("ownerReferences") or []
    if len(owners) > 1:
        return f'node "{node}" can only create pods with a single owner reference set to itself'
    owner = owners[0] if owners else {}
    if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
        return f'node "{node}" can only create pods with an owner reference set to itself'
    if not owner.get("controller"):
        return f'node "{node}" can only create pods with a controller owner reference set to itself'
    if owner.get("blockOwnerDeletion"):
        return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    found = server.storage.get("nodes", Key("", node))
    if found is None:
        raise not_found("nodes", node)
    if owner.get("uid") != found["metadata"]["uid"]:
        return f"node {node} UID mismatch: expected {owner.get('uid')} got {found['metadata']['uid']}"
    what = next((what for _, what in references(pod)), "")
    return f'node "{node}" can not create pods that reference {what}' if what else ""


def _pod_status(request: Request, node: str, obj: Obj, old: Obj) -> None:
    if dig(old, "spec", "nodeName") != node:
        whose = "for pods with spec.nodeName set to itself"
        raise _refused(request, obj, f'node "{node}" can only update pod status {whose}')
    if (obj["metadata"].get("labels") or {}) != (old["metadata"].get("labels") or {}):
        raise _refused(request, obj, f'node "{node}" cannot update labels through pod status')
    claims = [dig(one, "status", "resourceClaimStatuses") or [] for one in (obj, old)]
    if claims[0] != claims[1]:
        raise _refused(request, obj, f'node "{node}" cannot update resource claim statues')


def _node(request: Request, node: str, obj: Obj | None, old: Obj | None) -> None:
    name = request.name or (obj or {}).get("metadata", {}).get("name")
    if name != node:
        raise _refused(request, obj, f'node "{node}" is not allowed to modify node "{name}"')
    if obj is None:
        return
    if old is not None and (dig(obj, "spec", "taints") or []) != (dig(old, "spec", "taints") or []):
        raise _refused(request, obj, f'node "{node}" is not allowed to modify taints')
    labels = [dict(one["metadata"].get("labels") or {}) if one else {} for one in (obj, old)]
    changed = {key for key in {*labels[0], *labels[1]} if labels[0].get(key) != labels[1].get(key)}
    wrong = ", ".join(sorted(key for key in changed if not may_set(key)))
    if wrong and old is None:
        raise _refused(request, obj, f'node "{node}" is not allowed to set the following labels: {wrong}')
    if wrong:
        raise _refused(request, obj, f"is not allowed to modify labels: {wrong}")


def may_set(label: str) -> bool:
    """Say whether a kubelet may set the label of its node, as getForbiddenLabels."""
    namespace = label.rpartition("/")[0]
    if namespace == RESTRICTED or namespace.endswith(f".{RESTRICTED}"):
        return False
    is_kubernetes = namespace.endswith((".kubernetes.io", ".k8s.io")) or namespace in ("kubernetes.io", "k8s.io")
    if not is_kubernetes or label in KUBELET_LABELS:
        return True
    return any(namespace == known or namespace.endswith(f".{known}") for known in KUBELET_NAMESPACES)


def _claim(request: Request, node: str, obj: Obj | None, old: Obj | None) -> None:
    if request.subresource != "status" or obj is None or old is None:
        raise _refused(request, obj or old, "may only update PVC status")
    free = ("capacity", "conditions", "allocatedResources", "allocatedResourceStatuses")
    kept = [_rest(one, free) for one in (obj, old)]
    if kept[0] != kept[1]:
        why = f'node "{node}" is not allowed to update fields other than status.capacity and status.conditions'
        raise _refused(request, obj, why)


def _rest(claim: Obj, free: tuple[str, ...]) -> Obj:
    """Return the claim without what a kubelet may say of it."""
    status = {name: value for name, value in (claim.get("status") or {}).items() if name not in free}
    meta = {n: v for n, v in claim["metadata"].items() if n not in ("resourceVersion", "managedFields")}
    return {**claim, "metadata": meta, "status": status}
