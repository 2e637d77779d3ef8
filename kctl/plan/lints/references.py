"""References to what is not there: neither in the set nor in the cluster.

What is marked as optional is not missed, nor what an operator may bring (a custom resource of the set names it).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kctl.api.objects import Obj, annotations_of, dig
from kctl.plan.lints.world import WORKLOADS, Finding, Item, Template, World, items, template_of

CONFIG_MAPS, SECRETS, CLAIMS = "configmaps", "secrets", "persistentvolumeclaims"
CLASSES = "storageclasses.storage.k8s.io"
DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
WORDS = {
    CONFIG_MAPS: "ConfigMap",
    SECRETS: "Secret",
    CLAIMS: "PersistentVolumeClaim",
    "serviceaccounts": "ServiceAccount",
    "priorityclasses.scheduling.k8s.io": "PriorityClass",
    "runtimeclasses.node.k8s.io": "RuntimeClass",
    CLASSES: "StorageClass",
    "services": "Service",
    "ingressclasses.networking.k8s.io": "IngressClass",
    "roles.rbac.authorization.k8s.io": "Role",
    "clusterroles.rbac.authorization.k8s.io": "ClusterRole",
}
CLUSTER_ROLES = "clusterroles.rbac.authorization.k8s.io"
ROLES = (CLUSTER_ROLES, "roles.rbac.authorization.k8s.io")
MADE = {("serviceaccounts", "default"), (CONFIG_MAPS, "kube-root-ca.crt")}
"""What every namespace gets from controllers."""


class Need(NamedTuple):
    """Something that is named at a path, and what keys of it are used."""

    resource: str
    name: str
    path: str
    key: str = ""
    optional: bool = False


def missing(world: World) -> Iterator[Finding]:
    """Yield what is named and not there. Where there is no RBAC, no role is missed."""
    for item in [item for resource in (*WORKLOADS, *OTHERS) for item in world.own(resource)]:
        namespace = item.key.namespace
        seen: set[tuple[str, str]] = set()
        for need in needs(item):
            what = (need.resource, need.name)
            if need.optional or what in seen or what in MADE:
                continue
            if need.resource in ROLES and world.get(CLUSTER_ROLES, "", "cluster-admin") is None:
                continue
            seen.add(what)
            if what == (CLASSES, "standard") and _brings_storage(world):
                continue
            scope = namespace if need.resource in NAMESPACED else ""
            if world.get(need.resource, scope, need.name) is None and not world.is_provided(namespace, need.name):
                word = WORDS[need.resource]
                message = f'{word} "{need.name}" is neither in the cluster nor in these files'
                yield item.finding(f"missing-{word.lower()}", need.path, message)
        if item.resource == CLAIMS and _lacks_default(world, item):
            yield item.finding("no-default-storageclass", "spec", "it names no StorageClass, and none is the default")


NAMESPACED = frozenset({CONFIG_MAPS, SECRETS, CLAIMS, "serviceaccounts", "services", "roles.rbac.authorization.k8s.io"})


def keys(world: World) -> Iterator[Finding]:
    """Yield keys that are used of a ConfigMap or Secret of the set, which has no such key."""
    for item in [item for resource in WORKLOADS for item in world.own(resource)]:
        for need in needs(item):
            if not need.key or need.optional or need.resource not in (CONFIG_MAPS, SECRETS):
                continue
            found = world.get(need.resource, item.key.namespace, need.name)
            if found is None or found.target is None:
                continue  # what is in the cluster changes by other hands
            has = {key for field in ("data", "binaryData", "stringData") for key in found.obj.get(field) or {}}
            if need.key not in has:
                message = f'{WORDS[need.resource]} "{need.name}" has no key "{need.key}"'
                yield item.finding("missing-key", need.path, message)


def needs(item: Item) -> Iterator[Need]:
    """Yield what an object names."""
    template = template_of(item)
    if template is not None:
        yield from _of_pod(template)
    reader = OTHERS.get(item.resource)
    if reader is not None:
        for need in reader(item):
            if isinstance(need.name, str) and need.name:
                yield need


def _of_pod(template: Template) -> Iterator[Need]:
    spec, path = template.spec, template.path
    for field, resource in (
        ("serviceAccountName", "serviceaccounts"),
        ("priorityClassName", "priorityclasses.scheduling.k8s.io"),
        ("runtimeClassName", "runtimeclasses.node.k8s.io"),
    ):
        name = spec.get(field)
        if isinstance(name, str) and name:
            yield Need(resource, name, f"{path}.{field}")
    for n, volume in enumerate(items(spec, "volumes")):
        where = f"{path}.volumes[{n}]"
        yield from _of_source(volume, where)
        for m, source in enumerate(items(volume.get("projected"), "sources")):
            yield from _of_source(source, f"{where}.projected.sources[{m}]")
    for field in ("initContainers", "containers"):
        for n, container in enumerate(items(spec, field)):
            yield from _of_container(container, f"{path}.{field}[{n}]")


def _of_source(source: Obj, path: str) -> Iterator[Need]:
    for field, resource, names in (
        ("configMap", CONFIG_MAPS, ("name",)),
        ("secret", SECRETS, ("secretName", "name")),
        ("persistentVolumeClaim", CLAIMS, ("claimName",)),
    ):
        found = source.get(field)
        if not isinstance(found, dict):
            continue
        name = next((found[n] for n in names if isinstance(found.get(n), str) and found[n]), "")
        if not name:
            continue
        optional = bool(found.get("optional"))
        yield Need(resource, name, f"{path}.{field}", "", optional)
        for item in items(found, "items"):
            if isinstance(item.get("key"), str):
                yield Need(resource, name, f"{path}.{field}.items", item["key"], optional)


def _of_container(container: Obj, path: str) -> Iterator[Need]:
    for n, source in enumerate(items(container, "envFrom")):
        for field, resource in (("configMapRef", CONFIG_MAPS), ("secretRef", SECRETS)):
            name = dig(source, field, "name")
            if isinstance(name, str) and name:
                yield Need(resource, name, f"{path}.envFrom[{n}].{field}", "", bool(dig(source, field, "optional")))
    for n, variable in enumerate(items(container, "env")):
        for field, resource in (("configMapKeyRef", CONFIG_MAPS), ("secretKeyRef", SECRETS)):
            ref = dig(variable, "valueFrom", field)
            if isinstance(ref, dict) and isinstance(ref.get("name"), str) and ref["name"]:
                key = ref.get("key") if isinstance(ref.get("key"), str) else ""
                optional = bool(ref.get("optional"))
                yield Need(resource, ref["name"], f"{path}.env[{n}].valueFrom.{field}", key or "", optional)


def _of_claim(item: Item) -> Iterator[Need]:
    name = dig(item.obj, "spec", "storageClassName")
    if not dig(item.obj, "spec", "volumeName"):
        yield Need(CLASSES, name, "spec.storageClassName")


def _of_stateful_set(item: Item) -> Iterator[Need]:
    yield Need("services", dig(item.obj, "spec", "serviceName"), "spec.serviceName")
    for n, claim in enumerate(items(item.obj.get("spec"), "volumeClaimTemplates")):
        name = dig(claim, "spec", "storageClassName")
        yield Need(CLASSES, name, f"spec.volumeClaimTemplates[{n}].spec.storageClassName")


def _of_ingress(item: Item) -> Iterator[Need]:
    yield Need("ingressclasses.networking.k8s.io", dig(item.obj, "spec", "ingressClassName"), "spec.ingressClassName")
    for backend, path in backends(item):
        yield Need("services", dig(backend, "service", "name"), f"{path}.service.name")
    if any(name.startswith("cert-manager.io/") for name in annotations_of(item.obj)):
        return  # cert-manager brings the Secret
    for n, tls in enumerate(items(item.obj.get("spec"), "tls")):
        yield Need(SECRETS, tls.get("secretName") or "", f"spec.tls[{n}].secretName")


def _of_secret(item: Item) -> Iterator[Need]:
    if item.obj.get("type") == "kubernetes.io/service-account-token":
        name = "kubernetes.io/service-account.name"
        yield Need("serviceaccounts", annotations_of(item.obj).get(name, ""), f"metadata.annotations.{name}")


def _of_binding(item: Item) -> Iterator[Need]:
    kind = dig(item.obj, "roleRef", "kind")
    resource = {"Role": "roles", "ClusterRole": "clusterroles"}.get(str(kind))
    if resource:
        yield Need(f"{resource}.rbac.authorization.k8s.io", dig(item.obj, "roleRef", "name"), "roleRef.name")


OTHERS = {
    SECRETS: _of_secret,
    CLAIMS: _of_claim,
    "statefulsets.apps": _of_stateful_set,
    "ingresses.networking.k8s.io": _of_ingress,
    "rolebindings.rbac.authorization.k8s.io": _of_binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _of_binding,
}


def _brings_storage(world: World) -> bool:
    """Say whether there are machines of the local cloud, with which its storage classes come."""
    return any(dig(found.obj, "spec", "provider") == "local" for found in world.all("instances.cloud.kctl.dev"))


def _lacks_default(world: World, item: Item) -> bool:
    """Say whether a claim waits for a default class that does not exist, and no volume is there to be bound."""
    if dig(item.obj, "spec", "storageClassName") is not None or dig(item.obj, "spec", "volumeName"):
        return False
    if any(annotations_of(found.obj).get(name) == "true" for found in world.all(CLASSES) for name in DEFAULT_CLASS):
        return False
    return not world.all("persistentvolumes") and not _brings_storage(world)


def backends(item: Item) -> Iterator[tuple[Obj, str]]:
    """Yield the backends of an Ingress with their paths."""
    spec = item.obj.get("spec")
    default = dig(spec, "defaultBackend")
    if isinstance(default, dict):
        yield default, "spec.defaultBackend"
    for n, rule in enumerate(items(spec, "rules")):
        for m, path in enumerate(items(rule.get("http"), "paths")):
            if isinstance(path.get("backend"), dict):
                yield path["backend"], f"spec.rules[{n}].http.paths[{m}].backend"


def ingresses(world: World) -> Iterator[Finding]:
    """Yield backends whose Service has no such port."""
    for item in world.own("ingresses.networking.k8s.io"):
        for backend, path in backends(item):
            name, port = dig(backend, "service", "name"), dig(backend, "service", "port", default={})
            service = world.get("services", item.key.namespace, name) if isinstance(name, str) else None
            if service is None or not isinstance(port, dict) or dig(service.obj, "spec", "type") == "ExternalName":
                continue
            wanted = port.get("name") or port.get("number")
            field = "name" if port.get("name") else "port"
            ports = items(service.obj.get("spec"), "ports")
            if wanted is not None and all(found.get(field) != wanted for found in ports):
                message = f'Service "{name}" has no port {wanted}'
                yield item.finding("missing-service-port", f"{path}.service.port", message)
