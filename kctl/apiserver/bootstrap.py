"""The objects every cluster starts with.

Made by the API server itself before anyone asks: the namespaces, the ``kubernetes`` Service
and the two system PriorityClasses. All servers with one seed, start and network share them. The range of
service addresses is there without having been written (see :meth:`kctl.apiserver.server.APIServer._given`).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network

from kctl.api import names
from kctl.api.clock import rfc3339
from kctl.api.objects import Key, Obj

MANAGER = "kube-apiserver"
RANGES = "servicecidrs.networking.k8s.io"
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
CRITICAL = {
    "system-cluster-critical": (
        2000000000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    "system-node-critical": (
        2000001000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
}

_PORT: Obj = {".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {}}
FIELDS: dict[str, Obj] = {
    "namespaces": {
        "f:metadata": {"f:labels": {".": {}, "f:kubernetes.io/metadata.name": {}}},
        "f:spec": {"f:finalizers": {}},
    },
    "priorityclasses.scheduling.k8s.io": {"f:description": {}, "f:preemptionPolicy": {}, "f:value": {}},
    "services": {
        "f:metadata": {"f:labels": {".": {}, "f:component": {}, "f:provider": {}}},
        "f:spec": {
            "f:clusterIP": {},
            "f:clusterIPs": {},
            "f:internalTrafficPolicy": {},
            "f:ipFamilies": {},
            "f:ipFamilyPolicy": {},
            "f:ports": {".": {}, 'k:{"port":443,"protocol":"TCP"}': _PORT},
            "f:sessionAffinity": {},
            "f:type": {},
        },
    },
}
"""What ``managed.updated`` says of these objects, written down: reading must not load it."""


@lru_cache(maxsize=16)
def objects(seed: int, now: float, service_cidr: str) -> tuple[tuple[str, Key, Obj], ...]:
    """Return resource, key and object of each, in the order they are created."""
    made: list[tuple[str, Obj]] = [("namespaces", _namespace(name)) for name in NAMESPACES]
    made += [("priorityclasses.scheduling.k8s.io", _priority_class(name)) for name in CRITICAL]
    made.append(("services", _kubernetes(str(IPv4Network(service_cidr)[1]))))
    out = []
    for resource, obj in made:
        meta = obj["metadata"]
        key = Key(meta.get("namespace", ""), meta["name"])
        uid = names.uid(seed, resource, key.namespace, key.name, 0)
        meta = {**meta, "uid": uid, "creationTimestamp": rfc3339(now)}
        out.append((resource, key, _owned(resource, {**obj, "metadata": meta}, now)))
    return tuple(out)


def _owned(resource: str, obj: Obj, now: float) -> Obj:
    """Return the object as the server's own write leaves it: its fields are kube-apiserver's."""
    entry = {
        "manager": MANAGER,
        "operation": "Update",
        "apiVersion": obj["apiVersion"],
        "time": rfc3339(now),
        "fieldsType": "FieldsV1",
        "fieldsV1": FIELDS[resource],
    }
    return {**obj, "metadata": {**obj["metadata"], "managedFields": [entry]}}


def _namespace(name: str) -> Obj:
    return {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _priority_class(name: str) -> Obj:
    value, description = CRITICAL[name]
    return {
        "kind": "PriorityClass",
        "apiVersion": "scheduling.k8s.io/v1",
        "metadata": {"name": name, "generation": 1},
        "value": value,
        "description": description,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _kubernetes(address: str) -> Obj:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}],
            "clusterIP": address,
            "clusterIPs": [address],
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    }


@lru_cache(maxsize=4)
def service_range(seed: int, created: str, service_cidr: str) -> dict[Key, Obj]:
    """Return the ServiceCIDR ``kubernetes`` as the API server and the service-cidr-controller leave it."""
    name = "kubernetes"
    ready = {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": created,
        "reason": "",
        "message": "Kubernetes Service CIDR is ready",
    }
    of_condition: Obj = {".": {}, "f:lastTransitionTime": {}, "f:message": {}, "f:status": {}, "f:type": {}}
    finalizer = "networking.k8s.io/service-cidr-finalizer"
    owners: tuple[tuple[str, str, Obj, Obj], ...] = (
        (MANAGER, "Update", {"f:spec": {"f:cidrs": {}}}, {}),
        (
            "kube-controller-manager",
            "Update",
            {"f:metadata": {"f:finalizers": {".": {}, f'v:"{finalizer}"': {}}}},
            {},
        ),
        (
            "service-cidr-controller",
            "Apply",
            {"f:status": {"f:conditions": {'k:{"type":"Ready"}': of_condition}}},
            {"subresource": "status"},
        ),
    )
    fields = [
        {
            "manager": manager,
            "operation": operation,
            "apiVersion": "networking.k8s.io/v1",
            "time": created,
            "fieldsType": "FieldsV1",
            "fieldsV1": owned,
            **more,
        }
        for manager, operation, owned, more in owners
    ]
    return {
        Key("", name): {
            "kind": "ServiceCIDR",
            "apiVersion": "networking.k8s.io/v1",
            "metadata": {
                "name": name,
                "uid": names.uid(seed, RANGES, "", name, 0),
                "resourceVersion": "1",
                "generation": 1,
                "creationTimestamp": created,
                "finalizers": [finalizer],
                "managedFields": fields,
            },
            "spec": {"cidrs": [service_cidr]},
            "status": {"conditions": [ready]},
        }
    }
