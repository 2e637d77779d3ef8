"""Containers and volumes of a pod or a pod template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.api.objects import Obj, dig
from kctl.cli.describing import layout
from kctl.cli.describing.layout import Page

Source = tuple[str, tuple[tuple[str, str], ...]]
"""The type in words, and title and field of what is shown."""

VOLUMES: dict[str, Source] = {
    "hostPath": ("HostPath (bare host directory volume)", (("Path", "path"), ("HostPathType", "type"))),
    "emptyDir": (
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
        (("Medium", "medium"), ("SizeLimit", "sizeLimit")),
    ),
    "secret": ("Secret (a volume populated by a Secret)", (("SecretName", "secretName"), ("Optional", "optional"))),
    "configMap": ("ConfigMap (a volume populated by a ConfigMap)", (("Name", "name"), ("Optional", "optional"))),
    "persistentVolumeClaim": (
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        (("ClaimName", "claimName"), ("ReadOnly", "readOnly")),
    ),
    "nfs": (
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        (("Server", "server"), ("Path", "path"), ("ReadOnly", "readOnly")),
    ),
}
"""Type and fields of the volumes people use; others show their fields as they are."""
ABSENT = {"optional": "false", "readOnly": "false", "sizeLimit": "<unset>", "type": "<none>"}


def containers(page: Page, level: int, title: str, found: Sequence[Obj], statuses: Sequence[Obj] | None) -> None:
    """Add containers; ``statuses`` is None for those of a template."""
    page.line(level, f"{title}:")
    by_name = {status["name"]: status for status in statuses or ()}
    for container in found:
        page.line(1, name_line(level, container["name"]))
        _container(page, 2, container, by_name.get(container["name"]))


def name_line(level: int, name: str) -> str:
    """Return the line of a container or volume: in a template, kubectl moves it by one blank and no field."""
    return f"{' ' if level else ''}{name}:"


def _container(page: Page, level: int, container: Obj, status: Obj | None) -> None:
    if status is not None:
        page.field(level, "Container ID", status.get("containerID", ""))
    page.field(level, "Image", container.get("image", ""))
    if status is not None:
        page.field(level, "Image ID", status.get("imageID", ""))
    for name, field in (("Port", "containerPort"), ("Host Port", "hostPort")):
        ports = [f"{port.get(field, 0)}/{port.get('protocol', 'TCP')}" for port in container.get("ports") or ()]
        page.field(level, f"{name}s" if len(ports) > 1 else name, ", ".join(ports) or "<none>")
    for name in ("command", "args"):
        if container.get(name):
            page.line(level, f"{name.title()}:")
            for text in container[name]:
                for line in str(text).split("\n"):
                    page.line(level + 1, line)
    if status is not None:
        _state(page, level, "State", status.get("state") or {})
        if status.get("lastState"):
            _state(page, level, "Last State", status["lastState"])
        page.field(level, "Ready", str(bool(status.get("ready"))))
        page.field(level, "Restart Count", status.get("restartCount", 0))
    resources(page, level, container.get("resources") or {})
    for name in ("liveness", "readiness", "startup"):
        probe = container.get(f"{name}Probe")
        if probe:
            page.field(level, name.title(), _probe(probe))
    _environment(page, level, container)
    _mounts(page, level, container.get("volumeMounts") or ())


def _state(page: Page, level: int, name: str, state: Obj) -> None:
    kind = next((kind for kind in ("running", "waiting", "terminated") if kind in state), "waiting")
    found = state.get(kind) or {}
    page.field(level, name, kind.title())
    if found.get("reason"):
        page.field(level + 1, "Reason", found["reason"])
    if found.get("message"):
        page.field(level + 1, "Message", found["message"])
    if kind == "running":
        page.field(level + 1, "Started", layout.time_text(found.get("startedAt")))
    elif kind == "terminated":
        page.field(level + 1, "Exit Code", found.get("exitCode", 0))
        if found.get("signal"):
            page.field(level + 1, "Signal", found["signal"])
        page.field(level + 1, "Started", layout.time_text(found.get("startedAt")))
        page.field(level + 1, "Finished", layout.time_text(found.get("finishedAt")))


def resources(page: Page, level: int, found: Obj) -> None:
    """Add limits and requests."""
    for name in ("limits", "requests"):
        if found.get(name):
            page.line(level, f"{name.title()}:")
            for resource, amount in sorted(found[name].items()):
                page.field(level + 1, resource, amount)


def _probe(probe: Obj) -> str:
    timing = (
        f"delay={probe.get('initialDelaySeconds', 0)}s timeout={probe.get('timeoutSeconds', 1)}s "
        f"period={probe.get('periodSeconds', 10)}s #success={probe.get('successThreshold', 1)} "
        f"#failure={probe.get('failureThreshold', 3)}"
    )
    if "exec" in probe:
        return f"exec {_words(probe['exec'].get('command') or ())} {timing}"
    if "httpGet" in probe:
        get = probe["httpGet"]
        scheme, port, path = str(get.get("scheme", "HTTP")).lower(), get.get("port", ""), str(get.get("path", "/"))
        return f"http-get {scheme}://{get.get('host', '')}:{port}/{path.removeprefix('/')} {timing}"
    if "tcpSocket" in probe:
        return f"tcp-socket {probe['tcpSocket'].get('host', '')}:{probe['tcpSocket'].get('port', '')} {timing}"
    if "grpc" in probe:
        return f"grpc <pod>:{probe['grpc'].get('port', '')} {probe['grpc'].get('service') or ''} {timing}"
    return f"unknown {timing}"


def _words(command: Sequence[str]) -> str:
    """Write a command as Go writes a list of strings."""
    return f"[{' '.join(command)}]"


def _environment(page: Page, level: int, container: Obj) -> None:
    if container.get("envFrom"):
        page.line(level, "Environment Variables from:")
        for source in container["envFrom"]:
            kind = "ConfigMap" if "configMapRef" in source else "Secret"
            ref = source.get("configMapRef") or source.get("secretRef") or {}
            prefix = f" with prefix '{source['prefix']}'" if source.get("prefix") else ""
            page.line(level + 1, ref.get("name", ""), f"{kind}{prefix}", f"Optional: {_bool(ref.get('optional'))}")
    if not container.get("env"):
        page.field(level, "Environment", "<none>")
        return
    page.line(level, "Environment:")
    for variable in container["env"]:
        page.field(level + 1, variable["name"], *_value(variable))


def _value(variable: Obj) -> list[str]:
    source = variable.get("valueFrom") or {}
    for field, words in (("secretKeyRef", "in secret"), ("configMapKeyRef", "of config map")):
        ref = source.get(field)
        if ref:
            text = f"<set to the key '{ref.get('key', '')}' {words} '{ref.get('name', '')}'>"
            return [text, f"Optional: {_bool(ref.get('optional'))}"]
    if "fieldRef" in source:
        return [f" ({source['fieldRef'].get('apiVersion', 'v1')}:{source['fieldRef'].get('fieldPath', '')})"]
    if "resourceFieldRef" in source:
        return [f" ({source['resourceFieldRef'].get('resource', '')})"]
    return [str(variable.get("value", ""))]


def _mounts(page: Page, level: int, mounts: Sequence[Obj]) -> None:
    if not mounts:
        page.field(level, "Mounts", "<none>")
        return
    page.line(level, "Mounts:")
    for mount in sorted(mounts, key=lambda mount: str(mount.get("mountPath", ""))):
        flags = "ro" if mount.get("readOnly") else "rw"
        if mount.get("subPath"):
            flags += f',path="{mount["subPath"]}"'
        page.line(level + 1, f"{mount.get('mountPath', '')} from {mount.get('name', '')} ({flags})")


def _bool(value: Any) -> str:
    return "true" if value else "false"


def volumes(page: Page, level: int, found: Sequence[Obj]) -> None:
    """Add volumes with what they are."""
    if not found:
        page.field(level, "Volumes", "<none>")
        return
    page.line(level, "Volumes:")
    for volume in found:
        page.line(1, name_line(level, volume["name"]))
        kind = next((name for name in volume if name != "name"), "emptyDir")
        source = volume.get(kind) or {}
        if kind == "projected":
            _projected(page, 2, source)
            continue
        volume_source(page, kind, source, VOLUMES)


def volume_source(page: Page, kind: str, source: Obj, known: Mapping[str, Source]) -> None:
    """Add what a volume is, in the words of its kind where they are known."""
    title, fields = known.get(kind) or (kind, tuple((name, name) for name in sorted(source)))
    page.field(2, "Type", title)
    for name, field in fields:
        value = source.get(field, ABSENT.get(field, ""))
        page.field(2, name, _bool(value) if isinstance(value, bool) else value)


def _projected(page: Page, level: int, source: Obj) -> None:
    page.field(level, "Type", "Projected (a volume that contains injected data from multiple sources)")
    for part in source.get("sources") or ():
        if "secret" in part:
            page.field(level, "SecretName", part["secret"].get("name", ""))
            page.field(level, "Optional", _bool(part["secret"].get("optional")))
        elif "downwardAPI" in part:
            page.field(level, "DownwardAPI", "true")
        elif "configMap" in part:
            page.field(level, "ConfigMapName", part["configMap"].get("name", ""))
            page.field(level, "Optional", _bool(part["configMap"].get("optional")))
        elif "serviceAccountToken" in part:
            page.field(level, "TokenExpirationSeconds", dig(part, "serviceAccountToken", "expirationSeconds"))
