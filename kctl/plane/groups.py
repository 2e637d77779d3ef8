"""The node groups of a cluster's shape.

In: ``spec`` of the Cluster manifest. Out: the groups, and every mistake in them by its field: names, labels
and taints are held to what the API server would say of the Nodes, so that nothing is refused later than here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kctl.api import quantity
from kctl.api.errors import FieldError, invalid, required
from kctl.api.objects import Obj

FIELDS = ("count", "devices", "kubelet", "labels", "name", "pods", "staticPods", "taints", "type", "zones")
DEVICES, KUBELET = "devices", "kubelet"
TAINT_FIELDS = ("effect", "key", "value")
MAX_NODES = 15_000


class NodeGroup(NamedTuple):
    """Equal nodes: how many, how big, where."""

    name: str
    size: int
    cpu: str
    memory: str
    pods: int
    zones: tuple[str, ...]
    labels: Mapping[str, str]
    taints: tuple[Obj, ...]
    static_pods: tuple[Obj, ...] = ()
    """Manifests of pods that its machines bring."""
    devices: tuple[Obj, ...] = ()
    """What each machine offers to claims for devices."""
    kubelet: Obj | None = None
    """How its kubelets are configured."""


def zones_of(region: str) -> tuple[str, ...]:
    """Return the three zones a region has: ``local-a``, ``local-b``, ``local-c``."""
    return tuple(f"{region}-{letter}" for letter in "abc")


def read_groups(spec: Mapping[str, Any], region: str, errors: list[FieldError]) -> tuple[NodeGroup, ...]:
    """Read ``nodeGroups``, or ``nodes`` and ``nodeType`` in their place."""
    if region != "local":
        _label_value(f"{region}-a", "spec.region", errors)
    listed = spec.get("nodeGroups")
    if listed is None:
        group = {"name": "node", "count": spec.get("nodes", 3), "type": spec.get("nodeType", "4cpu,16Gi")}
        return (_group(group, "spec", region, errors),)
    if "nodes" in spec or "nodeType" in spec:
        errors.append(invalid("spec.nodes", spec.get("nodes"), "may not be set together with nodeGroups"))
    if not isinstance(listed, list):
        errors.append(invalid("spec.nodeGroups", listed, "must be a list"))
        return ()
    groups: list[NodeGroup] = []
    for n, group in enumerate(listed):
        path = f"spec.nodeGroups[{n}]"
        if not isinstance(group, dict):
            errors.append(invalid(path, group, "must be a map"))
            continue
        _unknown(group, FIELDS, path, errors)
        made = _group(group, path, region, errors)
        if made.name and any(made.name == other.name for other in groups):
            errors.append(invalid(f"{path}.name", made.name, "names must be unique"))
        groups.append(made)
    return tuple(groups)


def _unknown(given: Mapping[str, Any], known: tuple[str, ...], path: str, errors: list[FieldError]) -> None:
    errors += [
        invalid(f"{path}.{name}", given[name], f"unknown field; known are {', '.join(known)}")
        for name in sorted(given)
        if name not in known
    ]


def _group(group: Mapping[str, Any], path: str, region: str, errors: list[FieldError]) -> NodeGroup:
    count = group.get("count", 1)
    field = "nodes" if path == "spec" else "count"
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MAX_NODES:
        errors.append(invalid(f"{path}.{field}", count, f"must be a number from 0 to {MAX_NODES}"))
        count = 0
    cpu, memory = _node_type(str(group.get("type", "4cpu,16Gi")), path, errors)
    pods = group.get("pods", 110)
    if not isinstance(pods, int) or isinstance(pods, bool) or pods < 1:
        errors.append(invalid(f"{path}.pods", pods, "must be a number greater than 0"))
        pods = 110
    return NodeGroup(
        _name(group.get("name"), f"{path}.name", errors),
        count,
        cpu,
        memory,
        pods,
        _zones(group.get("zones"), region, f"{path}.zones", errors),
        _labels(group.get("labels"), f"{path}.labels", errors),
        _taints(group.get("taints"), f"{path}.taints", errors),
        _static_pods(group.get("staticPods"), f"{path}.staticPods", errors),
        _devices(group.get(DEVICES), f"{path}.{DEVICES}", errors),
        _kubelet(group.get(KUBELET), f"{path}.{KUBELET}", errors),
    )


def _node_type(text: str, path: str, errors: list[FieldError]) -> tuple[str, str]:
    """Read ``4cpu,16Gi``."""
    parts = [part.strip() for part in text.split(",")]
    field = f"{path}.nodeType" if path == "spec" else f"{path}.type"
    if len(parts) == 2 and parts[0].endswith("cpu"):
        cpu, memory = parts[0].removesuffix("cpu"), parts[1]
        try:
            if quantity.milli(cpu) > 0 and quantity.value(memory) > 0:
                return quantity.canonical(cpu), quantity.canonical(memory)
        except ValueError:
            pass
    errors.append(invalid(field, text, 'must be a size such as "4cpu,16Gi"'))
    return "4", "16Gi"


def _name(given: Any, path: str, errors: list[FieldError]) -> str:
    """Read the name: with a number behind it, it is that of a Node, and the label that says so."""
    if given is None or given == "":
        errors.append(required(path))
        return ""
    if not isinstance(given, str):
        errors.append(invalid(path, given, "must be a text: put it in quotes"))
        return ""
    if given != "node":
        from kctl.api.validation import formats

        name = f"{given}-{MAX_NODES}"
        wrong = formats.dns_subdomain(name) or formats.label_value(name)
        errors += [invalid(path, given, text) for text in wrong[:1]]
    return given


def _zones(given: Any, region: str, path: str, errors: list[FieldError]) -> tuple[str, ...]:
    """Read the zones; they become labels. Bare numbers are what some clouds call them."""
    if given is None or given == [] or given == ():
        return zones_of(region)
    if not isinstance(given, list | tuple):
        errors.append(invalid(path, given, "must be a list"))
        return ()
    zones = []
    for n, zone in enumerate(given):
        if isinstance(zone, bool) or not isinstance(zone, str | int) or zone == "":
            errors.append(invalid(f"{path}[{n}]", zone, "must be the name of a zone"))
            continue
        _label_value(str(zone), f"{path}[{n}]", errors)
        zones.append(str(zone))
    return tuple(zones)


def _label_value(value: str, path: str, errors: list[FieldError]) -> None:
    from kctl.api.validation import formats

    errors += [invalid(path, value, text) for text in formats.label_value(value)]


def _labels(given: Any, path: str, errors: list[FieldError]) -> Mapping[str, str]:
    """Read labels of Nodes: texts, as the API server takes them."""
    if not given and given in (None, {}):
        return {}
    if not isinstance(given, dict):
        errors.append(invalid(path, given, "must be a map"))
        return {}
    from kctl.api.validation import formats

    labels = {}
    for key, value in given.items():
        at = f"{path}[{key}]"
        errors += [invalid(at, key, text) for text in formats.qualified_name(key)]
        if not isinstance(value, str):
            errors.append(invalid(at, value, "must be a text: put it in quotes"))
            continue
        _label_value(value, at, errors)
        labels[key] = value
    return labels


def _taints(given: Any, path: str, errors: list[FieldError]) -> tuple[Obj, ...]:
    """Read taints of Nodes, as validateNodeTaints."""
    if not given and given in (None, []):
        return ()
    if not isinstance(given, list):
        errors.append(invalid(path, given, "must be a list"))
        return ()
    from kctl.api.validation import scheduling

    before = len(errors)
    texts: list[Obj] = []
    for n, taint in enumerate(given):
        at = f"{path}[{n}]"
        if not isinstance(taint, dict):
            errors.append(invalid(at, taint, "must be a map with key, value and effect"))
            texts.append({"key": f"number-{n}", "effect": "NoExecute"})
            continue
        _unknown(taint, TAINT_FIELDS, at, errors)
        errors += [
            invalid(f"{at}.{name}", taint[name], "must be a text: put it in quotes")
            for name in TAINT_FIELDS
            if taint.get(name) is not None and not isinstance(taint[name], str)
        ]
        texts.append({name: str(value) for name, value in taint.items() if value is not None})
    scheduling.taints(texts, path, errors)
    return tuple(texts) if len(errors) == before else ()


def _kubelet(given: Any, path: str, errors: list[FieldError]) -> Obj | None:
    """Read how the kubelets of the group are configured."""
    if given is None:
        return None
    from kctl.api import kubeletconfig

    return kubeletconfig.read(given, path, errors)


def _devices(given: Any, path: str, errors: list[FieldError]) -> tuple[Obj, ...]:
    if not given:
        return ()
    from kctl.api import nodedevices

    return nodedevices.read(given, path, errors)


def _static_pods(given: Any, path: str, errors: list[FieldError]) -> tuple[Obj, ...]:
    """Read static pods: manifests; whoever reads files puts those that are named in their place."""
    if not given and given in (None, []):
        return ()
    if not isinstance(given, list):
        errors.append(invalid(path, given, "must be a list of files, or of Pods"))
        return ()
    from kctl.api import staticpods

    before, names = len(errors), set()
    for n, pod in enumerate(given):
        at = f"{path}[{n}]"
        wrong = staticpods.errors_of(pod)
        errors += [error._replace(field=f"{at}.{error.field}" if error.field else at) for error in wrong]
        if not wrong:
            name = (pod["metadata"].get("namespace") or "default", pod["metadata"]["name"])
            if name in names:
                errors.append(invalid(f"{at}.metadata.name", name[1], "names must be unique"))
            names.add(name)
    return tuple(given) if len(errors) == before else ()
