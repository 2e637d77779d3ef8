"""Validation of the small kinds: accounts, configuration, nodes, slices, leases, priorities, events.

In comes an object (and the old one), metadata already checked; complaints are appended in the order
of each kind's Validate and ValidateUpdate functions upstream.
"""

from __future__ import annotations

from base64 import b64decode

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, meta, resources, scheduling
from kctl.api.validation.meta import Errors, formatted

MAX_DATA = 1024 * 1024
FROZEN = "field is immutable when `immutable` is set"
SECRET_TYPES = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
HIGHEST_USER_PRIORITY = 1000000000
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
MAX_ENDPOINTS, MAX_ADDRESSES = 1000, 100


def namespace(obj: Obj, out: Errors) -> None:
    """Check the finalizers of a Namespace."""
    for value in (obj.get("spec") or {}).get("finalizers") or ():
        formatted(formats.qualified_name, value, "spec.finalizers", out)
        meta.kube_finalizer(value, "spec.finalizers", out)


def config_map(obj: Obj, out: Errors) -> None:
    """Check the keys and size of a ConfigMap."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    total = 0
    for key in sorted(data):
        formatted(formats.config_key, key, f"data[{key}]", out)
        if key in binary:
            out.append(errors.invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        total += formats.size(data[key] or "")
    for key in sorted(binary):
        formatted(formats.config_key, key, f"binaryData[{key}]", out)
        total += len(_bytes(binary[key]))
    if total > MAX_DATA:
        out.append(errors.too_long("", "", MAX_DATA))


def _bytes(text: str | None) -> bytes:
    """Return what base64 stands for."""
    return b64decode(text or "")


def config_map_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed ConfigMap."""
    _frozen(new, old, ("data", "binaryData"), out)
    config_map(new, out)


def _frozen(new: Obj, old: Obj, names: tuple[str, ...], out: Errors) -> None:
    """Refuse to change what was declared immutable."""
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        out.append(errors.forbidden_field("immutable", FROZEN))
    for name in names:
        if (new.get(name) or {}) != (old.get(name) or {}):
            out.append(errors.forbidden_field(name, FROZEN))


def secret(obj: Obj, out: Errors) -> None:
    """Check the keys, size and type of a Secret."""
    data = obj.get("data") or {}
    total = 0
    for key in sorted(data):
        formatted(formats.config_key, key, f"data[{key}]", out)
        total += len(_bytes(data[key]))
    if total > MAX_DATA:
        out.append(errors.too_long("data", "", MAX_DATA))
    _secret_type(obj, data, out)


def _secret_type(obj: Obj, data: Obj, out: Errors) -> None:
    """Check what each type of Secret must hold."""
    kind = obj.get("type") or ""
    if kind == "kubernetes.io/service-account-token":
        name = "kubernetes.io/service-account.name"
        if not (obj["metadata"].get("annotations") or {}).get(name):
            out.append(errors.required(f"metadata.annotations[{name}]"))
    if kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        out.append(errors.required("data[username]"))
        out.append(errors.required("data[password]"))
    for key in SECRET_TYPES.get(kind, ()):
        here = f"data[{key}]"
        if kind == "kubernetes.io/ssh-auth":
            if not data.get(key):
                out.append(errors.required(here))
        elif key not in data:
            out.append(errors.required(here))
        elif key.startswith("."):
            _json(_bytes(data[key]), here, out)


def _json(value: bytes, at: str, out: Errors) -> None:
    """Check that a registry configuration is a JSON object, in the words of Go's decoder."""
    import json

    text = value.decode("latin-1")
    try:
        json.loads(text)
    except ValueError as problem:
        hidden = "<secret contents redacted>"
        place = getattr(problem, "pos", 0)
        if not text.strip() or place >= len(text.rstrip()):
            complaint = "unexpected end of JSON input"
        else:
            complaint = f"invalid character {_go_rune(text[place])} looking for beginning of value"
        out.append(errors.invalid(at, hidden, complaint))


def _go_rune(letter: str) -> str:
    """Write one byte as Go quotes it in JSON errors."""
    return {"'": "'\\''", '"': "'\"'"}.get(letter, f"'{letter}'")


def secret_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed Secret: its type stays."""
    if (new.get("type") or "") != (old.get("type") or ""):
        out.append(errors.invalid("type", new.get("type") or "", formats.IMMUTABLE))
    _frozen(new, old, ("data",), out)
    secret(new, out)


def nothing(obj: Obj, out: Errors) -> None:
    """Check nothing beyond metadata."""


def node(obj: Obj, out: Errors) -> None:
    """Check a Node: taints, pod networks, amounts."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if spec.get("taints"):
        scheduling.taints(spec["taints"], "metadata.taints", out)
    _amounts(status, out)
    cidrs = spec.get("podCIDRs") or []
    for n, value in enumerate(cidrs):
        formatted(formats.cidr, value, f"spec.podCIDRs[{n}]", out)
    if len(cidrs) > 2:
        out.append(errors.invalid("spec.podCIDRs", cidrs, "may specify no more than one CIDR for each IP family"))


def _amounts(status: Obj, out: Errors) -> None:
    """Check capacity and what may be allocated."""
    for name in ("capacity", "allocatable"):
        amounts = status.get(name) or {}
        for resource in sorted(amounts):
            here = f"status.{name}.{resource}"
            resources.resource_name(resource, here, out)
            resources.quantity_value(resource, amounts[resource], here, out)


def node_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed Node: what is known of the machine stays; upstream checks taints twice."""
    node(new, out)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if before.get("podCIDRs") and spec.get("podCIDRs") != before.get("podCIDRs"):
        text = 'node updates may not change podCIDR except from "" to valid'
        out.append(errors.forbidden_field("spec.podCIDRs", text))
    if before.get("providerID") and spec.get("providerID") != before.get("providerID"):
        text = 'node updates may not change providerID except from "" to valid'
        out.append(errors.forbidden_field("spec.providerID", text))
    if spec.get("taints"):
        scheduling.taints(spec["taints"], "metadata.taints", out)


def node_status(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed status of a Node."""
    _amounts(new.get("status") or {}, out)
    seen: list[Obj] = []
    for n, value in enumerate((new.get("status") or {}).get("addresses") or ()):
        if value in seen:
            out.append(errors.duplicate(f"status.addresses[{n}]", value))
        seen.append(value)


def lease(obj: Obj, out: Errors) -> None:
    """Check the numbers of a Lease."""
    spec = obj.get("spec") or {}
    seconds, changes = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        out.append(errors.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if changes is not None and changes < 0:
        out.append(errors.invalid("spec.leaseTransitions", changes, formats.NEGATIVE))
    if spec.get("strategy") is not None:
        formatted(formats.qualified_name, spec["strategy"], "spec.strategy", out)


def priority_class(obj: Obj, out: Errors) -> None:
    """Check a PriorityClass: the names and values of the system are its own."""
    name, value = obj["metadata"].get("name") or "", obj.get("value") or 0
    if name.startswith("system-"):
        known = {"system-node-critical": 2000001000, "system-cluster-critical": 2000000000}
        if known.get(name) != value:
            text = "priority class names with 'system-' prefix are reserved for system use only"
            out.append(errors.forbidden_field("metadata.name", f"{text}. error: {_not_system(name, known)}"))
    elif value > HIGHEST_USER_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        out.append(errors.forbidden_field("value", text))
    _preemption(obj, out)


def _not_system(name: str, known: dict[str, int]) -> str:
    """Say why a class is none of the system's."""
    if name in known:
        return f"value of {name} PriorityClass must be {known[name]}"
    return f"{name} is not a known system priority class"


def _preemption(obj: Obj, out: Errors) -> None:
    """Check whether pods of the class preempt others."""
    policy = obj.get("preemptionPolicy")
    if policy is not None and policy not in {"Never", "PreemptLowerPriority"}:
        supported = ("PreemptLowerPriority", "Never")
        out.append(
            errors.not_supported("preemptionPolicy", policy, supported)
            if policy
            else errors.required("preemptionPolicy")
        )


def priority_class_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed PriorityClass: its value and policy stay."""
    if (new.get("value") or 0) != (old.get("value") or 0):
        out.append(errors.forbidden_field("value", "may not be changed in an update."))
    policy, before = new.get("preemptionPolicy"), old.get("preemptionPolicy")
    if policy != before:
        out.append(errors.invalid("preemptionPolicy", policy, formats.IMMUTABLE))


def endpoint_slice(obj: Obj, out: Errors) -> None:
    """Check an EndpointSlice."""
    _slice(obj, frozenset(), out)


def _slice(obj: Obj, known: frozenset[int], out: Errors) -> None:
    """Check an EndpointSlice, but not the endpoints known by their identity."""
    family = obj.get("addressType") or ""
    if not family:
        out.append(errors.required("addressType"))
    elif family not in ADDRESS_TYPES:
        out.append(errors.not_supported("addressType", family, ADDRESS_TYPES))
    _endpoints(obj.get("endpoints") or [], family, known, out)
    _slice_ports(obj.get("ports") or [], out)


def endpoint_slice_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed EndpointSlice: the kind of address stays, and endpoints of the old one's own are good."""
    same = new.get("addressType") == old.get("addressType")
    _slice(new, frozenset(map(id, old.get("endpoints") or ())) if same else frozenset(), out)
    if new.get("addressType") != old.get("addressType"):
        out.append(errors.invalid("addressType", new.get("addressType") or "", formats.IMMUTABLE))


def _endpoints(values: list[Obj], family: str, known: frozenset[int], out: Errors) -> None:
    """Check every endpoint: addresses of the family, and its place."""
    if len(values) > MAX_ENDPOINTS:
        out.append(errors.too_many("endpoints", len(values), MAX_ENDPOINTS))
        return
    for n, value in enumerate(values):
        if id(value) in known:
            continue
        at = f"endpoints[{n}]"
        addresses = value.get("addresses") or []
        if not addresses:
            out.append(errors.required(f"{at}.addresses", "must contain at least 1 address"))
        elif len(addresses) > MAX_ADDRESSES:
            out.append(errors.too_many(f"{at}.addresses", len(addresses), MAX_ADDRESSES))
        for m, address in enumerate(addresses):
            _endpoint_address(address, family, f"{at}.addresses[{m}]", out)
        if value.get("nodeName") is not None:
            formatted(formats.dns_subdomain, value["nodeName"], f"{at}.nodeName", out)
        if value.get("hostname") is not None:
            formatted(formats.dns_label, value["hostname"], f"{at}.hostname", out)
        zones: set[str] = set()
        for m, zone in enumerate((value.get("hints") or {}).get("forZones") or ()):
            name = zone.get("name") or ""
            here = f"{at}.hints.forZones[{m}].name"
            if name in zones:
                out.append(errors.duplicate(here, name))
            zones.add(name)
            formatted(formats.label_value, name, here, out)


def _endpoint_address(value: str, family: str, at: str, out: Errors) -> None:
    """Check one address against the family of the slice."""
    if family == "FQDN":
        formatted(formats.dns_subdomain, value, at, out)
        return
    if family not in {"IPv4", "IPv6"}:
        return
    complaints = formats.ip(value)
    formatted(formats.ip, value, at, out)
    if not complaints and formats.is_ipv6(value) != (family == "IPv6"):
        out.append(errors.invalid(at, value, f"must be an {family} address"))


def _slice_ports(values: list[Obj], out: Errors) -> None:
    """Check the ports of a slice: each name once."""
    names: set[str] = set()
    for n, value in enumerate(values):
        at = f"ports[{n}]"
        name = value.get("name") or ""
        if name:
            formatted(formats.dns_label, name, f"{at}.name", out)
        if name in names:
            out.append(errors.duplicate(f"{at}.name", name))
        names.add(name)
        protocol = value.get("protocol") or ""
        if not protocol:
            out.append(errors.required(f"{at}.protocol"))
        elif protocol not in {"TCP", "UDP", "SCTP"}:
            out.append(errors.not_supported(f"{at}.protocol", protocol, ("SCTP", "TCP", "UDP")))
        if value.get("appProtocol") is not None:
            formatted(formats.qualified_name, value["appProtocol"], f"{at}.appProtocol", out)
