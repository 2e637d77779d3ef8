"""Defaults of pods and pod templates, as core/v1 SetDefaults_Pod, _PodSpec, _Container, _Probe.

In comes a pod spec; out goes one with every defaulted field set, sharing all that did not change.
What only pods get and templates do not (requests from limits, service links) is in :func:`pod`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.api.defaults.volumes import volume
from kctl.api.objects import Obj

SPEC = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}
PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
NO_SECURITY_CONTEXT: Obj = {}
POD_LEVEL = ("cpu", "memory")


def each(values: list[Obj] | None, change: Callable[[Obj], Obj]) -> list[Obj] | None:
    """Apply ``change`` to every element; the same list when nothing changed."""
    if not values:
        return values
    out = [change(value) for value in values]
    return values if all(a is b for a, b in zip(out, values, strict=True)) else out


def template(value: Obj | None) -> Obj:
    """Default a pod template."""
    value = without_init_annotations(value or {})
    spec = value.get("spec") or {}
    done = pod_spec(spec)
    return value if done is spec and "metadata" in value else {"metadata": {}, **value, "spec": done}


INIT_ANNOTATIONS = frozenset(
    (
        "pod.beta.kubernetes.io/init-containers",
        "pod.alpha.kubernetes.io/init-containers",
        "pod.beta.kubernetes.io/init-container-statuses",
        "pod.alpha.kubernetes.io/init-container-statuses",
    )
)
"""Annotations of Kubernetes before 1.6, which conversion takes out."""


def without_init_annotations(value: Obj) -> Obj:
    """Take out the annotations that once held init containers, as dropInitContainerAnnotations."""
    metadata = value.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if INIT_ANNOTATIONS.isdisjoint(annotations):
        return value
    kept = {name: text for name, text in annotations.items() if name not in INIT_ANNOTATIONS}
    metadata = {name: field for name, field in metadata.items() if name != "annotations"}
    return {**value, "metadata": {**metadata, "annotations": kept} if kept else metadata}


def pod_spec(spec: Obj) -> Obj:
    """Default a pod spec, as SetDefaults_PodSpec and what is below it."""
    out = dict(spec)
    for name, value in SPEC.items():
        if not out.get(name):
            out[name] = value
    if out.get("securityContext") is None:
        out["securityContext"] = NO_SECURITY_CONTEXT
    if out.get("terminationGracePeriodSeconds") is None:
        out["terminationGracePeriodSeconds"] = 30
    _service_account(out)
    for name in ("containers", "initContainers", "ephemeralContainers"):
        values = out.get(name)
        if values:
            out[name] = [container(value) for value in values]
    volumes = out.get("volumes")
    if volumes:
        out["volumes"] = [volume(value) for value in volumes]
    overhead = out.get("overhead")
    if overhead:
        out["overhead"] = amounts(overhead)
    return out


def _service_account(spec: Obj) -> None:
    """Keep the deprecated ``serviceAccount`` beside ``serviceAccountName``, as the conversions do."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def container(value: Obj) -> Obj:
    """Default a container, as SetDefaults_Container."""
    out = dict(value)
    if not out.get("imagePullPolicy"):
        out["imagePullPolicy"] = pull_policy(out.get("image") or "")
    if not out.get("terminationMessagePath"):
        out["terminationMessagePath"] = "/dev/termination-log"
    if not out.get("terminationMessagePolicy"):
        out["terminationMessagePolicy"] = "File"
    out["resources"] = requirements(out.get("resources") or {})
    ports = out.get("ports")
    if ports:
        out["ports"] = each(ports, _port)
    env = out.get("env")
    if env:
        out["env"] = each(env, _env)
    for name in PROBES:
        if out.get(name) is not None:
            out[name] = probe(out[name])
    if out.get("lifecycle"):
        out["lifecycle"] = {
            name: handler(hook) if isinstance(hook, dict) else hook for name, hook in out["lifecycle"].items()
        }
    return _security(out)


def _security(value: Obj) -> Obj:
    """Default the mount type where /proc may be given, as SetDefaults_SecurityContext."""
    context = value.get("securityContext")
    if context and context.get("procMount") == "":
        value["securityContext"] = {name: v for name, v in context.items() if name != "procMount"}
    return value


def pull_policy(image: str) -> str:
    """Return Always for the tag ``latest`` (given or implied), else IfNotPresent."""
    name, _, digest = image.partition("@")
    if digest:
        # A reference by digest alone has no tag; with both, the tag still decides.
        tag = _tag(name)
        return "Always" if tag == "latest" else "IfNotPresent"
    return "Always" if (_tag(name) or "latest") == "latest" and _parses(name) else "IfNotPresent"


def _tag(name: str) -> str:
    """Return the tag of an image name, "" for none."""
    head, colon, tag = name.rpartition(":")
    return tag if colon and "/" not in tag and head else ""


def _parses(name: str) -> bool:
    """Say whether the name is a valid reference: an invalid one has no tag (ParseImageName)."""
    import re

    path = _path_of(name)
    return bool(re.fullmatch(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*", path))


def _path_of(name: str) -> str:
    """Return the repository path: the name without registry and tag."""
    tag = _tag(name)
    if tag:
        name = name[: -len(tag) - 1]
    first, slash, rest = name.partition("/")
    registry = slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first)
    return rest if registry else name


def requirements(value: Obj) -> Obj:
    """Round amounts up to thousandths, as SetDefaults_ResourceList."""
    out = value
    for name in ("limits", "requests"):
        listed = value.get(name)
        if listed:
            rounded = amounts(listed)
            if rounded is not listed:
                out = {**out, name: rounded}
    return out


def amounts(values: Obj) -> Obj:
    """Write a list of resources as the API server stores it: canonical, at most milli precision."""
    out = {name: amount(value) for name, value in values.items()}
    return values if out == values else out


def amount(value: Any) -> str:
    """Write one quantity in canonical form, rounded up to thousandths."""
    from kctl.api import quantity

    text = quantity.canonical(str(value))
    if text[-1] in "nu":
        return quantity.canonical(f"{quantity.milli(text)}m")
    return text


def _port(value: Obj) -> Obj:
    """Default the protocol of a container port."""
    return value if value.get("protocol") else {**value, "protocol": "TCP"}


def _env(value: Obj) -> Obj:
    """Default the version of a field reference and the divisor of a resource reference."""
    source = value.get("valueFrom")
    if not source:
        return value
    done = reference(source)
    return value if done is source else {**value, "valueFrom": done}


def reference(source: Obj) -> Obj:
    """Default the references of variables and downward files, as SetDefaults_ObjectFieldSelector."""
    field = source.get("fieldRef")
    if field is not None and not field.get("apiVersion"):
        source = {**source, "fieldRef": {"apiVersion": "v1", **{k: v for k, v in field.items() if v != ""}}}
    resource = source.get("resourceFieldRef")
    if resource is not None:
        divisor = resource.get("divisor")
        source = {**source, "resourceFieldRef": {**resource, "divisor": "0" if divisor is None else amount(divisor)}}
    key_file = source.get("fileKeyRef")
    if key_file is not None and key_file.get("optional") is None:
        source = {**source, "fileKeyRef": {**key_file, "optional": False}}
    return source


def probe(value: Obj) -> Obj:
    """Default a probe, as SetDefaults_Probe and _HTTPGetAction."""
    out = handler(value)
    missing = {name: default for name, default in PROBE.items() if not out.get(name)}
    return {**out, **missing} if missing else out


def handler(value: Obj) -> Obj:
    """Default the path and scheme of an HTTP handler, and the service of a gRPC one."""
    http = value.get("httpGet")
    if http is not None and not (http.get("path") and http.get("scheme")):
        done = {**http, "path": http.get("path") or "/", "scheme": http.get("scheme") or "HTTP"}
        value = {**value, "httpGet": done}
    grpc = value.get("grpc")
    if grpc is not None and grpc.get("service") is None:
        value = {**value, "grpc": {**grpc, "service": ""}}
    return value


def pod(obj: Obj) -> Obj:
    """Default a Pod: its spec, and what templates do not get (SetDefaults_Pod)."""
    spec = pod_spec(obj.get("spec") or {})
    for name in ("containers", "initContainers"):
        if spec.get(name):
            spec[name] = each(spec[name], _requests_from_limits)
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    if spec.get("hostNetwork"):
        for name in ("containers", "initContainers"):
            if spec.get(name):
                spec[name] = each(spec[name], _host_ports)
    _pod_level(spec)
    return {**obj, "spec": spec}


def _host_ports(value: Obj) -> Obj:
    """Take the same port of the node for every port of a container on the node's network."""
    ports = each(
        value.get("ports"),
        lambda port: port if port.get("hostPort") else {**port, "hostPort": port.get("containerPort") or 0},
    )
    return value if ports is value.get("ports") else {**value, "ports": ports}


def _requests_from_limits(value: Obj) -> Obj:
    """Ask for as much as is allowed where only the limit was given."""
    resources = value["resources"]
    limits = resources.get("limits") or {}
    requests = resources.get("requests") or {}
    missing = {name: limit for name, limit in limits.items() if name not in requests}
    if not missing:
        return value
    return {**value, "resources": {**resources, "requests": {**requests, **missing}}}


def _pod_level(spec: Obj) -> None:
    """Default the pod's own requests: the containers' together, else its limits (defaultPodRequests)."""
    resources = spec.get("resources")
    if not resources:
        return
    resources = requirements(resources)
    limits, requests = resources.get("limits") or {}, dict(resources.get("requests") or {})
    if limits:
        for name, total in _container_requests(spec).items():
            if name in POD_LEVEL:
                requests.setdefault(name, total)
        for name, limit in limits.items():
            if name in POD_LEVEL or name.startswith("hugepages-"):
                requests.setdefault(name, limit)
    if requests:
        resources = {**resources, "requests": requests}
    spec["resources"] = resources


def _container_requests(spec: Obj) -> dict[str, str]:
    """Return what the containers ask for in all: the larger of the regular ones and any init container."""
    from kctl.api import quantity

    total: dict[str, Any] = {}
    for value in spec.get("containers") or ():
        for name, asked in (value["resources"].get("requests") or {}).items():
            total[name] = (
                (total[name][0] + quantity.parse(asked), asked) if name in total else (quantity.parse(asked), asked)
            )
    sidecars: dict[str, Any] = {}
    for value in spec.get("initContainers") or ():
        for name, asked in (value["resources"].get("requests") or {}).items():
            amount_ = quantity.parse(asked)
            if value.get("restartPolicy") == "Always":
                sidecars[name] = sidecars.get(name, 0) + amount_
                old = total.get(name, (0, asked))
                total[name] = (old[0] + amount_, old[1])
            elif amount_ + sidecars.get(name, 0) > total.get(name, (0, asked))[0]:
                total[name] = (amount_ + sidecars.get(name, 0), asked)
    return {name: quantity.format(value, like=like) for name, (value, like) in sorted(total.items())}
