"""A pod template as ``rollout history --revision`` and ``rollout undo --dry-run`` show it.

As kubectl's DescribePodTemplate, whose tabs are printed as they are. Volumes are told by their
type and its fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kctl.api.objects import Obj

PROBES = (("livenessProbe", "Liveness"), ("readinessProbe", "Readiness"), ("startupProbe", "Startup"))


def text(template: Obj) -> str:
    """Return the lines that describe a pod template."""
    return "".join(f"{line}\n" for line in _lines(template))


def _lines(template: Obj) -> Iterator[str]:
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    yield "Pod Template:"
    yield from _map("  Labels:\t", "\t", meta.get("labels"), "=")
    if meta.get("annotations"):
        yield from _map("  Annotations:\t", "\t", meta["annotations"], ": ")
    if spec.get("serviceAccountName"):
        yield f"  Service Account:\t{spec['serviceAccountName']}"
    for title, field in (("Init Containers", "initContainers"), ("Containers", "containers")):
        if spec.get(field):
            yield f"  {title}:"
            for container in spec[field]:
                yield from _container(container)
    if spec.get("volumes"):
        yield "  Volumes:"
        for volume in spec["volumes"]:
            yield from _volume(volume)
    else:
        yield "  Volumes:\t<none>"
    if spec.get("priorityClassName"):
        yield f"  Priority Class Name:\t{spec['priorityClassName']}"
    yield from _map("  Node-Selectors:\t", "\t", spec.get("nodeSelector"), "=")
    tolerations = [_toleration(toleration) for toleration in spec.get("tolerations") or ()]
    yield f"  Tolerations:\t{tolerations[0] if tolerations else '<none>'}"
    yield from (f"\t{toleration}" for toleration in tolerations[1:])


def _map(head: str, indent: str, values: Mapping[str, str] | None, equals: str) -> Iterator[str]:
    pairs = [f"{name}{equals}{value}" for name, value in sorted((values or {}).items())]
    yield f"{head}{pairs[0] if pairs else '<none>'}"
    yield from (f"{indent}{pair}" for pair in pairs[1:])


def _container(container: Obj) -> Iterator[str]:
    yield f"   {container['name']}:"
    yield f"    Image:\t{container.get('image', '')}"
    ports = container.get("ports") or ()
    plural = "s" if len(ports) > 1 else ""
    if ports:
        yield f"    Port{plural}:\t" + ", ".join(_port(port, "containerPort") for port in ports)
        yield f"    Host Port{plural}:\t" + ", ".join(_port(port, "hostPort") for port in ports)
    else:
        yield "    Port:\t<none>"
        yield "    Host Port:\t<none>"
    for field, title in (("command", "Command"), ("args", "Args")):
        if container.get(field):
            yield f"    {title}:"
            yield from (f"      {line}" for word in container[field] for line in str(word).split("\n"))
    for field, title in (("limits", "Limits"), ("requests", "Requests")):
        values = (container.get("resources") or {}).get(field)
        if values:
            yield f"    {title}:"
            yield from (f"      {name}:\t{value}" for name, value in sorted(values.items()))
    for field, title in PROBES:
        if container.get(field):
            yield f"    {title}:\t{_probe(container[field])}"
    yield from _environment(container)
    yield from _mounts(container)


def _port(port: Obj, field: str) -> str:
    return f"{port.get(field) or 0}/{port.get('protocol', 'TCP')}"


def _probe(probe: Obj) -> str:
    timing = (
        f"delay={probe.get('initialDelaySeconds') or 0}s timeout={probe.get('timeoutSeconds') or 1}s "
        f"period={probe.get('periodSeconds') or 10}s #success={probe.get('successThreshold') or 1} "
        f"#failure={probe.get('failureThreshold') or 3}"
    )
    if probe.get("exec"):
        return f"exec [{' '.join(probe['exec'].get('command') or ())}] {timing}"
    if probe.get("httpGet"):
        get = probe["httpGet"]
        path = str(get.get("path") or "/")
        return f"{str(get.get('scheme') or 'HTTP').lower()}-get {str(get.get('scheme') or 'HTTP').lower()}://" + (
            f"{get.get('host') or ''}:{get.get('port')}{path} {timing}"
        )
    if probe.get("tcpSocket"):
        return f"tcp-socket {probe['tcpSocket'].get('host') or ''}:{probe['tcpSocket'].get('port')} {timing}"
    if probe.get("grpc"):
        return f"grpc <pod>:{probe['grpc'].get('port')} {probe['grpc'].get('service') or ''} {timing}"
    return f"unknown {timing}"


def _environment(container: Obj) -> Iterator[str]:
    sources = container.get("envFrom") or ()
    if sources:
        yield "    Environment Variables from:"
    for source in sources:
        kind, ref = ("ConfigMap", source.get("configMapRef")) if source.get("configMapRef") else ("Secret", None)
        ref = ref or source.get("secretRef") or {}
        optional = str(bool(ref.get("optional"))).lower()
        prefix = f" with prefix '{source['prefix']}'" if source.get("prefix") else ""
        yield f"      {ref.get('name', '')}\t{kind}{prefix}\tOptional: {optional}"
    variables = container.get("env") or ()
    if not variables:
        yield "    Environment:\t<none>"
        return
    yield "    Environment:"
    for variable in variables:
        yield f"      {variable['name']}:\t{_value(variable)}"


def _value(variable: Obj) -> str:
    source: Mapping[str, Any] = variable.get("valueFrom") or {}
    if source.get("fieldRef"):
        return f" ({source['fieldRef'].get('apiVersion', 'v1')}:{source['fieldRef'].get('fieldPath', '')})"
    if source.get("resourceFieldRef"):
        ref = source["resourceFieldRef"]
        return f"{ref.get('containerName', '')} ({ref.get('resource', '')})"
    for field, what in (("secretKeyRef", "secret"), ("configMapKeyRef", "config map")):
        if source.get(field):
            ref = source[field]
            optional = str(bool(ref.get("optional"))).lower()
            return f"<set to the key '{ref.get('key', '')}' of {what} '{ref.get('name', '')}'>\tOptional: {optional}"
    return str(variable.get("value") or "")


def _mounts(container: Obj) -> Iterator[str]:
    mounts = sorted(container.get("volumeMounts") or (), key=lambda mount: str(mount["mountPath"]))
    if not mounts:
        yield "    Mounts:\t<none>"
        return
    yield "    Mounts:"
    for mount in mounts:
        flags = "ro" if mount.get("readOnly") else "rw"
        sub = f",path={json_string(mount['subPath'])}" if mount.get("subPath") else ""
        yield f"      {mount['mountPath']} from {mount['name']} ({flags}{sub})"


def json_string(value: str) -> str:
    """Write a text in double quotes, as Go's %q."""
    import json

    return json.dumps(value, ensure_ascii=False)


def _volume(volume: Obj) -> Iterator[str]:
    yield f"   {volume['name']}:"
    source = next((field for field in sorted(volume) if field != "name"), "emptyDir")
    yield f"    Type:\t{source[:1].upper()}{source[1:]}"
    for field, value in sorted((volume.get(source) or {}).items()):
        if not isinstance(value, dict | list):
            yield f"    {field[:1].upper()}{field[1:]}:\t{value}"


def _toleration(toleration: Obj) -> str:
    key, value, effect = (toleration.get(field) or "" for field in ("key", "value", "effect"))
    text_ = key + (f"={value}" if value else "") + (f":{effect}" if effect else "")
    if toleration.get("operator") == "Exists" and not value:
        text_ += " op=Exists" if key or effect else "op=Exists"
    if toleration.get("tolerationSeconds") is not None:
        text_ += f" for {toleration['tolerationSeconds']}s"
    return text_
