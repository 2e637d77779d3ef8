"""Validation of security contexts: users, profiles, capabilities, Windows options.

In comes the security context of a pod or container with its path; complaints are appended as
ValidateSecurityContext and validatePodSpecSecurityContext (core validation) order them.
"""

from __future__ import annotations

import re
from typing import Any

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal
from kctl.api.validation.meta import Errors

MAX_ID = 2**31 - 1
SECCOMP = ("Localhost", "RuntimeDefault", "Unconfined")
SYSCTL = r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?"


def container(value: Obj | None, at: str, out: Errors, *, host_users: bool = True) -> None:
    """Check the security context of a container."""
    if value is None:
        return
    numeric_id(value.get("runAsUser"), f"{at}.runAsUser", out)
    numeric_id(value.get("runAsGroup"), f"{at}.runAsGroup", out)
    mount = value.get("procMount")
    if mount is not None and mount not in {"Default", "Unmasked"}:
        out.append(errors.not_supported(f"{at}.procMount", mount, ("Default", "Unmasked")))
    if mount == "Unmasked" and host_users:
        text = "`hostUsers` must be false to use `Unmasked`"
        out.append(errors.invalid(f"{at}.procMount", mount, text))
    seccomp(value.get("seccompProfile"), f"{at}.seccompProfile", out)
    if value.get("allowPrivilegeEscalation") is False:
        _escalation(value, at, out)
    windows(value.get("windowsOptions"), f"{at}.windowsOptions", out)
    app_armor(value.get("appArmorProfile"), f"{at}.appArmorProfile", out)


def _escalation(value: Obj, at: str, out: Errors) -> None:
    """Refuse privileges for a container that may not gain any."""
    if value.get("privileged"):
        text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        out.append(errors.invalid(at, internal.shown("SecurityContext", value), text))
    for name in (value.get("capabilities") or {}).get("add") or ():
        if name == "CAP_SYS_ADMIN":
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            out.append(errors.invalid(at, internal.shown("SecurityContext", value), text))


def numeric_id(value: Any, at: str, out: Errors) -> None:
    """Check the number of a user or group."""
    if value is not None and not 0 <= value <= MAX_ID:
        out.append(errors.invalid(at, value, formats.in_range(0, MAX_ID)))


def seccomp(value: Obj | None, at: str, out: Errors) -> None:
    """Check a seccomp profile."""
    if value is None:
        return
    kind, path = value.get("type") or "", value.get("localhostProfile")
    if kind == "Localhost":
        if path is None:
            text = "must be set when seccomp type is Localhost"
            out.append(errors.required(f"{at}.localhostProfile", text))
        else:
            _descending(path, f"{at}.localhostProfile", out)
    elif path is not None:
        text = "can only be set when seccomp type is Localhost"
        out.append(errors.invalid(f"{at}.localhostProfile", path, text))
    if not kind:
        out.append(errors.required(f"{at}.type", "type is required when seccompProfile is set"))
    elif kind not in SECCOMP:
        out.append(errors.not_supported(f"{at}.type", kind, SECCOMP))


def _descending(path: str, at: str, out: Errors) -> None:
    """Check that a path is relative and does not lead out."""
    if path.startswith("/"):
        out.append(errors.invalid(at, path, "must be a relative path"))
    if ".." in path.split("/"):
        out.append(errors.invalid(at, path, "must not contain '..'"))


def app_armor(value: Obj | None, at: str, out: Errors) -> None:
    """Check an AppArmor profile."""
    if value is None:
        return
    kind, profile = value.get("type") or "", value.get("localhostProfile")
    if kind == "Localhost":
        if profile is None:
            text = "must be set when AppArmor type is Localhost"
            out.append(errors.required(f"{at}.localhostProfile", text))
        else:
            trimmed = profile.strip()
            if trimmed != profile:
                out.append(errors.invalid(f"{at}.localhostProfile", profile, "must not be padded with whitespace"))
            elif not trimmed:
                text = "must be set when AppArmor type is Localhost"
                out.append(errors.required(f"{at}.localhostProfile", text))
            if len(profile) > 4095:
                out.append(errors.too_long(f"{at}.localhostProfile", profile, 4095))
    elif profile is not None:
        text = "can only be set when AppArmor type is Localhost"
        out.append(errors.invalid(f"{at}.localhostProfile", profile, text))
    if not kind:
        out.append(errors.required(f"{at}.type", "type is required when appArmorProfile is set"))
    elif kind not in SECCOMP:
        out.append(errors.not_supported(f"{at}.type", kind, SECCOMP))


def pod(spec: Obj, at: str, out: Errors) -> None:
    """Check the security context of a pod; ``at`` is the path of the spec."""
    value = spec.get("securityContext")
    here = f"{at}.securityContext"
    if value is not None:
        numeric_id(value.get("fsGroup"), f"{here}.fsGroup", out)
        numeric_id(value.get("runAsUser"), f"{here}.runAsUser", out)
        numeric_id(value.get("runAsGroup"), f"{here}.runAsGroup", out)
        for n, group in enumerate(value.get("supplementalGroups") or ()):
            numeric_id(group, f"{here}.supplementalGroups[{n}]", out)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        out.append(errors.invalid(f"{here}.shareProcessNamespace", True, text))
    if value is None:
        return
    if value.get("sysctls"):
        _sysctls(value["sysctls"], spec, f"{here}.sysctls", out)
    policy = value.get("fsGroupChangePolicy")
    if policy is not None and policy not in {"Always", "OnRootMismatch"}:
        out.append(errors.not_supported(f"{here}.fsGroupChangePolicy", policy, ("Always", "OnRootMismatch")))
    seccomp(value.get("seccompProfile"), f"{here}.seccompProfile", out)
    windows(value.get("windowsOptions"), f"{here}.windowsOptions", out)
    app_armor(value.get("appArmorProfile"), f"{here}.appArmorProfile", out)
    policy = value.get("supplementalGroupsPolicy")
    if policy is not None and policy not in {"Merge", "Strict"}:
        out.append(errors.not_supported(f"{here}.supplementalGroupsPolicy", policy, ("Merge", "Strict")))


def _sysctls(values: list[Obj], spec: Obj, at: str, out: Errors) -> None:
    """Check kernel parameters: well formed, each once, none of the host's own."""
    seen: set[str] = set()
    for n, value in enumerate(values):
        here = f"{at}[{n}].name"
        name = value.get("name") or ""
        if not name:
            out.append(errors.required(here))
        elif len(name) > 253 or not re.fullmatch(SYSCTL, name):
            text = f"must have at most 253 characters and match regex ^{SYSCTL}$"
            out.append(errors.invalid(here, name, text))
        elif name.replace("/", ".") in seen:
            out.append(errors.duplicate(here, name))
        if spec.get("hostNetwork") and name.startswith("net."):
            out.append(errors.invalid(here, name, "may not be specified when 'hostNetwork' is true"))
        if spec.get("hostIPC") and name.startswith(("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")):
            out.append(errors.invalid(here, name, "may not be specified when 'hostIPC' is true"))
        seen.add(name.replace("/", "."))


def windows(value: Obj | None, at: str, out: Errors) -> None:
    """Check Windows options, as validateWindowsSecurityContextOptions."""
    if value is None:
        return
    name = value.get("gmsaCredentialSpecName")
    if name is not None:
        for text in formats.dns_subdomain(name):
            out.append(errors.invalid(f"{at}.gmsaCredentialSpecName", name, text))
    spec = value.get("gmsaCredentialSpec")
    if spec is not None:
        if not spec:
            text = "gmsaCredentialSpec cannot be an empty string"
            out.append(errors.invalid(f"{at}.gmsaCredentialSpec", spec, text))
        elif formats.size(spec) > 64 * 1024:
            text = "gmsaCredentialSpec size must be under 64 KiB"
            out.append(errors.invalid(f"{at}.gmsaCredentialSpec", spec, text))
    user = value.get("runAsUserName")
    if user is not None:
        _user_name(user, f"{at}.runAsUserName", out)


def _user_name(user: str, at: str, out: Errors) -> None:
    """Check a Windows user: an optional domain, then a name."""
    if not user:
        out.append(errors.invalid(at, user, "runAsUserName cannot be an empty string"))
        return
    if re.search(r"[\x00-\x1f\x7f]", user):
        out.append(errors.invalid(at, user, "runAsUserName cannot contain control characters"))
    if user.count("\\") > 1:
        text = "runAsUserName cannot contain more than one backslash"
        out.append(errors.invalid(at, user, text))
        return
    _, _, name = user.rpartition("\\")
    if not name:
        out.append(errors.invalid(at, user, "runAsUserName's User cannot be empty"))
    elif len(name) > 104:
        text = "runAsUserName's User length must not be longer than 104 characters"
        out.append(errors.invalid(at, user, text))
    if re.fullmatch(r"[\. ]+", name):
        out.append(errors.invalid(at, user, "runAsUserName's User cannot contain only periods or spaces"))
    if re.search(r'["/\\:;|=,+*?<>@\[\]]', name):
        text = "runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"
        out.append(errors.invalid(at, user, text))


WINDOWS_POD_CONTEXT = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "shareProcessNamespace",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
)
WINDOWS_CONTEXT = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)


def operating_system(spec: Obj, at: str, out: Errors) -> None:
    """Check the fields that the pod's operating system does not have."""
    system = spec.get("os")
    if system is None:
        return
    name = system.get("name") or ""
    if not name:
        out.append(errors.required(f"{at}.os.name"))
    elif name not in {"linux", "windows"}:
        out.append(errors.not_supported(f"{at}.os", name, ("linux", "windows")))
    elif name == "linux":
        _no_windows(spec, at, out)
    else:
        _no_linux(spec, at, out)


def _no_windows(spec: Obj, at: str, out: Errors) -> None:
    """Refuse Windows options in a Linux pod, as validateLinux."""
    text = "windows options cannot be set for a linux pod"
    if (spec.get("securityContext") or {}).get("windowsOptions") is not None:
        out.append(errors.forbidden_field(f"{at}.securityContext.windowsOptions", text))
    for path, value in all_containers(spec, at):
        if (value.get("securityContext") or {}).get("windowsOptions") is not None:
            out.append(errors.forbidden_field(f"{path}.securityContext.windowsOptions", text))


def _no_linux(spec: Obj, at: str, out: Errors) -> None:
    """Refuse Linux fields in a Windows pod, as validateWindows."""
    text = "cannot be set for a windows pod"
    context = spec.get("securityContext") or {}
    for name in ("appArmorProfile", "seLinuxOptions"):
        if context.get(name) is not None:
            out.append(errors.forbidden_field(f"{at}.securityContext.{name}", text))
    if spec.get("hostUsers") is not None:
        out.append(errors.forbidden_field(f"{at}.hostUsers", text))
    for name in ("hostPID", "hostIPC"):
        if spec.get(name):
            out.append(errors.forbidden_field(f"{at}.{name}", text))
    for name in WINDOWS_POD_CONTEXT[2:]:
        value = spec.get(name) if name == "shareProcessNamespace" else context.get(name)
        if value is not None:
            out.append(errors.forbidden_field(f"{at}.securityContext.{name}", text))
    for path, value in all_containers(spec, at):
        container_context = value.get("securityContext") or {}
        for name in WINDOWS_CONTEXT:
            if container_context.get(name) is not None:
                out.append(errors.forbidden_field(f"{path}.securityContext.{name}", text))


def all_containers(spec: Obj, at: str) -> list[tuple[str, Obj]]:
    """Return every container of the pod with its path, in the order upstream visits them."""
    found = []
    for name in ("initContainers", "containers", "ephemeralContainers"):
        found += [(f"{at}.{name}[{n}]", value) for n, value in enumerate(spec.get(name) or ())]
    return found


def host_process(spec: Obj, at: str, out: Errors) -> None:
    """Check that Windows host processes come alone and on the host's network."""
    pod_wide = ((spec.get("securityContext") or {}).get("windowsOptions") or {}).get("hostProcess")
    flags = []
    for path, value in all_containers(spec, at):
        own = ((value.get("securityContext") or {}).get("windowsOptions") or {}).get("hostProcess")
        if own is not None and pod_wide is not None and own != pod_wide:
            text = f"pod hostProcess value must be identical if both are specified, was {str(pod_wide).lower()}"
            out.append(errors.invalid(f"{path}.securityContext.windowsOptions.hostProcess", own, text))
        flags.append(bool(pod_wide if own is None else own))
    if any(flags) and not all(flags):
        text = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        out.append(errors.invalid(at, "", text))
    if any(flags) and not spec.get("hostNetwork"):
        text = "hostNetwork must be true if pod contains any hostProcess containers"
        out.append(errors.invalid(f"{at}.hostNetwork", False, text))
