"""Validation of Pods and pod templates as wholes.

In comes a Pod, or a pod spec with its path; complaints are appended in the order of ValidatePodSpec,
ValidatePodCreate and ValidatePodTemplateSpec (core validation). The parts are in
``containers``, ``volumes``, ``scheduling``, ``security`` and ``resources``.
"""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import containers, formats, internal, meta, resources, scheduling, security, volumes
from kctl.api.validation.containers import Within
from kctl.api.validation.meta import Errors, formatted

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
CREDENTIALS = "must not be specified when serviceAccountName is not set"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"


def create(obj: Obj, out: Errors) -> None:
    """Check a new Pod, its metadata apart (ValidatePodCreate)."""
    whole(obj, out)
    spec = obj.get("spec") or {}
    if spec.get("ephemeralContainers"):
        text = "cannot be set on create"
        out.append(errors.forbidden_field("spec.ephemeralContainers", text))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        text = "cannot be set until all schedulingGates have been cleared"
        out.append(errors.forbidden_field("spec.nodeName", text))


def whole(obj: Obj, out: Errors) -> None:
    """Check what creation and updates of a Pod share (validatePodMetadataAndSpec)."""
    spec = obj.get("spec") or {}
    check_annotations(obj["metadata"].get("annotations") or {}, spec, "metadata.annotations", out)
    pod_spec(spec, "spec", out)
    if not spec.get("serviceAccountName"):
        for n, value in enumerate(spec.get("volumes") or ()):
            for m, source in enumerate((value.get("projected") or {}).get("sources") or ()):
                if source.get("serviceAccountToken") is not None:
                    here = f"spec.volumes[{n}].projected.sources[{m}].serviceAccountToken"
                    out.append(errors.forbidden_field(here, CREDENTIALS))
    for name in ("containers", "initContainers", "ephemeralContainers"):
        for n, value in enumerate(spec.get(name) or ()):
            image = value.get("image") or ""
            if image != image.strip():
                text = "must not have leading or trailing whitespace"
                out.append(errors.invalid(f"spec.{name}[{n}].image", image, text))


def template(value: Obj, at: str, out: Errors) -> None:
    """Check a pod template; upstream reports its labels without ``metadata`` in the path."""
    spec = value.get("spec") or {}
    template_metadata(value, at, out)
    pod_spec(spec, f"{at}.spec", out)
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        out.append(errors.forbidden_field(f"{at}.spec.ephemeralContainers", text))


def template_metadata(value: Obj, at: str, out: Errors) -> None:
    """Check labels and annotations of a pod template."""
    metadata = value.get("metadata") or {}
    meta.labels(metadata.get("labels"), f"{at}.labels", out)
    meta.check_annotations(metadata.get("annotations"), f"{at}.annotations", out)
    check_annotations(metadata.get("annotations") or {}, value.get("spec") or {}, f"{at}.annotations", out)


def check_annotations(values: Obj, spec: Obj, at: str, out: Errors) -> None:
    """Check the annotations that mean something for pods."""
    if "kubernetes.io/config.mirror" in values and not spec.get("nodeName"):
        text = "must set spec.nodeName if mirror pod annotation is set"
        out.append(errors.invalid(f"{at}[kubernetes.io/config.mirror]", values["kubernetes.io/config.mirror"], text))
    cost = values.get("controller.kubernetes.io/pod-deletion-cost")
    if cost is not None and not _int32(cost):
        here = f"{at}[controller.kubernetes.io/pod-deletion-cost]"
        out.append(errors.invalid(here, cost, "must be a 32bit integer"))
    if SECCOMP_POD in values:
        _seccomp(values[SECCOMP_POD], f"{at}.{SECCOMP_POD}", out)
    for key in sorted(values):
        if key.startswith("container.seccomp.security.alpha.kubernetes.io/"):
            _seccomp(values[key], f"{at}.{key}", out)
    for key in sorted(values):
        if key.startswith(APP_ARMOR):
            _app_armor(values[key], f"{at}[{key}]", out, spec, key.removeprefix(APP_ARMOR))


def _int32(text: str) -> bool:
    """Say whether the text is an integer of 32 bits, written plainly."""
    digits = text.removeprefix("-")
    plain = digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0")
    return plain and text != "-0" and -(2**31) <= int(text) < 2**31


def _seccomp(value: str, at: str, out: Errors) -> None:
    """Check a seccomp profile in an annotation."""
    if value in {"runtime/default", "docker/default", "unconfined"}:
        return
    if value.startswith("localhost/"):
        return
    out.append(errors.invalid(at, value, "must be a valid seccomp profile"))


def _app_armor(value: str, at: str, out: Errors, spec: Obj, container: str) -> None:
    """Check an AppArmor profile in an annotation, and that its container exists."""
    if value not in {"", "runtime/default", "unconfined"} and not value.startswith("localhost/"):
        text = f"invalid AppArmor profile name: {errors.go_value(value)}"
        out.append(errors.invalid(at, value, text))
    names = {row.get("name") for _, row in security.all_containers(spec, "")}
    if container not in names:
        out.append(errors.invalid(at, container, "container not found"))


def pod_spec(spec: Obj, at: str, out: Errors) -> None:
    """Check a pod spec, as ValidatePodSpec."""
    # A negative period is taken as one second, for the sake of old objects.
    grace = spec.get("terminationGracePeriodSeconds") or 0
    known = volumes.volumes(spec.get("volumes") or (), f"{at}.volumes", out)
    claims = [value.get("name") or "" for value in spec.get("resourceClaims") or ()]
    _resource_claims(spec.get("resourceClaims") or (), f"{at}.resourceClaims", out)
    within = Within(
        known,
        [name for name in claims if name],
        (spec.get("os") or {}).get("name") or "",
        grace,
        spec.get("restartPolicy") or "",
        spec.get("hostUsers") is not False,
    )
    regular = spec.get("containers") or []
    containers.containers(regular, within, f"{at}.containers", out)
    containers.init_containers(spec.get("initContainers") or [], regular, within, f"{at}.initContainers", out)
    resources.pod_level(spec, f"{at}.resources", out)
    _host_network(spec, at, out)
    _policies(spec, at, out)
    meta.labels(spec.get("nodeSelector"), f"{at}.nodeSelector", out)
    security.pod(spec, at, out)
    if spec.get("affinity") is not None:
        scheduling.affinity(spec["affinity"], f"{at}.affinity", out)
    _dns_config(spec, f"{at}.dnsConfig", out)
    for n, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType") or ""
        formatted(formats.qualified_name, kind, f"{at}.readinessGates[{n}].conditionType", out)
    scheduling.gates(spec.get("schedulingGates") or [], f"{at}.schedulingGates", out)
    scheduling.spread_constraints(spec.get("topologySpreadConstraints") or [], f"{at}.topologySpreadConstraints", out)
    security.host_process(spec, at, out)
    _host_users(spec, at, out)
    _names(spec, at, out)
    _rest(spec, at, out)
    security.operating_system(spec, at, out)


def _resource_claims(values: Sequence[Obj], at: str, out: Errors) -> None:
    """Check the claims of a pod for devices: each named, from one source."""
    seen: set[str] = set()
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        name = value.get("name") or ""
        if not name:
            out.append(errors.required(f"{here}.name"))
        elif name in seen:
            out.append(errors.duplicate(f"{here}.name", name))
        else:
            formatted(formats.dns_label, name, f"{here}.name", out)
            seen.add(name)
        claim, claim_template = value.get("resourceClaimName"), value.get("resourceClaimTemplateName")
        shown = internal.shown("PodResourceClaim", value)
        if claim is not None and claim_template is not None:
            text = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            out.append(errors.invalid(here, shown, text))
        if claim is None and claim_template is None:
            text = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            out.append(errors.invalid(here, shown, text))
        for field, given in (("resourceClaimName", claim), ("resourceClaimTemplateName", claim_template)):
            if given is not None:
                formatted(formats.dns_subdomain, given, f"{here}.{field}", out)


def _host_network(spec: Obj, at: str, out: Errors) -> None:
    """Check that a pod on its node's network has the ports it says."""
    if not spec.get("hostNetwork"):
        return
    for name in ("containers", "initContainers"):
        for n, value in enumerate(spec.get(name) or ()):
            for m, port in enumerate(value.get("ports") or ()):
                host, own = port.get("hostPort") or 0, port.get("containerPort") or 0
                if host and host != own:
                    text = "must match `containerPort` when `hostNetwork` is true"
                    out.append(errors.invalid(f"{at}.{name}[{n}].ports[{m}].hostPort", host, text))


def _policies(spec: Obj, at: str, out: Errors) -> None:
    """Check when containers restart and where names are looked up."""
    for name, supported in (("restartPolicy", RESTART_POLICIES), ("dnsPolicy", DNS_POLICIES)):
        value = spec.get(name) or ""
        if not value:
            out.append(errors.required(f"{at}.{name}"))
        elif value not in supported:
            out.append(errors.not_supported(f"{at}.{name}", value, supported))


def _dns_config(spec: Obj, at: str, out: Errors) -> None:
    """Check the pod's own resolver settings."""
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None" and not (config or {}).get("nameservers"):
        text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        where = at if config is None else f"{at}.nameservers"
        out.append(errors.required(where, text if config is not None else _no_config()))
        if config is None:
            return
    if config is None:
        return
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > 3:
        out.append(errors.invalid(f"{at}.nameservers", servers, "must not have more than 3 nameservers"))
    for n, server in enumerate(servers):
        formatted(formats.ip, server, f"{at}.nameservers[{n}]", out)
    if len(searches) > 32:
        out.append(errors.invalid(f"{at}.searches", searches, "must not have more than 32 search paths"))
    if len(" ".join(searches)) > 2048:
        text = "must not have more than 2048 characters (including spaces) in the search list"
        out.append(errors.invalid(f"{at}.searches", searches, text))
    for n, search in enumerate(searches):
        path = search.removesuffix(".") if search != "." else ""
        if path:
            for text in formats.dns_subdomain_underscore(path):
                out.append(errors.invalid(f"{at}.searches[{n}]", path, text))
    for n, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            out.append(errors.required(f"{at}.options[{n}]", "must not be empty"))


def _no_config() -> str:
    """Return the complaint about a policy None without any configuration."""
    return "must provide `dnsConfig` when `dnsPolicy` is None"


def _host_users(spec: Obj, at: str, out: Errors) -> None:
    """Refuse the node's namespaces to a pod with users of its own."""
    if spec.get("hostUsers") is not False:
        return
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            out.append(errors.forbidden_field(f"{at}.{name}", "when `hostUsers` is false"))


def _names(spec: Obj, at: str, out: Errors) -> None:
    """Check the references and names of the pod."""
    deadline = spec.get("activeDeadlineSeconds")
    for name in ("serviceAccountName", "nodeName"):
        if spec.get(name):
            formatted(formats.dns_subdomain, spec[name], f"{at}.{name}", out)
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        out.append(errors.invalid(f"{at}.activeDeadlineSeconds", deadline, formats.in_range(1, 2**31 - 1)))
    for name in ("hostname", "subdomain"):
        if spec.get(name):
            formatted(formats.dns_label, spec[name], f"{at}.{name}", out)
    override = spec.get("hostnameOverride")
    if override is not None:
        formatted(formats.dns_subdomain, override, f"{at}.hostnameOverride", out)
        if formats.size(override) > 64:
            out.append(errors.too_long(f"{at}.hostnameOverride", override, 64))
        if spec.get("hostNetwork"):
            text = "may not be specified when 'hostNetwork' is true"
            out.append(errors.forbidden_field(f"{at}.hostnameOverride", text))
        if spec.get("setHostnameAsFQDN"):
            text = "setHostnameAsFQDN cannot be true when `hostnameOverride` is set"
            out.append(errors.forbidden_field(f"{at}.hostnameOverride", text))


def _rest(spec: Obj, at: str, out: Errors) -> None:
    """Check what comes last: tolerations, aliases, priority, overhead."""
    scheduling.tolerations(spec.get("tolerations") or [], f"{at}.tolerations", out)
    for alias in spec.get("hostAliases") or ():
        formatted(formats.ip, alias.get("ip") or "", f"{at}.hostAliases.ip", out)
        for name in alias.get("hostnames") or ():
            formatted(formats.dns_subdomain, name, f"{at}.hostAliases.hostnames", out)
    for name in ("priorityClassName", "runtimeClassName"):
        if spec.get(name):
            formatted(formats.dns_subdomain, spec[name], f"{at}.{name}", out)
    policy = spec.get("preemptionPolicy")
    if policy is not None and policy not in {"Never", "PreemptLowerPriority"}:
        if policy:
            supported = ("Never", "PreemptLowerPriority")
            out.append(errors.not_supported(f"{at}.preemptionPolicy", policy, supported))
        else:
            out.append(errors.required(f"{at}.preemptionPolicy"))
    overhead = spec.get("overhead") or {}
    if overhead:
        resources.requirements({"limits": overhead}, (), f"{at}.overhead", out)
