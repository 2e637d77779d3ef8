"""Volumes, claims to them and the classes that provide them, in kubectl's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kctl.api.objects import Obj, dig
from kctl.api.printers import plain_selector, since, spec_of, status_of
from kctl.api.printers.storage import access_modes, class_of, is_default
from kctl.cli.describing import layout
from kctl.cli.describing.containers import VOLUMES, Source, volume_source
from kctl.cli.describing.layout import Page

SOURCES: Mapping[str, Source] = {
    **VOLUMES,
    "local": ("LocalVolume (a persistent volume backed by local storage on a node)", (("Path", "path"),)),
    "csi": (
        "CSI (a Container Storage Interface (CSI) volume source)",
        (("Driver", "driver"), ("FSType", "fsType"), ("VolumeHandle", "volumeHandle"), ("ReadOnly", "readOnly")),
    ),
}
NO_SOURCE = {
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
}
"""The fields of a PersistentVolume's spec that are none of the sources it is one of."""


def volume(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of a PersistentVolume."""
    page, spec = Page(), spec_of(obj)
    page.field(0, "Name", obj["metadata"]["name"])
    layout.metadata(page, obj)
    page.field(0, "Finalizers", _go_list(obj["metadata"].get("finalizers")))
    page.field(0, "StorageClass", class_of(obj))
    page.field(0, "Status", _status(obj, now))
    ref = spec.get("claimRef")
    page.field(0, "Claim", f"{ref.get('namespace', '')}/{ref.get('name', '')}" if ref else "")
    page.field(0, "Reclaim Policy", spec.get("persistentVolumeReclaimPolicy", ""))
    page.field(0, "Access Modes", access_modes(spec.get("accessModes")))
    if "volumeMode" in spec:
        page.field(0, "VolumeMode", spec["volumeMode"])
    page.field(0, "Capacity", dig(spec, "capacity", "storage", default="0"))
    _affinity(page, dig(spec, "nodeAffinity", "required", default=None))
    page.field(0, "Message", status_of(obj).get("message", ""))
    page.line(0, "Source:")
    kind = next((name for name in spec if name not in NO_SOURCE), "")
    if kind:
        volume_source(page, kind, spec[kind], SOURCES)
    else:
        page.line(1, "<unknown>")
    if kind == "csi":
        page.listed(2, "VolumeAttributes", layout.pairs(spec[kind].get("volumeAttributes")))
    layout.events(page, events, now)
    return page.text()


def _status(obj: Obj, now: float) -> str:
    going = obj["metadata"].get("deletionTimestamp")
    return f"Terminating (lasts {since(going, now)})" if going else str(status_of(obj).get("phase", ""))


def _go_list(values: Sequence[str] | None) -> str:
    return f"[{' '.join(values or ())}]"


def _affinity(page: Page, required: Obj | None) -> None:
    if required is None:
        page.field(0, "Node Affinity", "<none>")
        return
    page.field(0, "Node Affinity", "")
    terms = required.get("nodeSelectorTerms") or ()
    page.field(1, "Required Terms", "" if terms else "<none>")
    for n, term in enumerate(terms):
        page.listed(2, f"Term {n}", [_requirement(one) for one in term.get("matchExpressions") or ()])


def _requirement(one: Obj) -> str:
    values = f" [{', '.join(one['values'])}]" if one.get("values") else ""
    return f"{one.get('key', '')} {one.get('operator', 'In').lower()}{values}"


def claim(obj: Obj, now: float, events: Sequence[Obj], *, pods: Sequence[Obj]) -> str:
    """Return the description of a PersistentVolumeClaim; ``pods`` are those of its namespace."""
    page, spec, status = Page(), spec_of(obj), status_of(obj)
    name, bound = obj["metadata"]["name"], spec.get("volumeName", "")
    page.field(0, "Name", name)
    page.field(0, "Namespace", obj["metadata"]["namespace"])
    page.field(0, "StorageClass", class_of(obj))
    page.field(0, "Status", _status(obj, now))
    page.field(0, "Volume", bound)
    layout.metadata(page, obj)
    page.field(0, "Finalizers", _go_list(obj["metadata"].get("finalizers")))
    page.field(0, "Capacity", dig(status, "capacity", "storage", default="0") if bound else "")
    page.field(0, "Access Modes", access_modes(status.get("accessModes")) if bound else "")
    if "volumeMode" in spec:
        page.field(0, "VolumeMode", spec["volumeMode"])
    origin = spec.get("dataSource")
    if origin:
        page.line(0, "DataSource:")
        if "apiGroup" in origin:
            page.field(1, "APIGroup", origin["apiGroup"])
        page.field(1, "Kind", origin.get("kind", ""))
        page.field(1, "Name", origin.get("name", ""))
    page.listed(0, "Used By", sorted(pod["metadata"]["name"] for pod in pods if _uses(pod, obj)))
    if status.get("conditions"):
        page.line(0, "Conditions:")
        page.line(1, "Type", "Status", "LastProbeTime", "LastTransitionTime", "Reason", "Message")
        page.line(1, "----", "------", "-----------------", "------------------", "------", "-------")
        for one in status["conditions"]:
            times = [f"{layout.time_text(one.get(field))} " for field in ("lastProbeTime", "lastTransitionTime")]
            said = [f"{one['type']} ", f"{one['status']} ", *times, f"{one.get('reason', '')} "]
            page.line(1, *said, one.get("message", ""))
    layout.events(page, events, now)
    return page.text()


def _uses(pod: Obj, found: Obj) -> bool:
    """Return whether a pod mounts a claim or is an owner of it, as getPodsForPVC."""
    name = found["metadata"]["name"]
    mounted = (dig(volume, "persistentVolumeClaim", "claimName", default=None) for volume in _volumes(pod))
    owners = (one.get("uid") for one in found["metadata"].get("ownerReferences") or () if one.get("kind") == "Pod")
    return name in mounted or pod["metadata"].get("uid") in owners


def _volumes(pod: Obj) -> Sequence[Obj]:
    return spec_of(pod).get("volumes") or ()


def storage_class(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of a StorageClass."""
    page = Page()
    page.field(0, "Name", obj["metadata"]["name"])
    page.field(0, "IsDefaultClass", "Yes" if is_default(obj) else "No")
    page.field(0, "Annotations", plain_selector(obj["metadata"].get("annotations")))
    page.field(0, "Provisioner", obj.get("provisioner", ""))
    page.field(0, "Parameters", plain_selector(obj.get("parameters")))
    grows = obj.get("allowVolumeExpansion")
    page.field(0, "AllowVolumeExpansion", "<unset>" if grows is None else str(grows))
    if obj.get("mountOptions"):
        page.line(0, "MountOptions:")
        for option in obj["mountOptions"]:
            page.line(1, option)
    else:
        page.field(0, "MountOptions", "<none>")
    for title, name in (("ReclaimPolicy", "reclaimPolicy"), ("VolumeBindingMode", "volumeBindingMode")):
        if name in obj:
            page.field(0, title, obj[name])
    if obj.get("allowedTopologies"):
        page.field(0, "AllowedTopologies", "")
        for n, term in enumerate(obj["allowedTopologies"]):
            terms = term.get("matchLabelExpressions") or ()
            page.listed(1, f"Term {n}", [_requirement(one) for one in terms])
    layout.events(page, events, now)
    return page.text()
