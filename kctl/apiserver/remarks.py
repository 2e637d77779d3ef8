"""What the API server remarks about objects it accepts.

As the strategies' WarningsOnCreate and WarningsOnUpdate: deprecated kinds and fields, values that
are legal and surely not meant. A pod template is remarked on when it is written, not when its
object is touched otherwise. Warnings change nothing.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator

from kctl.api.objects import Obj, annotations_of, dig
from kctl.apiserver.request import Request

TEMPLATES = {
    "deployments.apps": ("spec", "template"),
    "replicasets.apps": ("spec", "template"),
    "daemonsets.apps": ("spec", "template"),
    "statefulsets.apps": ("spec", "template"),
    "replicationcontrollers": ("spec", "template"),
    "jobs.batch": ("spec", "template"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
    "podtemplates": ("template",),
}
"""Where kinds keep their pod template."""
NAMES_IN_PODS = frozenset(("replicasets.apps", "replicationcontrollers", "jobs.batch", "cronjobs.batch"))

VOLUMES = {
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
"""Volume sources that are on their way out, or gone."""
NODE_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
TOKENS_IN_ATTRIBUTES = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible "
    "logging of tokens in volume attributes"
)
NETWORK = {
    "services": "service",
    "networkpolicies.networking.k8s.io": "policy",
    "endpointslices.discovery.k8s.io": "endpoint_slice",
}
"""Kinds with addresses to remark on, and which function does."""
INT64 = 1 << 63
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class"
INGRESS_CLASS = "kubernetes.io/ingress.class"


def remark(request: Request, obj: Obj, old: Obj | None) -> None:
    """Add the remarks about a new (``old`` None) or changed object to the answer, if anyone listens."""
    if request.warnings is not None:
        request.warn(*remarks(request.kind.resource, obj, old))


def remark_prepared(request: Request, obj: Obj) -> None:
    """Add what is said of a new object while it is prepared, so also when it is refused then."""
    if request.warnings is not None:
        if request.kind.resource == "pods":
            request.warn(*_apparmor(obj, ""))
        elif request.kind.resource in TEMPLATES:
            path = TEMPLATES[request.kind.resource]
            request.warn(*_apparmor(dig(obj, *path, default={}), ".".join(path) + "."))


def remarks(resource: str, obj: Obj, old: Obj | None) -> Iterator[str]:
    """Yield what is worth saying about an object."""
    if resource in NETWORK:
        from kctl.apiserver import remarks_network

        yield from getattr(remarks_network, NETWORK[resource])(obj)
    elif resource == "persistentvolumes":
        yield from _volume(obj.get("spec") or {})
    elif resource == "persistentvolumeclaims":
        yield from _claim(obj)
    elif resource == "ingresses.networking.k8s.io":
        if old is None and INGRESS_CLASS in annotations_of(obj):
            yield f"annotation {_quote(INGRESS_CLASS)} is deprecated, please use 'spec.ingressClassName' instead"
    elif resource == "csidrivers.storage.k8s.io":
        spec = obj.get("spec") or {}
        if spec.get("tokenRequests") and spec.get("serviceAccountTokenInSecrets") is None:
            yield TOKENS_IN_ATTRIBUTES
    elif resource == "customresourcedefinitions.apiextensions.k8s.io":
        from kctl.api.crd.formats import unrecognized

        known = set() if old is None else unrecognized(old)
        yield from (f"unrecognized format {_quote(name)}" for name in sorted(unrecognized(obj) - known))
    elif resource in OTHERS:
        yield from OTHERS[resource](obj)
    elif resource == "pods":
        if old is None:
            yield from _pod(obj, "")
    elif resource in TEMPLATES:
        yield from _workload(resource, obj, old)


def _secret(obj: Obj) -> Iterator[str]:
    """Say when a TLS secret holds no PEM blocks at all; certificates are not parsed."""
    if obj.get("type") != "kubernetes.io/tls":
        return
    data = obj.get("data") or {}
    for name, what in (("tls.crt", "certificate"), ("tls.key", "key")):
        if b"-----BEGIN " not in b64decode(data.get(name) or ""):
            yield f"tls: failed to find any PEM data in {what} input"
            return


def _device_slice(device_slice: Obj) -> Iterator[str]:
    name = dig(device_slice, "spec", "driver", default="")
    if name != name.lower():
        yield f"spec.driver: driver names should be lowercase; {_quote(name)} contains uppercase characters"


def _quote(text: str) -> str:
    return f'"{text}"'


def _volume(spec: Obj) -> Iterator[str]:
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        yield (
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. "
            "Instead, the recommended approach is to use dynamic provisioning."
        )
    for source, why in VOLUMES.items():
        if source in spec:
            yield f"spec.{source}: {why}"


def _claim(claim: Obj) -> Iterator[str]:
    if STORAGE_CLASS in annotations_of(claim):
        yield (
            f"metadata.annotations[{STORAGE_CLASS}]: deprecated since v1.8; use {_quote('storageClassName')} "
            "attribute instead"
        )
    asked = dig(claim, "spec", "resources", "requests", "storage")
    if asked is not None and _fractional(asked):
        yield f"spec.resources.requests[storage]: fractional byte value {_quote(asked)} is invalid, must be an integer"


def _workload(resource: str, obj: Obj, old: Obj | None) -> Iterator[str]:
    path = TEMPLATES[resource]
    template = dig(obj, *path, default={})
    if old is not None and dig(old, *path, default={}) == template:
        return
    name = obj["metadata"].get("name") or ""
    if old is None and resource in NAMES_IN_PODS and "." in name:
        yield (
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
            "a DNS label is recommended: [must not contain dots]"
        )
    yield from _pod(template, ".".join(path) + ".")


def _pod(pod: Obj, at: str) -> Iterator[str]:
    """Remark on a pod or a pod template at the path ``at``."""
    spec = pod.get("spec") or {}
    for label in sorted(spec.get("nodeSelector") or {}):
        if label in NODE_LABELS:
            yield f"{at}spec.nodeSelector[{label}]: {NODE_LABELS[label]}"
    yield from _apparmor(pod, at)
    for n, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        if constraint.get("labelSelector") is None:
            where = f"{at}spec.topologySpreadConstraints[{n}].labelSelector"
            yield f"{where}: a null labelSelector results in matching no pod"
    if spec.get("hostAliases") or spec.get("dnsConfig"):
        yield from _pod_addresses(spec, f"{at}spec.")
    for n, volume in enumerate(spec.get("volumes") or ()):
        for source, why in VOLUMES.items():
            if volume.get(source) is not None:
                yield f"{at}spec.volumes[{n}].{source}: {why}"
    yield from _containers(spec, f"{at}spec.")


def _pod_addresses(spec: Obj, at: str) -> Iterator[str]:
    from kctl.apiserver.remarks_network import of_address

    for n, address in enumerate((spec.get("dnsConfig") or {}).get("nameservers") or ()):
        yield from of_address(address, f"{at}dnsConfig.nameservers[{n}]")
    for n, alias in enumerate(spec.get("hostAliases") or ()):
        yield from of_address(alias.get("ip") or "", f"{at}hostAliases[{n}].ip")


def _apparmor(pod: Obj, at: str) -> Iterator[str]:
    for name in sorted((pod.get("metadata") or {}).get("annotations") or {}):
        if name.startswith(APPARMOR):
            yield (
                f"{at}metadata.annotations[{name}]: deprecated since v1.30; use the "
                f"{_quote('appArmorProfile')} field instead"
            )


def _containers(spec: Obj, at: str) -> Iterator[str]:
    ports: dict[tuple[object, ...], str] = {}
    for field in ("initContainers", "containers"):
        for n, container in enumerate(spec.get(field) or ()):
            where = f"{at}{field}[{n}]"
            yield from _quantities(container.get("resources") or {}, where)
            yield from _environment(container.get("env") or [], where)
            if field == "containers" or container.get("restartPolicy") == "Always":
                yield from _ports(container.get("ports") or [], where, ports)


def _quantities(resources: Obj, at: str) -> Iterator[str]:
    for field in ("limits", "requests"):
        for name in ("memory", "ephemeral-storage"):
            value = (resources.get(field) or {}).get(name)
            if value is not None and _fractional(value, milli=name == "memory"):
                where = f"{at}.resources.{field}[{name}]"
                yield f"{where}: fractional byte value {_quote(value)} is invalid, must be an integer"


def _fractional(value: object, *, milli: bool = True) -> bool:
    """Say whether a number of bytes is no whole number; ``milli`` counts thousandths in 64 bits."""
    from kctl.api import quantity

    try:
        number = quantity.parse(str(value))
    except ValueError:
        return False
    return number.denominator != 1 or (milli and not -INT64 < number * 1000 < INT64)


def _environment(env: list[Obj], at: str) -> Iterator[str]:
    seen: dict[str, Obj] = {}
    for n, variable in enumerate(env):
        name = variable.get("name") or ""
        if name in seen and f"$({name})" not in str(variable.get("value") or ""):
            yield f"{at}.env[{n}]: hides previous definition of {_quote(name)}, which may be dropped when using apply"
        seen[name] = variable


def _ports(ports: list[Obj], at: str, seen: dict[tuple[object, ...], str]) -> Iterator[str]:
    for n, port in enumerate(ports):
        key = (port.get("containerPort"), port.get("protocol", "TCP"), port.get("hostPort"), port.get("hostIP"))
        where = f"{at}.ports[{n}]"
        if key in seen:
            yield f"{where}: duplicate port definition with {seen[key]}"
        else:
            seen[key] = where


OTHERS = {"secrets": _secret, "resourceslices.resource.k8s.io": _device_slice}
"""Kinds with remarks that need nothing but the object."""
