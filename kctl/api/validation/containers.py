"""Validation of containers: images, ports, environment, mounts, probes, lifecycle.

In comes a container with its path and what the pod offers (:class:`Within`); complaints are
appended as validateContainers and validateInitContainers (core validation) order them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import environment, formats, probes, resources, security
from kctl.api.validation.meta import Errors, formatted
from kctl.api.validation.mounted_paths import inside, no_backsteps

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
RECURSIVE = ("Disabled", "Enabled", "IfPossible")
PROPAGATION = ("Bidirectional", "HostToContainer", "None")
BLOCK_ONLY = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"


class Within(NamedTuple):
    """What of the pod its containers are checked against."""

    volumes: dict[str, Obj]
    claims: Sequence[str]
    os: str
    grace: int
    restart_policy: str
    host_users: bool
    host_network: bool = False


def containers(values: list[Obj], within: Within, at: str, out: Errors) -> None:
    """Check the regular containers of a pod."""
    if not values:
        out.append(errors.required(at))
        return
    seen: set[str] = set()
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        _container(value, within, here, out)
        name = value.get("name") or ""
        if name in seen:
            out.append(errors.duplicate(f"{here}.name", name))
        seen.add(name)
        probes.lifecycle(value.get("lifecycle"), within.grace, f"{here}.lifecycle", out)
        probes.liveness(value.get("livenessProbe"), within.grace, f"{here}.livenessProbe", out)
        probes.readiness(value.get("readinessProbe"), within.grace, f"{here}.readinessProbe", out)
        probes.liveness(value.get("startupProbe"), within.grace, f"{here}.startupProbe", out)
        _restart_policy(value, here, out)
    _host_port_conflicts(values, at, out)


def init_containers(values: list[Obj], regular: list[Obj], within: Within, at: str, out: Errors) -> None:
    """Check init containers; restartable ones (sidecars) may have probes and hooks."""
    seen = {value.get("name") or "" for value in regular}
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        sidecar = value.get("restartPolicy") == "Always"
        _container(value, within, here, out)
        _restart_policy(value, here, out)
        name = value.get("name") or ""
        if name in seen:
            out.append(errors.duplicate(f"{here}.name", name))
        elif name:
            seen.add(name)
        _host_port_conflicts([value], f"{at}", out, first=n)
        if sidecar:
            probes.lifecycle(value.get("lifecycle"), within.grace, f"{here}.lifecycle", out)
            probes.liveness(value.get("livenessProbe"), within.grace, f"{here}.livenessProbe", out)
            probes.readiness(value.get("readinessProbe"), within.grace, f"{here}.readinessProbe", out)
            probes.liveness(value.get("startupProbe"), within.grace, f"{here}.startupProbe", out)
            continue
        for forbidden in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if value.get(forbidden) is not None:
                text = "may not be set for init containers without restartPolicy=Always"
                out.append(errors.forbidden_field(f"{here}.{forbidden}", text))


def _container(value: Obj, within: Within, at: str, out: Errors) -> None:
    """Check what all kinds of containers share, as validateContainerCommon."""
    name = value.get("name") or ""
    if not name:
        out.append(errors.required(f"{at}.name"))
    else:
        formatted(formats.dns_label, name, f"{at}.name", out)
    if not value.get("image"):
        out.append(errors.required(f"{at}.image"))
    policy = value.get("terminationMessagePolicy") or ""
    supported = ("FallbackToLogsOnError", "File")
    if not policy:
        out.append(errors.required(f"{at}.terminationMessagePolicy"))
    elif policy not in supported:
        out.append(errors.not_supported(f"{at}.terminationMessagePolicy", policy, supported))
    ports(value.get("ports") or (), f"{at}.ports", out)
    environment.env(value.get("env") or (), f"{at}.env", out)
    environment.env_from(value.get("envFrom") or (), f"{at}.envFrom", out)
    _mounts(value, within, at, out)
    _devices(value, within, at, out)
    pull = value.get("imagePullPolicy") or ""
    if not pull:
        out.append(errors.required(f"{at}.imagePullPolicy"))
    elif pull not in PULL_POLICIES:
        out.append(errors.not_supported(f"{at}.imagePullPolicy", pull, PULL_POLICIES))
    resources.requirements(value.get("resources") or {}, within.claims, f"{at}.resources", out)
    _resize_policy(value.get("resizePolicy") or (), within, f"{at}.resizePolicy", out)
    security.container(value.get("securityContext"), f"{at}.securityContext", out, host_users=within.host_users)


def ports(values: Sequence[Obj], at: str, out: Errors) -> None:
    """Check container ports, as validateContainerPorts."""
    seen: set[str] = set()
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        name = value.get("name") or ""
        if name:
            complaints = formats.port_name(name)
            for text in complaints:
                out.append(errors.invalid(f"{here}.name", name, text))
            if not complaints and name in seen:
                out.append(errors.duplicate(f"{here}.name", name))
            seen.add(name)
        number = value.get("containerPort") or 0
        if number == 0:
            out.append(errors.required(f"{here}.containerPort"))
        else:
            for text in formats.port_number(number):
                out.append(errors.invalid(f"{here}.containerPort", number, text))
        host = value.get("hostPort") or 0
        for text in formats.port_number(host) if host else ():
            out.append(errors.invalid(f"{here}.hostPort", host, text))
        protocol = value.get("protocol") or ""
        if not protocol:
            out.append(errors.required(f"{here}.protocol"))
        elif protocol not in PROTOCOLS:
            out.append(errors.not_supported(f"{here}.protocol", protocol, PROTOCOLS))


def _host_port_conflicts(values: list[Obj], at: str, out: Errors, first: int = 0) -> None:
    """Refuse the same host port twice in a pod, as AccumulateUniqueHostPorts."""
    seen: set[str] = set()
    for n, value in enumerate(values, first):
        for m, port in enumerate(value.get("ports") or ()):
            host = port.get("hostPort") or 0
            if not host:
                continue
            text = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{host}"
            if text in seen:
                out.append(errors.duplicate(f"{at}[{n}].ports[{m}].hostPort", text))
            seen.add(text)


def _restart_policy(value: Obj, at: str, out: Errors) -> None:
    """Check the container's own restart policy and its rules."""
    policy = value.get("restartPolicy")
    if policy is not None and policy not in {"Always", "Never", "OnFailure"}:
        supported = ("Always", "Never", "OnFailure")
        out.append(errors.not_supported(f"{at}.restartPolicy", policy, supported))
    rules = value.get("restartPolicyRules") or ()
    if rules and policy is None:
        out.append(errors.required(f"{at}.restartPolicy", "must specify restartPolicy when restart rules are used"))
    for n, rule in enumerate(rules):
        here = f"{at}.restartPolicyRules[{n}]"
        if rule.get("action") not in {"Restart", "RestartAllContainers"}:
            action = rule.get("action") or ""
            out.append(errors.not_supported(f"{here}.action", action, ("Restart", "RestartAllContainers")))
        codes = rule.get("exitCodes")
        if codes is None:
            out.append(errors.required(f"{here}.exitCodes", "must be specified"))
        elif codes.get("operator") not in {"In", "NotIn"}:
            out.append(errors.not_supported(f"{here}.exitCodes.operator", codes.get("operator") or "", ("In", "NotIn")))


def _resize_policy(values: Sequence[Obj], within: Within, at: str, out: Errors) -> None:
    """Check the resize policies: cpu and memory, each once."""
    seen: set[str] = set()
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        name, policy = value.get("resourceName") or "", value.get("restartPolicy") or ""
        if name in seen:
            out.append(errors.duplicate(here, name))
        seen.add(name)
        if not name:
            out.append(errors.required(here))
        elif name not in {"cpu", "memory"}:
            out.append(errors.not_supported(here, name, ("cpu", "memory")))
        if not policy:
            out.append(errors.required(here))
        elif policy not in {"NotRequired", "RestartContainer"}:
            out.append(errors.not_supported(here, policy, ("NotRequired", "RestartContainer")))
        if within.restart_policy == "Never" and policy != "NotRequired":
            out.append(errors.invalid(here, policy, "must be 'NotRequired' when `restartPolicy` is 'Never'"))


def _mounts(value: Obj, within: Within, at: str, out: Errors) -> None:
    """Check volume mounts: a known volume, each path once, sub-paths that stay inside."""
    devices = value.get("volumeDevices") or ()
    device_names = {device.get("name") or "" for device in devices}
    device_paths = {device.get("devicePath") or "" for device in devices}
    seen: set[str] = set()
    for n, mount in enumerate(value.get("volumeMounts") or ()):
        here = f"{at}.volumeMounts[{n}]"
        name, path = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            out.append(errors.required(f"{here}.name"))
        if name not in within.volumes:
            out.append(errors.not_found_field(f"{here}.name", name))
        if name in device_names:
            out.append(errors.invalid(f"{here}.name", name, "must not already exist in volumeDevices"))
        if not path:
            out.append(errors.required(f"{here}.mountPath"))
        if path in seen:
            out.append(errors.invalid(f"{here}.mountPath", path, "must be unique"))
        seen.add(path)
        if path in device_paths:
            out.append(errors.invalid(f"{here}.mountPath", path, "must not already exist as a path in volumeDevices"))
        _sub_path(mount, f"{at}.volumeMounts", here, out)
        _propagation(mount, value, here, out)


def _sub_path(mount: Obj, listed: str, at: str, out: Errors) -> None:
    """Check subPath and subPathExpr; upstream reports the first without an index."""
    sub, expression = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    if sub:
        inside(sub, f"{listed}.subPath", out)
    if expression:
        if sub:
            text = "subPathExpr and subPath are mutually exclusive"
            out.append(errors.invalid(f"{at}.subPathExpr", expression, text))
        inside(expression, f"{listed}.subPathExpr", out)


def _propagation(mount: Obj, container: Obj, at: str, out: Errors) -> None:
    """Check mount propagation, which needs privileges in one direction."""
    mode = mount.get("mountPropagation")
    if mode is not None and mode not in PROPAGATION:
        out.append(errors.not_supported(f"{at}.mountPropagation", mode, PROPAGATION))
    privileged = (container.get("securityContext") or {}).get("privileged")
    if mode == "Bidirectional" and not privileged:
        text = "Bidirectional mount propagation is available only to privileged containers"
        out.append(errors.forbidden_field(f"{at}.mountPropagation", text))
    recursive = mount.get("recursiveReadOnly")
    if recursive is None or recursive == "Disabled":
        return
    if recursive not in RECURSIVE:
        out.append(errors.not_supported(f"{at}.recursiveReadOnly", recursive, RECURSIVE))
        return
    if not mount.get("readOnly"):
        text = "may only be specified when readOnly is true"
        out.append(errors.forbidden_field(f"{at}.recursiveReadOnly", text))
    if mode not in {None, "None"}:
        text = "may only be specified when mountPropagation is None or not specified"
        out.append(errors.forbidden_field(f"{at}.recursiveReadOnly", text))


def _devices(value: Obj, within: Within, at: str, out: Errors) -> None:
    """Check block devices: claims only, each name and path once."""
    names: set[str] = set()
    paths: set[str] = set()
    mounts = value.get("volumeMounts") or ()
    mounted = {mount.get("name"): mount.get("mountPath") for mount in mounts}
    for n, device in enumerate(value.get("volumeDevices") or ()):
        here = f"{at}.volumeDevices[{n}]"
        name, path = device.get("name") or "", device.get("devicePath") or ""
        if not name:
            out.append(errors.required(f"{here}.name"))
        if name in names:
            out.append(errors.invalid(f"{here}.name", name, "must be unique"))
        volume: Any = within.volumes.get(name)
        if volume is not None and "persistentVolumeClaim" not in volume and "ephemeral" not in volume:
            out.append(errors.invalid(f"{here}.name", name, BLOCK_ONLY))
        elif volume is None:
            out.append(errors.not_found_field(f"{here}.name", name))
        if not path:
            out.append(errors.required(f"{here}.devicePath"))
        if path in paths:
            out.append(errors.invalid(f"{here}.devicePath", path, "must be unique"))
        if path:
            no_backsteps(path, f"{here}.devicePath", out)
        if name in mounted:
            out.append(errors.invalid(f"{here}.name", name, "must not already exist in volumeMounts"))
        if path and path in mounted.values():
            out.append(errors.invalid(f"{here}.devicePath", path, "must not already exist as a path in volumeMounts"))
        names.add(name)
        paths.add(path)
