"""Validation of what CSI drivers say of themselves: CSIDriver, CSINode, capacity and attachments.

In comes an object (and the old one); complaints are appended as pkg/apis/storage/validation orders
them.
"""

from __future__ import annotations

from kctl.api import errors, quantity
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal, meta
from kctl.api.validation.meta import Errors, formatted, immutable
from kctl.api.validation.volume_sources import driver_name

LIFECYCLES = ("Persistent", "Ephemeral")
GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
MIN_EXPIRATION, MAX_EXPIRATION = 600, 1 << 32
MAX_NODE_ID = 256


def driver(obj: Obj, out: Errors) -> None:
    """Check a CSIDriver."""
    spec = obj.get("spec") or {}
    policy = spec.get("fsGroupPolicy")
    if policy is not None and policy not in GROUP_POLICIES:
        out.append(errors.not_supported("spec.fsGroupPolicy", policy, GROUP_POLICIES))
    seen: set[str] = set()
    for n, request in enumerate(spec.get("tokenRequests") or ()):
        at, audience = f"spec.tokenRequests[{n}]", request.get("audience") or ""
        if audience in seen:
            out.append(errors.duplicate(f"{at}.audience", audience))
            continue
        seen.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is not None and seconds < MIN_EXPIRATION:
            text = "may not specify a duration less than 10 minutes"
            out.append(errors.invalid(f"{at}.expirationSeconds", seconds, text))
        if seconds is not None and seconds > MAX_EXPIRATION:
            text = "may not specify a duration larger than 2^32 seconds"
            out.append(errors.invalid(f"{at}.expirationSeconds", seconds, text))
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in LIFECYCLES:
            out.append(errors.not_supported("spec.volumeLifecycleModes", mode, LIFECYCLES))


def driver_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed CSIDriver: how volumes are attached and live stays."""
    driver(new, out)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    immutable(spec.get("attachRequired"), before.get("attachRequired"), "spec.attachedRequired", out)
    immutable(spec.get("volumeLifecycleModes"), before.get("volumeLifecycleModes"), "spec.volumeLifecycleModes", out)


def node(obj: Obj, out: Errors) -> None:
    """Check a CSINode: each driver once."""
    names: set[str] = set()
    for n, value in enumerate((obj.get("spec") or {}).get("drivers") or ()):
        at, name = f"spec.drivers[{n}]", value.get("name") or ""
        driver_name(name, f"{at}.name", out)
        identity = value.get("nodeID") or ""
        if not identity:
            out.append(errors.required(f"{at}.nodeID"))
        elif formats.size(identity) > MAX_NODE_ID:
            text = f"must be {MAX_NODE_ID} characters or less"
            out.append(errors.invalid(f"{at}.nodeID", identity, text))
        count = (value.get("allocatable") or {}).get("count")
        if count is not None and count < 0:
            out.append(errors.invalid(f"{at}.allocatable.count", count, formats.NEGATIVE))
        if name in names:
            out.append(errors.duplicate(f"{at}.name", name))
        names.add(name)
        _topology_keys(value.get("topologyKeys") or [], at, out)


def _topology_keys(keys: list[str], at: str, out: Errors) -> None:
    """Check the labels a driver sorts nodes by; upstream reports them at the driver."""
    for n, key in enumerate(keys):
        if not key:
            out.append(errors.required(at))
        if key in keys[:n]:
            out.append(errors.duplicate(at, key))
        formatted(formats.qualified_name_plain, key, at, out)


def node_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed CSINode: what a driver said stays, but for what can be allocated."""
    node(new, out)
    known = {value.get("name"): value for value in (old.get("spec") or {}).get("drivers") or ()}
    for value in (new.get("spec") or {}).get("drivers") or ():
        before = known.get(value.get("name"))
        if before is None:
            continue
        plain = [{k: v for k, v in row.items() if k != "allocatable"} for row in (value, before)]
        if plain[0] != plain[1]:
            shown = internal.shown("CSINodeDriver", plain[0])
            out.append(errors.invalid("spec.drivers", shown, formats.IMMUTABLE))


def attachment(obj: Obj, out: Errors) -> None:
    """Check a VolumeAttachment."""
    spec = obj.get("spec") or {}
    driver_name(spec.get("attacher") or "", "spec.attacher", out)
    source = spec.get("source") or {}
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if (name is None) == (inline is None):
        text = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        out.append(errors.required("spec.source", text))
    elif name is not None:
        if not name:
            out.append(
                errors.required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName")
            )
        formatted(formats.dns_subdomain, name, "spec.source.persistentVolumeName", out)
    formatted(formats.dns_subdomain, spec.get("nodeName") or "", "spec.nodeName", out)


def attachment_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed VolumeAttachment: its spec stays."""
    attachment(new, out)
    spec = new.get("spec") or {}
    if spec != (old.get("spec") or {}):
        shown = internal.shown("VolumeAttachmentSpec", spec)
        out.append(errors.invalid("spec", shown, formats.IMMUTABLE))


def capacity(obj: Obj, out: Errors) -> None:
    """Check a CSIStorageCapacity."""
    meta.selector(obj.get("nodeTopology"), "nodeTopology", out)
    formatted(formats.dns_subdomain, obj.get("storageClassName") or "", "storageClassName", out)
    for name in ("capacity", "maximumVolumeSize"):
        amount = obj.get(name)
        if amount is not None and quantity.parse(amount) < 0:
            out.append(errors.invalid(name, quantity.canonical(str(amount)), formats.NEGATIVE))


def capacity_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed CSIStorageCapacity: where and of what class it is stays."""
    capacity(new, out)
    topology = new.get("nodeTopology")
    if topology != old.get("nodeTopology"):
        out.append(errors.invalid("nodeTopology", meta.shown_selector(topology), formats.IMMUTABLE))
    immutable(new.get("storageClassName") or "", old.get("storageClassName") or "", "storageClassName", out)
