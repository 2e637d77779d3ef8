"""The checks of the Pod Security Standards, with the versions since which they hold.

In: a standard, a pod's metadata and spec. Out: reason and detail of every check that fails, in
the words of k8s.io/pod-security-admission/policy. A check is a function of metadata and spec that
returns a detail, "" when the pod passes; :data:`CHECKS` says from which minor on which one
counts. Containers are always visited in upstream's order: init, regular, ephemeral.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

from kctl.api.objects import Obj, dig
from kctl.apiserver.admission.pod_security_policy import Standard

SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
PROFILES = ("RuntimeDefault", "Localhost")
HANDLERS = ("livenessProbe", "readinessProbe", "startupProbe")
CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
SYSCTLS = {
    0: "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range "
    "net.ipv4.ip_unprivileged_port_start",
    27: "net.ipv4.ip_local_reserved_ports",
    29: "net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl "
    "net.ipv4.tcp_keepalive_probes",
    32: "net.ipv4.tcp_rmem net.ipv4.tcp_wmem",
}
"""The sysctls that are safe, by the version that adds them."""
SELINUX = ("", "container_t", "container_init_t", "container_kvm_t")
VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
RESTRICTED_VOLUMES = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
]
Function = Callable[[Obj, Obj], str]


class Check(NamedTuple):
    """One check: ``versions`` from new to old, ``overrides`` the baseline check it stands in for."""

    id: str
    level: str
    reason: str
    versions: tuple[tuple[int, Function], ...]
    overrides: str = ""


def evaluate(standard: Standard, meta: Obj, spec: Obj) -> list[tuple[str, str]]:
    """Return reason and detail of the checks of a standard that fail, baseline ones first."""
    due = [(check, function) for check in CHECKS if (function := _due(check, standard)) is not None]
    overridden = {check.overrides for check, _ in due}
    found = []
    for check, function in due:
        detail = "" if check.id in overridden else function(meta, spec)
        if detail:
            plural = check.id == "appArmorProfile" and len(apparmor_values(meta, spec)) > 1
            found.append((check.reason + "s" if plural else check.reason, detail))
    return found


def _due(check: Check, standard: Standard) -> Function | None:
    if check.level == "restricted" and standard.level != "restricted":
        return None
    return next((function for since, function in check.versions if standard.version >= since), None)


def containers(spec: Obj) -> list[Obj]:
    """Return all containers of a pod in the order they are visited."""
    return [c for field in ("initContainers", "containers", "ephemeralContainers") for c in spec.get(field) or ()]


def quoted(names: Iterable[str]) -> str:
    """Write names as joinQuote does."""
    return ", ".join(f'"{name}"' for name in names)


def several(word: str, names: Iterable[str]) -> str:
    """Write ``container "a"`` or ``containers "a", "b"``."""
    listed = list(names)
    return f"{word}{'' if len(listed) == 1 else 's'} {quoted(listed)}"


def named(found: Iterable[Obj]) -> list[str]:
    """Return the names of containers or volumes."""
    return [each.get("name") or "" for each in found]


def _security(container: Obj, *path: str) -> object:
    return dig(container, "securityContext", *path)


def _setters(pod: bool, found: Iterable[Obj]) -> str:
    """Name who sets something: the pod, some containers, or both."""
    bad = named(found)
    return " and ".join((["pod"] if pod else []) + ([several("container", bad)] if bad else []))


def host_namespaces(meta: Obj, spec: Obj) -> str:
    """No namespaces of the host."""
    return ", ".join(f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name))


def host_path(meta: Obj, spec: Obj) -> str:
    """No hostPath volumes."""
    bad = [v for v in spec.get("volumes") or () if v.get("hostPath") is not None]
    return several("volume", named(bad)) if bad else ""


def host_ports(meta: Obj, spec: Obj) -> str:
    """No ports of the host."""
    bad = [c for c in containers(spec) if any(p.get("hostPort") for p in c.get("ports") or ())]
    ports = sorted({str(p["hostPort"]) for c in bad for p in c["ports"] if p.get("hostPort")})
    return f"{_uses(bad, 'container')} hostPort{'' if len(ports) == 1 else 's'} {', '.join(ports)}" if bad else ""


def _uses(bad: list[Obj], word: str) -> str:
    return f"{several(word, named(bad))} {'uses' if len(bad) == 1 else 'use'}"


def host_probes(meta: Obj, spec: Obj) -> str:
    """No other hosts in probes and lifecycle hooks."""
    bad: dict[str, list[str]] = {}
    for container in containers(spec):
        handlers = [container.get(name) for name in HANDLERS]
        handlers += [dig(container, "lifecycle", name) for name in ("postStart", "preStop")]
        hosts = [dig(h, kind, "host") for h in handlers for kind in ("httpGet", "tcpSocket")]
        if any(hosts):
            bad.setdefault(container.get("name") or "", []).extend(host for host in hosts if host)
    if not bad:
        return ""
    hosts = sorted({host for found in bad.values() for host in found})
    uses = "uses" if len(bad) == 1 else "use"
    return f"{several('container', sorted(bad))} {uses} {several('probe or lifecycle host', hosts)}"


def privileged(meta: Obj, spec: Obj) -> str:
    """No privileged containers."""
    bad = [c for c in containers(spec) if _security(c, "privileged")]
    return f"{several('container', named(bad))} must not set securityContext.privileged=true" if bad else ""


def capabilities_baseline(meta: Obj, spec: Obj) -> str:
    """No capabilities beyond those a container has anyway."""
    return _added(spec, CAPABILITIES)


def _added(spec: Obj, allowed: Iterable[str]) -> str:
    """Say which containers add capabilities that are not allowed."""
    bad, names = [], set()
    for container in containers(spec):
        more = {c for c in dig(container, "securityContext", "capabilities", "add", default=()) if c not in allowed}
        if more:
            bad.append(container)
            names |= more
    if not bad:
        return ""
    return f"{several('container', named(bad))} must not include {quoted(sorted(names))} in {ADD}"


ADD = "securityContext.capabilities.add"


def capabilities_restricted(meta: Obj, spec: Obj) -> str:
    """All capabilities dropped, and none but NET_BIND_SERVICE added."""
    keep = [c for c in containers(spec) if "ALL" not in dig(c, "securityContext", "capabilities", "drop", default=())]
    said = []
    if keep:
        said.append(f'{several("container", named(keep))} must set securityContext.capabilities.drop=["ALL"]')
    added = _added(spec, ("NET_BIND_SERVICE",))
    return "; ".join([*said, added] if added else said)


def proc_mount(meta: Obj, spec: Obj) -> str:
    """No other /proc than the masked one."""
    bad = [c for c in containers(spec) if _security(c, "procMount") not in (None, "Default")]
    kinds = quoted(sorted({str(_security(c, "procMount")) for c in bad}))
    return f"{several('container', named(bad))} must not set securityContext.procMount to {kinds}" if bad else ""


def selinux(allowed: tuple[str, ...]) -> Function:
    """No SELinux user or role, and only the types given."""

    def check(meta: Obj, spec: Obj) -> str:
        def wrong(holder: Obj) -> bool:
            options = dig(holder, "securityContext", "seLinuxOptions", default={})
            return (options.get("type") or "") not in allowed or bool(options.get("user") or options.get("role"))

        bad = [c for c in containers(spec) if wrong(c)]
        if not bad and not wrong(spec):
            return ""
        options = [dig(h, "securityContext", "seLinuxOptions", default={}) for h in (spec, *bad)]
        types = sorted({o["type"] for o in options if (o.get("type") or "") not in allowed})
        said = [several("type", types)] if types else []
        said += [f"{name} may not be set" for name in ("user", "role") if any(o.get(name) for o in options)]
        return f"{_setters(wrong(spec), bad)} set forbidden securityContext.seLinuxOptions: {'; '.join(said)}"

    return check


def sysctls(version: int) -> Function:
    """No sysctls but the safe ones of a version."""
    allowed = frozenset(name for since, names in SYSCTLS.items() if since <= version for name in names.split())

    def check(meta: Obj, spec: Obj) -> str:
        found = dig(spec, "securityContext", "sysctls", default=())
        return ", ".join(s.get("name") or "" for s in found if s.get("name") not in allowed)

    return check


def host_process(meta: Obj, spec: Obj) -> str:
    """No Windows processes of the host."""
    path = ("windowsOptions", "hostProcess")
    who = _setters(bool(_security(spec, *path)), (c for c in containers(spec) if _security(c, *path)))
    return f"{who} must not set securityContext.windowsOptions.hostProcess=true" if who else ""


def apparmor(meta: Obj, spec: Obj) -> str:
    """No AppArmor profile but the default and local ones, in fields or annotations."""
    bad, notes = _apparmor_holders(spec), _apparmor_annotations(meta)
    who = [_setters(any(h is spec for h in bad), (h for h in bad if h is not spec))] if bad else []
    who += [f"annotation{'' if len(notes) == 1 else 's'}"] if notes else []
    values = apparmor_values(meta, spec)
    return f"{' and '.join(who)} must not set AppArmor profile type to {quoted(values)}" if who else ""


def apparmor_values(meta: Obj, spec: Obj) -> list[str]:
    """Return the AppArmor profiles that are not allowed."""
    types = {str(_security(h, "appArmorProfile", "type") or "") for h in _apparmor_holders(spec)}
    return [*sorted(types), *_apparmor_annotations(meta)]


def _apparmor_holders(spec: Obj) -> list[Obj]:
    """Return the pod and the containers that set a profile that is not allowed."""
    holders = (h for h in (spec, *containers(spec)) if _security(h, "appArmorProfile") is not None)
    return [h for h in holders if _security(h, "appArmorProfile", "type") not in PROFILES]


def _apparmor_annotations(meta: Obj) -> list[str]:
    return sorted(
        f"{name}={json.dumps(value, ensure_ascii=False)}"
        for name, value in (meta.get("annotations") or {}).items()
        if name.startswith(APPARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/")
    )


def _seccomp(spec: Obj) -> str:
    """Say who sets a seccomp profile that is not allowed."""
    holders = [h for h in (spec, *containers(spec)) if dig(h, "securityContext", "seccompProfile") is not None]
    bad = [h for h in holders if _security(h, "seccompProfile", "type") not in PROFILES]
    if not bad:
        return ""
    values = quoted(sorted({str(_security(h, "seccompProfile", "type") or "") for h in bad}))
    who = _setters(any(h is spec for h in bad), (h for h in bad if h is not spec))
    return f"{who} must not set securityContext.seccompProfile.type to {values}"


def seccomp_baseline(meta: Obj, spec: Obj) -> str:
    """No seccomp profile but the default and local ones."""
    return _seccomp(spec)


def seccomp_annotations(meta: Obj, spec: Obj) -> str:
    """The same, from before there were fields for it."""
    notes = meta.get("annotations") or {}
    names = [SECCOMP_POD, *(SECCOMP_CONTAINER + name for name in named(containers(spec)))]
    fine = ("runtime/default", "docker/default")
    bad = sorted(
        {
            f"{name}={json.dumps(notes[name], ensure_ascii=False)}"
            for name in names
            if name in notes and notes[name] not in fine and not notes[name].startswith("localhost/")
        }
    )
    return f"forbidden annotation{'' if len(bad) == 1 else 's'} {', '.join(bad)}" if bad else ""


def seccomp_restricted(meta: Obj, spec: Obj) -> str:
    """A seccomp profile for every container."""
    wrong = _seccomp(spec)
    if wrong or _security(spec, "seccompProfile") is not None:
        return wrong
    bad = [c for c in containers(spec) if _security(c, "seccompProfile") is None]
    wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return f"pod or {several('container', named(bad))} {wanted}" if bad else ""


def no_escalation(meta: Obj, spec: Obj) -> str:
    """No privilege escalation."""
    bad = [c for c in containers(spec) if _security(c, "allowPrivilegeEscalation") is not False]
    what = "must set securityContext.allowPrivilegeEscalation=false"
    return f"{several('container', named(bad))} {what}" if bad else ""


def restricted_volumes(meta: Obj, spec: Obj) -> str:
    """No volumes but those that are made for the pod."""
    bad = [v for v in spec.get("volumes") or () if not any(v.get(kind) is not None for kind in VOLUMES)]
    if not bad:
        return ""
    kinds = {next((kind for kind in RESTRICTED_VOLUMES if v.get(kind) is not None), "unknown") for v in bad}
    return f"{_uses(bad, 'volume')} {several('restricted volume type', sorted(kinds))}"


def run_as_non_root(meta: Obj, spec: Obj) -> str:
    """Every container must be kept from running as root."""
    of_pod = _security(spec, "runAsNonRoot")
    wrong = [c for c in containers(spec) if _security(c, "runAsNonRoot") is False]
    who = _setters(of_pod is False, wrong)
    if who:
        return f"{who} must not set securityContext.runAsNonRoot=false"
    silent = [c for c in containers(spec) if _security(c, "runAsNonRoot") is None]
    if of_pod or not silent:
        return ""
    return f"pod or {several('container', named(silent))} must set securityContext.runAsNonRoot=true"


def run_as_user(meta: Obj, spec: Obj) -> str:
    """Nobody asks to be root."""
    who = _setters(_security(spec, "runAsUser") == 0, (c for c in containers(spec) if _security(c, "runAsUser") == 0))
    return f"{who} must not set runAsUser=0" if who else ""


def in_own_users(check: Function) -> Function:
    """Pass pods in a user namespace of their own; judge the others."""
    return lambda meta, spec: "" if spec.get("hostUsers") is False else check(meta, spec)


def on_linux(check: Function) -> Function:
    """Pass pods for Windows, where the field means nothing; judge the others."""
    return lambda meta, spec: "" if dig(spec, "os", "name") == "windows" else check(meta, spec)


BASELINE, RESTRICTED = "baseline", "restricted"
CHECKS = (
    Check("appArmorProfile", BASELINE, "forbidden AppArmor profile", ((0, apparmor),)),
    Check("capabilities_baseline", BASELINE, "non-default capabilities", ((0, capabilities_baseline),)),
    Check("hostNamespaces", BASELINE, "host namespaces", ((0, host_namespaces),)),
    Check("hostPathVolumes", BASELINE, "hostPath volumes", ((0, host_path),)),
    Check("hostPorts", BASELINE, "hostPort", ((0, host_ports),)),
    Check("hostProbesAndHostLifecycle", BASELINE, "probe or lifecycle host", ((34, host_probes),)),
    Check("privileged", BASELINE, "privileged", ((0, privileged),)),
    Check("procMount", BASELINE, "procMount", ((35, in_own_users(proc_mount)), (0, proc_mount))),
    Check(
        "seLinuxOptions",
        BASELINE,
        "seLinuxOptions",
        ((31, selinux((*SELINUX, "container_engine_t"))), (0, selinux(SELINUX))),
    ),
    Check("seccompProfile_baseline", BASELINE, "seccompProfile", ((19, seccomp_baseline), (0, seccomp_annotations))),
    Check(
        "sysctls",
        BASELINE,
        "forbidden sysctls",
        tuple((since, sysctls(since)) for since in sorted(SYSCTLS, reverse=True)),
    ),
    Check("windowsHostProcess", BASELINE, "hostProcess", ((0, host_process),)),
    Check(
        "allowPrivilegeEscalation",
        RESTRICTED,
        "allowPrivilegeEscalation != false",
        ((25, on_linux(no_escalation)), (8, no_escalation)),
    ),
    Check(
        "capabilities_restricted",
        RESTRICTED,
        "unrestricted capabilities",
        ((25, on_linux(capabilities_restricted)), (22, capabilities_restricted)),
        "capabilities_baseline",
    ),
    Check("procMount_restricted", RESTRICTED, "procMount", ((35, proc_mount),), "procMount"),
    Check("restrictedVolumes", RESTRICTED, "restricted volume types", ((0, restricted_volumes),), "hostPathVolumes"),
    Check(
        "runAsNonRoot", RESTRICTED, "runAsNonRoot != true", ((35, in_own_users(run_as_non_root)), (0, run_as_non_root))
    ),
    Check("runAsUser", RESTRICTED, "runAsUser=0", ((35, in_own_users(run_as_user)), (23, run_as_user))),
    Check(
        "seccompProfile_restricted",
        RESTRICTED,
        "seccompProfile",
        ((25, on_linux(seccomp_restricted)), (19, seccomp_restricted)),
        "seccompProfile_baseline",
    ),
)
"""All checks in the order they are told: baseline first, each by id."""
